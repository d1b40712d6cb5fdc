# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from wslib.cycles import check_import_cycles

from .fakes import LOWER, fake_workspace

TYPES_ONLY = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    "


def test_modules_that_import_downwards_only_are_in_order(tmp_path: Path) -> None:
    files = {
        f"{LOWER}/__init__.py": "from .frames import Frame\nfrom .reader import Reader\n",
        f"{LOWER}/reader.py": "import json\nfrom . import frames\nfrom .frames import Frame\n",
        f"{LOWER}/frames.py": "",
    }

    assert check_import_cycles(fake_workspace(tmp_path, files)) == []


@pytest.mark.parametrize(
    "statement",
    [
        "import easynetwork.lower.reader",
        "from easynetwork.lower import reader",
        "from easynetwork.lower.reader import Reader",
        "from . import reader",
        "from .reader import Reader",
        "def later() -> None:\n    from .reader import Reader",
        "class Late:\n    from .reader import Reader",
        TYPES_ONLY + "from .reader import Reader",
    ],
)
def test_a_cycle_is_found_whichever_way_its_imports_are_written(tmp_path: Path, statement: str) -> None:
    files = {f"{LOWER}/reader.py": "from .frames import Frame", f"{LOWER}/frames.py": statement}

    [fault] = check_import_cycles(fake_workspace(tmp_path, files))

    assert fault.what == "easynetwork.lower.frames -> easynetwork.lower.reader -> easynetwork.lower.frames"


def test_a_cycle_is_told_at_its_lightest_import(tmp_path: Path) -> None:
    files = {
        f"{LOWER}/a.py": "from .b import B",
        f"{LOWER}/b.py": "def later() -> None:\n    from .c import C",
        f"{LOWER}/c.py": TYPES_ONLY + "from .a import A",
    }

    [fault] = check_import_cycles(fake_workspace(tmp_path, files))

    assert fault.where == f"{LOWER}/c.py:3"
    circle = ["a", "b", "c", "a"]
    assert fault.what == " -> ".join(f"easynetwork.lower.{name}" for name in circle)


def test_a_name_that_a_package_re_exports_is_imported_from_the_package(tmp_path: Path) -> None:
    files = {f"{LOWER}/__init__.py": "from .frames import Frame", f"{LOWER}/frames.py": "from . import Frame"}

    [fault] = check_import_cycles(fake_workspace(tmp_path, files))

    assert fault.what == "easynetwork.lower -> easynetwork.lower.frames -> easynetwork.lower"


def test_a_cycle_of_types_between_distributions_is_found(tmp_path: Path) -> None:
    files = {f"{LOWER}/frames.py": TYPES_ONLY + "from easynetwork.upper import Anything"}

    [fault] = check_import_cycles(fake_workspace(tmp_path, files))

    assert fault.where == f"{LOWER}/frames.py:3"
    assert fault.what == "easynetwork.lower.frames -> easynetwork.upper -> easynetwork.lower.frames"


def test_each_cycle_is_told_once_and_short_ones_first(tmp_path: Path) -> None:
    files = {
        f"{LOWER}/a.py": "from . import b, c",
        f"{LOWER}/b.py": "from . import c",
        f"{LOWER}/c.py": "from . import a",
    }

    faults = check_import_cycles(fake_workspace(tmp_path, files))

    assert [fault.what.count("->") for fault in faults] == [2, 3]
