# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from wslib.environments import Environment, environment_stamp, sync_group
from wslib.errors import WorkspaceError
from wslib.pythons import Interpreter

from .fakes import fake_workspace, manifest_of

PYTHON = Interpreter((3, 11), Path("/opt/python3.11"))
LOCK = {"uv.lock": "version = 1\n"}


def stamp(root: Path, files: dict[str, str], interpreter: Interpreter = PYTHON) -> str:
    return environment_stamp(fake_workspace(root, LOCK | files), interpreter)


def test_stamp_changes_with_all_that_is_installed(tmp_path: Path) -> None:
    changed = manifest_of("en-lower").replace("pytest>=8", "pytest>=9")
    stamps = [
        stamp(tmp_path, {}),
        stamp(tmp_path, {}, Interpreter((3, 11), Path("/usr/bin/python3.11"))),
        stamp(tmp_path, {"uv.lock": "version = 2\n"}),
        stamp(tmp_path, {"packages/en-lower/pyproject.toml": changed}),
    ]

    assert len(set(stamps)) == len(stamps)


def test_settings_of_other_tools_do_not_change_the_stamp(tmp_path: Path) -> None:
    before = stamp(tmp_path, {})
    manifest = manifest_of("en-lower") + '[tool.towncrier]\nname = "en-lower"\n'

    assert stamp(tmp_path, {"packages/en-lower/pyproject.toml": manifest}) == before


def test_missing_lock_is_an_error_with_advice(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"uv\.lock is missing(.|\n)*git checkout"):
        environment_stamp(fake_workspace(tmp_path), PYTHON)


def test_group_that_nobody_declares_has_no_environment(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="no dependency group 'fuzz'"):
        sync_group(fake_workspace(tmp_path, LOCK), PYTHON, "fuzz")


def test_environment_without_an_interpreter_has_no_version(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_text("version_info = 3.12.1\n")

    assert Environment(tmp_path).version is None


def test_environment_is_fresh_with_its_own_stamp_only(tmp_path: Path) -> None:
    environment = fake_environment(tmp_path)
    environment.write_stamp("now")

    assert environment.version == "3.12"
    assert environment.is_fresh("now")
    assert not environment.is_fresh("later")
    environment.forget_stamp()
    assert not environment.is_fresh("now")


def test_environment_that_another_tool_has_changed_is_not_fresh(tmp_path: Path) -> None:
    environment = fake_environment(tmp_path)
    package = tmp_path / "lib/python3.12/site-packages/anyio-4.16.0.dist-info"
    package.mkdir(parents=True)
    environment.write_stamp("now")
    package.rmdir()

    assert not environment.is_fresh("now")


def fake_environment(folder: Path) -> Environment:
    (folder / "bin").mkdir()
    (folder / "bin/python").touch()
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\nversion_info = 3.12.1\n")
    return Environment(folder)
