# SPDX-License-Identifier: Apache-2.0
"""``ws test --wheel`` for real: the smallest distribution passes, and what only a shared
environment hides is found.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from wslib.cli import main
from wslib.workspace import Workspace

pytestmark = pytest.mark.timeout(300)  # builds wheels, and asks the package index for what they need

ROOT = Path(__file__).parents[1]
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

_MANIFEST = """
[tool.uv.workspace]
members = ["packages/*"]
[tool.uv.sources]
en-ancillary = { workspace = true }
[tool.pytest.ini_options]
addopts = ["--import-mode=importlib"]
filterwarnings = ["error"]
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A workspace of en-ancillary, with one short test."""
    (tmp_path / "pyproject.toml").write_text(_MANIFEST)
    package = tmp_path / "packages" / "en-ancillary"
    shutil.copytree(ROOT / "packages" / "en-ancillary", package, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    (package / "tests").mkdir()
    (package / "tests" / "test_import.py").write_text("from easynetwork.ancillary import *\n\ndef test_it(): ...\n")
    return tmp_path


def run(root: Path, *options: str) -> int:
    return main(["test", "en-ancillary", *options], root)


@pytest.mark.parametrize("versions", ["newest", "lowest"])
def test_distribution_passes_its_own_tests_alone(versions: str, capfd: pytest.CaptureFixture[str]) -> None:
    lowest = versions == "lowest"
    [requirement] = Workspace(ROOT).members["en-ancillary"].dependencies
    floor = f"{requirement.bounds.removeprefix('>=')}.0"

    status = run(ROOT, "--lowest" if lowest else "--wheel", "--", "-k", "package")

    output = capfd.readouterr().out
    assert status == 0, output
    assert "en-ancillary: imported " in output
    assert " passed" in output
    [packages] = ROOT.glob(f"build/alone/en-ancillary-{VERSION}{'-lowest' * lowest}/lib/python*/site-packages")
    installed = dict(path.name.removesuffix(".dist-info").split("-") for path in packages.glob("*.dist-info"))
    assert {name for name in installed if name.startswith(("en_", "easynetwork"))} == {"en_ancillary"}
    assert (installed["typing_extensions"] == floor) == lowest


def test_undeclared_import_is_found(small: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with next(small.rglob("ancillary/_queue.py")).open("a") as module:
        module.write("\nimport anyio\n")

    assert run(small, "--wheel") == 1
    assert "cannot be imported: ModuleNotFoundError: No module named 'anyio'" in capfd.readouterr().out


def test_undeclared_need_of_a_test_is_found(small: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with next(small.rglob("test_import.py")).open("a") as module:
        module.write("\nimport hypothesis.extra.pytz\n")

    assert run(small, "--wheel") == 1
    output = capfd.readouterr().out
    assert "No module named 'pytz'" in output
    assert "en-ancillary         FAILED" in output
