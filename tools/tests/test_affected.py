# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from wslib.affected import affected_by, changed_paths
from wslib.errors import WorkspaceError
from wslib.workspace import Workspace

from .fakes import LOWER, UPPER, fake_workspace, manifest_of

ROOT = Path(__file__).parents[2]


def names(workspace: Workspace, *paths: str) -> list[str]:
    return [affected.name for affected in affected_by(workspace, paths)]


# what a path affects


def test_package_affects_itself_and_who_depends_on_it(tmp_path: Path) -> None:
    workspace = fake_workspace(tmp_path)

    assert names(workspace, f"{LOWER}/frames.py") == ["en-lower", "en-upper", "tests-integration"]
    assert names(workspace, f"{UPPER}/__init__.py") == ["en-upper", "tests-integration"]


@pytest.mark.parametrize("where", ["uvloop>=0.21", "pytest>=8"])
def test_extra_or_a_group_is_a_dependency_too(tmp_path: Path, where: str) -> None:
    manifest = manifest_of("en-lower").replace(where, "en-upper>=1.2.0,<2")
    workspace = fake_workspace(
        tmp_path,
        {"packages/en-lower/pyproject.toml": manifest, "packages/en-upper/pyproject.toml": manifest_of("en-upper")},
    )

    assert "en-lower" in names(workspace, f"{UPPER}/__init__.py")


def test_dependents_of_dependents_are_affected(tmp_path: Path) -> None:
    top = manifest_of("en-upper").replace("en-upper", "en-top").replace("en-lower", "en-upper")
    workspace = fake_workspace(tmp_path, {"packages/en-top/pyproject.toml": top})

    assert names(workspace, f"{LOWER}/frames.py") == ["en-lower", "en-top", "en-upper", "tests-integration"]


def test_each_says_why(tmp_path: Path) -> None:
    found = affected_by(fake_workspace(tmp_path), [f"{LOWER}/frames.py"])

    assert list(map(str, found)) == [
        f"en-lower: {LOWER}/frames.py has changed",
        "en-upper: depends on en-lower",
        "tests-integration: uses en-lower",
    ]


@pytest.mark.parametrize("path", ["docs/index.md", "tests-integration/test_tcp.py", "README.md"])
def test_what_no_package_reads_affects_the_tests_of_the_whole_only(tmp_path: Path, path: str) -> None:
    assert names(fake_workspace(tmp_path), path) == ["tests-integration"]


@pytest.mark.parametrize(
    "path",
    ["pyproject.toml", "uv.lock", "tools/ws", ".github/workflows/ci.yml", ".ci/run", "packages/en-gone/src/x.py"],
)
def test_what_everything_rests_on_affects_everything(tmp_path: Path, path: str) -> None:
    workspace = fake_workspace(tmp_path, {"tests-integration/test_x.py": "", "tools/tests/test_x.py": ""})

    assert names(workspace, "docs/index.md", path) == ["en-lower", "en-upper", "tests-integration", "tools/tests"]


def test_nothing_affects_nothing(tmp_path: Path) -> None:
    assert affected_by(fake_workspace(tmp_path), []) == []


def test_descriptors_do_not_concern_tcp_servers() -> None:
    """On the manifests of the real workspace: en-ancillary is for those who pass control
    messages.
    """
    path = "packages/en-ancillary/src/easynetwork/ancillary/_queue.py"

    found = names(Workspace(ROOT), path)

    assert {"en-ancillary", "en-servers-unix", "en-clients", "easynetwork", "tests-integration"} <= set(found)
    assert not {"en-servers-tcp", "en-servers", "en-protocol", "en-backend"} & set(found)


# what has changed


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Workspace:
    """A fake workspace with one commit on ``main``, and a branch ``work`` that starts there."""
    workspace = fake_workspace(tmp_path)
    git(tmp_path, "init", "--initial-branch", "main")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--message", "first")
    git(tmp_path, "checkout", "-b", "work")
    return workspace


def test_clean_clone_has_no_changes(repository: Workspace) -> None:
    assert changed_paths(repository, "main") == []


def test_commits_edits_and_new_files_are_changes(repository: Workspace) -> None:
    (repository.root / LOWER / "frames.py").write_text("committed = True\n")
    git(repository.root, "commit", "--all", "--message", "second")
    (repository.root / UPPER / "__init__.py").write_text("edited = True\n")
    (repository.root / LOWER / "new file.py").touch()

    assert changed_paths(repository, "main") == [
        f"{LOWER}/frames.py",
        f"{LOWER}/new file.py",
        f"{UPPER}/__init__.py",
    ]


def test_file_that_was_moved_has_changed_in_both_places(repository: Workspace) -> None:
    git(repository.root, "mv", f"{LOWER}/frames.py", f"{UPPER}/frames.py")

    assert changed_paths(repository, "main") == [f"{LOWER}/frames.py", f"{UPPER}/frames.py"]


def test_what_the_base_did_meanwhile_is_no_change(repository: Workspace) -> None:
    git(repository.root, "checkout", "main")
    (repository.root / LOWER / "frames.py").write_text("on_main = True\n")
    git(repository.root, "commit", "--all", "--message", "meanwhile")
    git(repository.root, "checkout", "work")

    assert changed_paths(repository, "main") == []


def test_unknown_base_is_a_failure_with_advice(repository: Workspace) -> None:
    with pytest.raises(WorkspaceError, match=r"nowhere(.|\n)*a commit that this clone has"):
        changed_paths(repository, "nowhere")
