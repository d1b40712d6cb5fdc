# SPDX-License-Identifier: Apache-2.0
"""`easynetwork.servers` in interpreters of their own, with transports that are there, missing, or
broken.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

PREAMBLE = """
import sys
sys.path[:] = [p for p in sys.path if "/packages/en-servers-" not in p]  # editable installs of the transports
sys.path_hooks[:] = [h for h in sys.path_hooks if "editable" not in repr(h)]
"""


def run(program: str, *, path: pathlib.Path | None = None) -> str:
    where = [] if path is None else [str(path)]
    program = f"{PREAMBLE}\nsys.path[:0] = {where!r}\n{program}"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert not result.stderr, result.stderr
    return result.stdout.strip()


@pytest.fixture
def transport(tmp_path: pathlib.Path) -> pathlib.Path:
    """The folder of a transport, whose ``__init__.py`` the test writes."""
    folder = tmp_path / "easynetwork" / "servers" / "async_tcp"
    folder.mkdir(parents=True)
    return folder


def test_a_missing_transport_names_its_distribution() -> None:
    output = run(
        """
import easynetwork.servers as servers
try:
    servers.AsyncTCPNetworkServer
except ImportError as exc:
    print(exc)
print("AsyncTCPNetworkServer" in servers.__all__, "AsyncTCPNetworkServer" in dir(servers))
"""
    )

    assert output.splitlines() == [
        "easynetwork.servers.AsyncTCPNetworkServer needs the distribution 'en-servers-tcp', which is not installed",
        "False False",
    ]


def test_a_star_import_gives_what_is_installed() -> None:
    assert run("from easynetwork.servers import *\nprint('AsyncTCPNetworkServer' in globals())") == "False"


def test_an_installed_transport_is_imported_when_it_is_asked_for(
    tmp_path: pathlib.Path, transport: pathlib.Path
) -> None:
    (transport / "__init__.py").write_text("class AsyncTCPNetworkServer: pass")

    output = run(
        """
import easynetwork.servers as servers
print("AsyncTCPNetworkServer" in servers.__all__, "AsyncTCPNetworkServer" in dir(servers))
print("easynetwork.servers.async_tcp" in sys.modules)
from easynetwork.servers import AsyncTCPNetworkServer
from easynetwork.servers.async_tcp import AsyncTCPNetworkServer as same
print(AsyncTCPNetworkServer is same is servers.AsyncTCPNetworkServer)
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
def test_an_error_inside_a_transport_is_not_masked(
    tmp_path: pathlib.Path, transport: pathlib.Path, fault: str, expected: str
) -> None:
    (transport / "__init__.py").write_text(fault)

    output = run(
        """
import easynetwork.servers
try:
    easynetwork.servers.AsyncTCPNetworkServer
except Exception as exc:
    print(type(exc).__name__, exc)
""",
        path=tmp_path,
    )

    assert output == expected


def test_other_names_are_attribute_errors() -> None:
    output = run(
        """
import easynetwork.servers
try:
    easynetwork.servers.Nothing
except AttributeError as exc:
    print(exc)
"""
    )

    assert output == "module 'easynetwork.servers' has no attribute 'Nothing'"
