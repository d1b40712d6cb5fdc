# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from wslib.closures import Closure, closures
from wslib.errors import WorkspaceError

from .fakes import fake_workspace

LOCK = """
[[package]]
name = "en-lower"
[[package]]
name = "en-upper"
dependencies = [{ name = "en-lower" }, { name = "anyio" }]
[[package]]
name = "anyio"
dependencies = [{ name = "idna" }, { name = "typing-extensions", marker = "python_full_version < '3.13'" }]
"""


def closure_of_upper(root: Path, lock: str) -> Closure:
    return closures(fake_workspace(root, {"uv.lock": lock}))["en-upper"]


def test_what_is_needed_in_turn_comes_along(tmp_path: Path) -> None:
    assert closure_of_upper(tmp_path, LOCK) == (("en-lower",), ("anyio", "idna", "typing-extensions"))


def test_distribution_that_needs_nothing_brings_nothing(tmp_path: Path) -> None:
    assert closures(fake_workspace(tmp_path, {"uv.lock": LOCK}))["en-lower"] == ((), ())


def test_what_only_another_system_needs_does_not_come_along(tmp_path: Path) -> None:
    lock = LOCK.replace('{ name = "idna" }', "{ name = \"cffi\", marker = \"os_name == 'nt' and extra != 'x'\" }")

    assert closure_of_upper(tmp_path, lock).others == ("anyio", "typing-extensions")


def test_extra_that_is_asked_for_comes_along(tmp_path: Path) -> None:
    lock = LOCK.replace('{ name = "anyio" }', '{ name = "anyio", extra = ["trio"] }')
    lock += '[package.optional-dependencies]\ntrio = [{ name = "trio" }]\n'

    assert closure_of_upper(tmp_path, lock).others == ("anyio", "idna", "trio", "typing-extensions")


def test_extra_that_is_not_asked_for_does_not_come_along(tmp_path: Path) -> None:
    lock = LOCK + '[package.optional-dependencies]\ntrio = [{ name = "trio" }]\n'

    assert "trio" not in closure_of_upper(tmp_path, lock).others


def test_all_versions_of_a_package_count(tmp_path: Path) -> None:
    lock = LOCK + '[[package]]\nname = "anyio"\ndependencies = [{ name = "sniffio" }]\n'

    assert closure_of_upper(tmp_path, lock).others == ("anyio", "idna", "sniffio", "typing-extensions")


def test_circle_ends(tmp_path: Path) -> None:
    lock = LOCK + '[[package]]\nname = "idna"\ndependencies = [{ name = "anyio" }]\n'

    assert closure_of_upper(tmp_path, lock).others == ("anyio", "idna", "typing-extensions")


def test_lock_that_does_not_know_a_member_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="does not know en-upper"):
        closures(fake_workspace(tmp_path, {"uv.lock": '[[package]]\nname = "en-lower"\n'}))
