# SPDX-License-Identifier: Apache-2.0
"""A whole measurement is what `./tools/ws figures` makes of every distribution; here is what it
measures.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from wslib.measuring import public_modules

PUBLIC = ("easynetwork/upper/__init__.py", "easynetwork/upper/frames.py")


def test_public_modules_are_those_that_a_program_may_import(tmp_path: Path) -> None:
    wheel = tmp_path / "en_upper-1.2.0-py3-none-any.whl"
    others = ("easynetwork/upper/_private.py", "easynetwork/upper/_folder/part.py", "easynetwork/upper/py.typed")
    of_tests = ("easynetwork/upper/testing.py", "easynetwork/upper/testing/streams.py")
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in (*PUBLIC, *others, *of_tests):
            archive.writestr(name, "")

    assert public_modules(wheel) == ["easynetwork.upper", "easynetwork.upper.frames"]


def test_meta_package_has_no_modules(tmp_path: Path) -> None:
    wheel = tmp_path / "easynetwork-1.2.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("easynetwork-1.2.0.dist-info/METADATA", "")

    assert public_modules(wheel) == []
