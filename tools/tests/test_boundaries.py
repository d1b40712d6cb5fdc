# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from wslib.boundaries import check_boundaries

from .fakes import LOWER, UPPER, fake_workspace, manifest_of


def test_declared_imports_are_in_order(tmp_path: Path) -> None:
    assert check_boundaries(fake_workspace(tmp_path)) == []


@pytest.mark.parametrize(
    "statement",
    [
        "import easynetwork.upper",
        "from easynetwork import upper",
        "from easynetwork.upper import __doc__",
        "from ..upper import anything",
        "def later() -> None:\n    import easynetwork.upper",
        "try:\n    import easynetwork.upper\nexcept ImportError:\n    pass",
        "class Late:\n    import easynetwork.upper",
    ],
)
def test_import_of_an_undeclared_sibling_is_found_wherever_it_stands(tmp_path: Path, statement: str) -> None:
    [fault] = check_boundaries(fake_workspace(tmp_path, {f"{LOWER}/frames.py": statement}))

    assert fault.where.startswith(f"{LOWER}/frames.py:")
    assert "imports easynetwork.upper of en-upper, which is not among its dependencies" in fault.what


def test_import_of_an_undeclared_third_party_is_found(tmp_path: Path) -> None:
    [fault] = check_boundaries(fake_workspace(tmp_path, {f"{LOWER}/frames.py": "\nfrom anyio.abc import ByteStream"}))

    assert fault.where == f"{LOWER}/frames.py:2"
    assert "imports anyio.abc of anyio" in fault.what


def test_transitive_dependency_is_not_a_declaration(tmp_path: Path) -> None:
    top = {
        "packages/en-top/pyproject.toml": manifest_of("en-upper")
        .replace("en-upper", "en-top")
        .replace('"en-lower>=1.2.0,<2"', '"en-upper>=1.2.0,<2"'),
        "packages/en-top/src/easynetwork/top/__init__.py": "import easynetwork.upper\nimport easynetwork.lower\n",
    }

    [fault] = check_boundaries(fake_workspace(tmp_path, top))

    assert "imports easynetwork.lower of en-lower" in fault.what


def test_imports_for_type_checkers_are_exempt(tmp_path: Path) -> None:
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import easynetwork.upper\nelse:\n    import trio\n"

    [fault] = check_boundaries(fake_workspace(tmp_path, {f"{LOWER}/frames.py": text}))

    assert "imports trio" in fault.what


def test_import_of_a_module_that_nobody_ships_is_found(tmp_path: Path) -> None:
    [fault] = check_boundaries(fake_workspace(tmp_path, {f"{UPPER}/more.py": "import easynetwork.nowhere"}))

    assert "which no distribution of this workspace ships" in fault.what


def test_extra_is_imported_late_only(tmp_path: Path) -> None:
    late = {f"{LOWER}/frames.py": "def fast() -> None:\n    import uvloop\n"}
    early = {f"{LOWER}/frames.py": "import uvloop\n"}

    assert check_boundaries(fake_workspace(tmp_path, late)) == []
    [fault] = check_boundaries(fake_workspace(tmp_path, early))
    assert "an extra" in fault.what


def test_forbidden_module_is_found_even_in_the_standard_library(tmp_path: Path) -> None:
    files = {
        "packages/en-lower/pyproject.toml": manifest_of("en-lower") + '[tool.ws.boundaries]\nforbidden = ["asyncio"]\n',
        f"{LOWER}/frames.py": "from asyncio.events import get_event_loop",
    }

    [fault] = check_boundaries(fake_workspace(tmp_path, files))

    assert "imports asyncio.events, forbidden in en-lower" in fault.what


def test_sibling_of_which_only_a_part_may_be_used(tmp_path: Path) -> None:
    only = '[tool.ws.boundaries]\nonly = { en-lower = ["easynetwork.lower.frames"] }\n'
    files = {
        "packages/en-upper/pyproject.toml": manifest_of("en-upper") + only,
        f"{UPPER}/__init__.py": "from easynetwork.lower import frames\nfrom easynetwork.lower import json\n",
    }

    [fault] = check_boundaries(fake_workspace(tmp_path, files))

    assert fault.where.endswith("__init__.py:2")


def test_tests_may_use_the_dependency_groups_and_no_more(tmp_path: Path) -> None:
    files = {"packages/en-lower/tests/test_frames.py": "import pytest\n\nimport easynetwork.upper\n"}

    [fault] = check_boundaries(fake_workspace(tmp_path, files))

    assert fault.where.endswith("test_frames.py:3")
