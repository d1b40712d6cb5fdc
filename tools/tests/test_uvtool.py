# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from wslib.uvtool import find_uv, index_settings, uv_version


def fake_uv(path: Path, version: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho 'uv {version} (a platform)'\n")
    path.chmod(0o755)
    return path


def test_version_is_read_from_the_program(tmp_path: Path) -> None:
    assert uv_version(fake_uv(tmp_path / "uv", "0.13.8")) == (0, 13)
    assert uv_version(tmp_path / "missing") is None


def test_uv_on_path_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = fake_uv(tmp_path / "bin/uv", "0.9.0")
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    assert find_uv(tmp_path).program == program


@pytest.mark.parametrize("version", ["0.8.24", "1.0.0"])
def test_uv_of_another_generation_gives_way_to_our_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setenv("PATH", f"{fake_uv(tmp_path / 'bin/uv', version).parent}:/usr/bin:/bin")
    private = fake_uv(tmp_path / ".uv/bin/uv", "0.13.8")

    assert find_uv(tmp_path).program == private


def test_index_of_pip_is_handed_on(tmp_path: Path) -> None:
    settings = index_settings({"XDG_CONFIG_HOME": str(tmp_path)}, lambda: "https://mirror.invalid/simple")

    assert settings == {"UV_DEFAULT_INDEX": "https://mirror.invalid/simple"}


@pytest.mark.parametrize("name", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_own_index_of_uv_comes_first(name: str) -> None:
    assert index_settings({name: "https://own.invalid/simple"}, lambda: "https://mirror.invalid/simple") == {}


def test_settings_file_of_uv_comes_first(tmp_path: Path) -> None:
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv/uv.toml").touch()

    assert index_settings({"XDG_CONFIG_HOME": str(tmp_path)}, lambda: "https://mirror.invalid/simple") == {}
