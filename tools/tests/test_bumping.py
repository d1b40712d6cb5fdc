# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from wslib.boundaries import check_boundaries
from wslib.bumping import bump, replace_files
from wslib.environments import Environment
from wslib.errors import WorkspaceError
from wslib.lockfile import check_lock, lock
from wslib.manifests import check_layout, check_licenses, check_manifests, check_versions
from wslib.uvtool import Uv, find_uv
from wslib.workspace import Workspace

from .repositories import FRAGMENT, LOWER_FOLDER, commit_all, fake_repository, git, releasable

ROOT = Path(__file__).parents[2]
TOOLS = Environment(Path(sys.prefix))  # where towncrier is: the environment that runs these tests


@cache
def uv() -> Uv:
    return find_uv(ROOT)


def bump_lower(workspace: Workspace, part: str = "minor") -> list[str]:
    return bump(workspace, uv(), TOOLS, "en-lower", part)


def locked_repository(root: Path, files: Mapping[str, str] | None = None) -> Workspace:
    workspace = fake_repository(root, files)
    lock(workspace, uv())
    commit_all(root)
    return workspace


def changed(root: Path) -> set[str]:
    return {line[3:] for line in git(root, "status", "--porcelain", "--untracked-files=all").splitlines()}


def test_bump_changes_manifests_lock_and_changelog_and_nothing_else(tmp_path: Path) -> None:
    lines = bump_lower(locked_repository(tmp_path))

    assert changed(tmp_path) == {
        f"{LOWER_FOLDER}/pyproject.toml",
        f"{LOWER_FOLDER}/CHANGELOG.md",
        FRAGMENT,
        "packages/en-upper/pyproject.toml",
        "uv.lock",
    }
    assert git(tmp_path, "diff", "--cached", "--name-only") == ""
    workspace = Workspace(tmp_path)
    assert workspace.members["en-lower"].version == "1.3.0"
    assert workspace.members["en-upper"].version == "1.2.0"
    assert check_versions(workspace) == []
    assert 'name = "en-lower"\nversion = "1.3.0"' in workspace.lock.read_text()
    changelog = (tmp_path / LOWER_FOLDER / "CHANGELOG.md").read_text()
    assert "## 1.3.0 (" in changelog
    assert "- It floats." in changelog
    assert lines[0] == "en-lower: 1.2.0 -> 1.3.0"
    assert "en-upper: asks for en-lower>=1.3.0,<2" in lines
    assert "released versions accept 1.3.0: en-upper." in lines[-2]
    assert lines[-1].endswith("then tag it en-lower/1.3.0.")


def test_major_bump_raises_the_caps_and_says_who_needs_a_release(tmp_path: Path) -> None:
    lines = bump_lower(locked_repository(tmp_path), "major")

    assert "en-upper: asks for en-lower>=2.0.0,<3" in lines
    assert lines[-2] == "Needs a release as well, because its released versions refuse en-lower 2.0.0: en-upper."
    assert check_versions(Workspace(tmp_path)) == []


def test_bump_of_what_nobody_requires_names_no_sibling(tmp_path: Path) -> None:
    workspace = locked_repository(tmp_path)
    lines = bump(workspace, uv(), TOOLS, "en-upper", "patch")

    assert lines[0] == "en-upper: 1.2.0 -> 1.2.1"
    assert not any("en-lower" in line for line in lines)


@pytest.mark.parametrize("keeper", [".gitignore", "none"])
def test_folder_of_fragments_outlives_its_last_fragment(tmp_path: Path, keeper: str) -> None:
    workspace = locked_repository(tmp_path)
    if keeper == "none":
        (tmp_path / LOWER_FOLDER / "changelog.d/.gitignore").unlink()
        commit_all(tmp_path)

    bump_lower(workspace)
    commit_all(tmp_path)

    assert git(tmp_path, "ls-files", f"{LOWER_FOLDER}/changelog.d") == f"{LOWER_FOLDER}/changelog.d/.gitignore\n"


@pytest.mark.parametrize(
    ("files", "part", "what"),
    [
        ({}, "micro", "'micro' is no part of a version(.|\n)*major, minor, patch"),
        (
            {f"{LOWER_FOLDER}/pyproject.toml": releasable("en-lower").replace("1.2.0", "1.2.0rc1")},
            "minor",
            "three numbers only(.|\n)*by hand",
        ),
        (
            {f"{LOWER_FOLDER}/changelog.d/7.improved.md": "It swims.\n"},
            "minor",
            r"does not take 7\.improved\.md for a fragment",
        ),
        (
            {f"{LOWER_FOLDER}/pyproject.toml": releasable("en-lower") + 'template = "missing.md"\n'},
            "minor",
            "towncrier could not write the changelog of en-lower(.|\n)*missing.md",
        ),
        (
            {f"{LOWER_FOLDER}/pyproject.toml": releasable("en-lower").replace('"1.2.0"', '"""1.2.0"""')},
            "minor",
            "written in a way that ws cannot edit",
        ),
        ({"uv.lock": "version = 99\n"}, "minor", "uv could not resolve"),
    ],
)
def test_bump_that_fails_at_any_step_leaves_everything_as_it_was(
    tmp_path: Path, files: dict[str, str], part: str, what: str
) -> None:
    workspace = fake_repository(tmp_path, files)

    with pytest.raises(WorkspaceError, match=what):
        bump_lower(workspace, part)

    assert changed(tmp_path) == set()


def test_bounds_that_are_not_in_order_elsewhere_stop_the_bump(tmp_path: Path) -> None:
    lower = releasable("en-lower").replace("dependencies = []", 'dependencies = ["en-upper>=1,<2"]')
    workspace = fake_repository(tmp_path, {f"{LOWER_FOLDER}/pyproject.toml": lower})

    with pytest.raises(WorkspaceError, match=r"asks for en-upper>=1,<2; (.|\n)* repair the bounds"):
        bump_lower(workspace)

    assert changed(tmp_path) == set()


def test_lock_that_is_not_current_stops_the_bump_which_would_hide_what_else_changes(tmp_path: Path) -> None:
    workspace = fake_repository(tmp_path)

    with pytest.raises(WorkspaceError, match=r"more than the version(.|\n)*ws lock"):
        bump_lower(workspace)

    assert changed(tmp_path) == set()


def test_package_without_fragments_is_not_bumped(tmp_path: Path) -> None:
    workspace = fake_repository(tmp_path)
    (tmp_path / FRAGMENT).unlink()
    commit_all(tmp_path)

    with pytest.raises(WorkspaceError, match=r"en-lower has no fragment(.|\n)*\+requirements\.changed\.md"):
        bump_lower(workspace)


@pytest.mark.parametrize(
    "name", ["packages/en-upper/pyproject.toml", "uv.lock", f"{LOWER_FOLDER}/changelog.d/8.added.md"]
)
def test_files_with_changes_are_not_bumped(tmp_path: Path, name: str) -> None:
    workspace = fake_repository(tmp_path)
    with (tmp_path / name).open("a") as file:
        file.write("# changed\n")

    with pytest.raises(WorkspaceError, match=f"not committed: {name}\\."):
        bump_lower(workspace)


def test_changes_in_other_files_do_not_stop_a_bump(tmp_path: Path) -> None:
    workspace = locked_repository(tmp_path)
    (tmp_path / "packages/en-upper/changelog.d/8.added.md").write_text("Another one.\n")

    assert bump_lower(workspace)


def test_files_are_replaced_all_or_none(tmp_path: Path) -> None:
    first, gone, new = (tmp_path / name for name in ("first", "gone", "new"))
    first.write_text("before")
    gone.write_text("before")

    with pytest.raises(WorkspaceError, match=r"could not be written(.|\n)* as they were"):
        replace_files({first: "after", gone: None, new: "after", tmp_path / "no-folder" / "file": "after"})
    assert first.read_text() == gone.read_text() == "before"
    assert not new.exists()

    replace_files({first: "after", gone: None, new: "after"})
    assert first.read_text() == new.read_text() == "after"
    assert not gone.exists()


@pytest.mark.timeout(120)  # it asks the index three times
def test_this_workspace_is_in_order_after_a_bump(tmp_path: Path) -> None:
    root = tmp_path / "workspace"
    passing = shutil.ignore_patterns(
        ".git", ".venv*", ".uv", "build", ".*_cache", ".cache", ".hypothesis", "__pycache__"
    )
    shutil.copytree(ROOT, root, ignore=passing)
    (root / "packages/en-protocol/changelog.d/+probe.fixed.md").write_text("It is bumped.\n")
    lock(Workspace(root), uv())  # whoever works on a manifest now may not have done it yet
    git(root, "init", "--quiet", "--initial-branch=main")
    commit_all(root)

    bump(Workspace(root), uv(), TOOLS, "en-protocol", "minor")

    workspace = Workspace(root)
    for check in (check_manifests, check_versions, check_licenses, check_layout, check_boundaries):
        assert check(workspace) == []
    assert check_lock(workspace, uv()) == []
