# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

from wslib.floors import third_parties
from wslib.workspace import Requirement

from .fakes import fake_workspace, manifest_of


def test_what_siblings_declare_is_lowered_too(tmp_path: Path) -> None:
    manifest = manifest_of("en-lower").replace("dependencies = []", 'dependencies = ["typing-extensions>=4.12"]')
    workspace = fake_workspace(tmp_path, {"packages/en-lower/pyproject.toml": manifest})

    found = third_parties(workspace, workspace.members["en-upper"].dependencies)

    assert found == ["anyio>=4", "typing-extensions>=4.12"]


def test_extra_counts_only_where_it_is_asked_for(tmp_path: Path) -> None:
    workspace = fake_workspace(tmp_path)

    assert third_parties(workspace, [Requirement.parse("en-lower>=1.2.0,<2")]) == []
    assert third_parties(workspace, [Requirement.parse("en-lower[fast]>=1.2.0,<2")]) == ["uvloop>=0.21"]


def test_requirements_stay_as_they_are_written(tmp_path: Path) -> None:
    text = 'anyio[trio] >=4.12, <5 ; sys_platform != "win32"'

    assert third_parties(fake_workspace(tmp_path), [Requirement.parse(text)]) == [text]


def test_distributions_that_need_each_other_end(tmp_path: Path) -> None:
    manifest = manifest_of("en-lower").replace("dependencies = []", 'dependencies = ["en-upper>=1.2.0,<2"]')
    workspace = fake_workspace(tmp_path, {"packages/en-lower/pyproject.toml": manifest})

    assert third_parties(workspace, [Requirement.parse("en-lower")]) == ["anyio>=4"]
