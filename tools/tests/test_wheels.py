# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest

from wslib.wheels import check_wheels

LOWER = ("easynetwork/lower/__init__.py", "easynetwork/lower/py.typed", "en_lower-1.2.0.dist-info/METADATA")
UPPER = ("easynetwork/upper/__init__.py", "easynetwork/upper/py.typed", "en_upper-1.2.0.dist-info/METADATA")


def wheel(folder: Path, name: str, *files: str) -> Path:
    path = folder / f"{name}-1.2.0-py3-none-any.whl"
    with ZipFile(path, "w") as archive:
        for file in files:
            archive.writestr(file, "")
    return path


def test_wheels_in_order_have_no_faults(tmp_path: Path) -> None:
    """A wheel without any code, that of a meta-package, among them."""
    meta = wheel(tmp_path, "meta", "meta-1.2.0.dist-info/METADATA")

    assert check_wheels([wheel(tmp_path, "en_lower", *LOWER), wheel(tmp_path, "en_upper", *UPPER), meta]) == []


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("tests/test_upper.py", "has tests/test_upper.py at its root"),
        ("easynetwork/__init__.py", "closes the namespace"),
        ("easynetwork/lower/__init__.py", "is in en_lower-1.2.0-py3-none-any.whl and in en_upper"),
    ],
)
def test_file_that_does_not_belong_there_is_found(tmp_path: Path, file: str, what: str) -> None:
    (fault,) = check_wheels([wheel(tmp_path, "en_lower", *LOWER), wheel(tmp_path, "en_upper", *UPPER, file)])

    assert what in str(fault)


def test_wheel_without_types_is_found(tmp_path: Path) -> None:
    (fault,) = check_wheels([wheel(tmp_path, "en_lower", LOWER[0], LOWER[2])])

    assert "py.typed" in fault.what
