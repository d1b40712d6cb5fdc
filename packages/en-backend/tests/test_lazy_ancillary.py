# SPDX-License-Identifier: Apache-2.0
"""`easynetwork.lowlevel.socket` in interpreters of their own, with an en-ancillary that is there,
missing, or broken.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

PREAMBLE = """
import sys
sys.path[:] = [p for p in sys.path if "en-ancillary" not in p]  # its editable install
sys.path_hooks[:] = [h for h in sys.path_hooks if "editable" not in repr(h)]
"""


def run(program: str, *, path: pathlib.Path | None = None) -> str:
    where = [] if path is None else [str(path)]
    program = f"{PREAMBLE}\nsys.path[:0] = {where!r}\n{program}"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert not result.stderr, result.stderr
    return result.stdout.strip()


@pytest.fixture
def ancillary(tmp_path: pathlib.Path) -> pathlib.Path:
    """The package `easynetwork.ancillary`, whose ``__init__.py`` the test writes."""
    folder = tmp_path / "easynetwork" / "ancillary"
    folder.mkdir(parents=True)
    return folder


def test_without_it_its_names_tell_the_distribution() -> None:
    output = run(
        """
import easynetwork.lowlevel.socket as module
try:
    module.SCMRights
except ImportError as exc:
    print(exc)
print("SCMRights" in module.__all__, "SCMRights" in dir(module))
from easynetwork.lowlevel.socket import *
print("SCMRights" in globals(), "SocketProxy" in globals())
"""
    )

    assert output.splitlines() == [
        "easynetwork.lowlevel.socket.SCMRights needs the distribution 'en-ancillary', which is not installed",
        "False False",
        "False True",
    ]


def test_it_is_imported_when_one_of_its_names_is_asked_for(tmp_path: pathlib.Path, ancillary: pathlib.Path) -> None:
    (ancillary / "__init__.py").write_text("class SCMRights: pass")

    output = run(
        """
import easynetwork.lowlevel.socket as module
print("SCMRights" in module.__all__, "SCMRights" in dir(module))
print("easynetwork.ancillary" in sys.modules)
from easynetwork.lowlevel.socket import SCMRights
from easynetwork.ancillary import SCMRights as same
print(SCMRights is same is module.SCMRights)
""",
        path=tmp_path,
    )

    assert output.splitlines() == ["True True", "False", "True"]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("import a_library_that_is_missing", "ModuleNotFoundError No module named 'a_library_that_is_missing'"),
        ("raise RuntimeError('broken')", "RuntimeError broken"),
    ],
)
def test_an_error_inside_of_it_is_not_masked(
    tmp_path: pathlib.Path, ancillary: pathlib.Path, fault: str, expected: str
) -> None:
    (ancillary / "__init__.py").write_text(fault)

    output = run(
        """
import easynetwork.lowlevel.socket
try:
    easynetwork.lowlevel.socket.SCMRights
except Exception as exc:
    print(type(exc).__name__, exc)
""",
        path=tmp_path,
    )

    assert output == expected


def test_other_names_are_attribute_errors() -> None:
    output = run(
        """
import easynetwork.lowlevel.socket
try:
    easynetwork.lowlevel.socket.Nothing
except AttributeError as exc:
    print(exc)
"""
    )

    assert output == "module 'easynetwork.lowlevel.socket' has no attribute 'Nothing'"
