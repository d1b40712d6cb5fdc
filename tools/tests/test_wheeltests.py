# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from wslib.wheeltests import pytest_settings
from wslib.workspace import Workspace

from .fakes import fake_workspace

ROOT = Path(__file__).parents[2]


def settings_of(workspace: Workspace) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(pytest_settings(workspace, Path("/cache")))
    return parser["pytest"]


def test_rules_of_the_root_hold_in_every_environment() -> None:
    settings = settings_of(Workspace(ROOT))

    assert settings["filterwarnings"].split() == ["error"]
    assert "--import-mode=importlib" in settings["addopts"].split()
    assert settings["timeout"] == "30"
    assert settings["cache_dir"] == "/cache"


@pytest.mark.parametrize("name", ["testpaths", "pythonpath"])
def test_folders_of_the_workspace_are_left_behind(name: str) -> None:
    assert name not in settings_of(Workspace(ROOT))


def test_strict_is_the_mode_of_anyio_that_nobody_has_to_ask_for() -> None:
    """Its plugin is not installed everywhere, where pytest would refuse the setting; but another
    mode would have to be handed on.
    """
    root = Workspace(ROOT).data["tool"]["pytest"]["ini_options"]

    assert root["anyio_mode"] == "strict"
    assert "anyio_mode" not in settings_of(Workspace(ROOT))


def test_workspace_without_settings_is_fine(tmp_path: Path) -> None:
    assert list(settings_of(fake_workspace(tmp_path))) == ["cache_dir"]
