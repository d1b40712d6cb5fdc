# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from pathlib import Path

import pytest

from wslib.errors import WorkspaceError
from wslib.pythons import Interpreter, choose, current, find_interpreters, probe
from wslib.uvtool import Uv

OLD = Interpreter((3, 11), Path("/old/python"))
NEW = Interpreter((3, 12), Path("/new/python"))


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def no_uv(tmp_path: Path) -> Uv:
    return Uv(script(tmp_path / "uv", "exit 2"), tmp_path)


def test_the_running_interpreter_is_recognised() -> None:
    interpreter = probe(Path(sys.executable))

    assert interpreter is not None
    assert interpreter.version == current().version == sys.version_info[:2]


@pytest.mark.parametrize(
    "answer",
    [
        "echo 'pyenv: python3.12: command not found' >&2; exit 127",
        "echo 3 9 cpython /somewhere/python",
        "echo 3 12 pypy /somewhere/python",
        "echo 3 15 unusable /somewhere/python",
    ],
)
def test_what_cannot_run_the_project_is_no_interpreter(tmp_path: Path, answer: str) -> None:
    assert probe(script(tmp_path / "python3.12", answer)) is None


def test_missing_program_is_no_interpreter(tmp_path: Path) -> None:
    assert probe(tmp_path / "python3.12") is None


def test_interpreters_are_found_on_path_past_broken_shims(
    tmp_path: Path, no_uv: Uv, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path / "shims/python3.98", "exit 127")
    script(tmp_path / "bin/python3.98", "echo 3 98 cpython /opt/python3.98")
    script(tmp_path / "bin/python3.98-config", "echo 3 97 cpython /opt/config")
    monkeypatch.setenv("PATH", f"{tmp_path}/shims:{tmp_path}/bin")

    found = find_interpreters(no_uv)

    assert found == [current(), Interpreter((3, 98), Path("/opt/python3.98"))]


def test_interpreters_of_pyenv_are_found_when_they_are_not_on_path(
    tmp_path: Path, no_uv: Uv, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path / "bin/pyenv", f"echo {tmp_path}/pyenv")
    script(tmp_path / "pyenv/versions/3.97.1/bin/python3", "echo 3 97 cpython /opt/python3.97")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")

    assert Interpreter((3, 97), Path("/opt/python3.97")) in find_interpreters(no_uv)


def test_interpreters_of_uv_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    managed = script(tmp_path / "managed/python", "echo 3 96 cpython /opt/python3.96")
    uv = Uv(script(tmp_path / "uv", f"""echo '[{{"path": "{managed}"}}, {{"path": null}}]'"""), tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")

    assert Interpreter((3, 96), Path("/opt/python3.96")) in find_interpreters(uv)


def test_version_is_chosen_by_name_with_or_without_its_patch() -> None:
    assert choose("3.12", [OLD, NEW]) == NEW
    assert choose("3.12.4", [OLD, NEW]) == NEW


def test_newest_and_default() -> None:
    assert choose("newest", [OLD, NEW]) == NEW
    assert choose(None, [OLD, NEW]) == current()


def test_missing_version_is_an_error_that_names_the_others() -> None:
    with pytest.raises(WorkspaceError, match=r"no Python 3\.10 (.|\n)*use one of: 3\.11, 3\.12"):
        choose("3.10", [OLD, NEW])
