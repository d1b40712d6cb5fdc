# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from wslib.errors import WorkspaceError
from wslib.release_check import release_check
from wslib.workspace import Workspace

from .fakes import fake_workspace
from .repositories import CHANGELOG, FRAGMENT, LOWER_FOLDER, commit_all, fake_repository, git, releasable

LOWER = f"{LOWER_FOLDER}/pyproject.toml"
UPPER = "packages/en-upper/pyproject.toml"
TAG = "en-lower/1.2.0"


def ready(root: Path, files: Mapping[str, str] | None = None) -> Workspace:
    """Makes a workspace whose en-lower can be released as 1.2.0, but for what ``files`` say."""
    section = CHANGELOG.format(name="en-lower") + "\n## 1.2.0 (2026-01-31)\n"
    fake_repository(root, {f"{LOWER_FOLDER}/CHANGELOG.md": section, **(files or {})})
    (root / FRAGMENT).unlink()
    commit_all(root)
    return Workspace(root)


def with_version(version: str) -> dict[str, str]:
    """Returns the files of en-lower at another version."""
    changelog = CHANGELOG.format(name="en-lower") + f"\n## {version} (2026-01-31)\n"
    manifest = releasable("en-lower").replace('"1.2.0"', f'"{version}"')
    return {LOWER: manifest, f"{LOWER_FOLDER}/CHANGELOG.md": changelog}


def test_commit_that_is_ready_has_no_faults(tmp_path: Path) -> None:
    assert release_check(ready(tmp_path), TAG) == []


@pytest.mark.parametrize("annotated", [True, False])
def test_tag_on_this_commit_is_what_is_released(tmp_path: Path, annotated: bool) -> None:
    workspace = ready(tmp_path)
    git(tmp_path, "tag", *(["--annotate", "--message=1.2.0"] if annotated else []), TAG)

    assert release_check(workspace, TAG) == []


@pytest.mark.parametrize("tag", ["", "1.2.0", "en-lower-1.2.0", "en-nothing/1.2.0", "v1.2.0/en-lower"])
def test_tag_that_names_no_package_is_refused(tmp_path: Path, tag: str) -> None:
    [fault] = release_check(ready(tmp_path), tag)

    assert "PACKAGE/VERSION" in fault.what
    assert "use one of: en-lower, en-upper." in fault.what


def test_version_that_is_not_the_manifests_is_refused(tmp_path: Path) -> None:
    fault, *_ = release_check(ready(tmp_path), "en-lower/1.3.0")

    assert fault.where == LOWER
    assert fault.what.startswith("says 1.2.0 and the tag 1.3.0: ")


@pytest.mark.parametrize("version", ["1.2.0-beta", "1.2.0-rc1", "v1.2.0", "1.2.0.final"])
def test_version_that_pep_440_spells_otherwise_is_refused(tmp_path: Path, version: str) -> None:
    [fault] = release_check(ready(tmp_path, with_version(version)), f"en-lower/{version}")

    assert "1.2.0a1, 1.2.0b1, 1.2.0rc1" in fault.what


@pytest.mark.parametrize("version", ["1.2.0rc1", "1.2.0.post1"])
def test_version_before_or_after_a_release_can_be_released(tmp_path: Path, version: str) -> None:
    assert release_check(ready(tmp_path, with_version(version)), f"en-lower/{version}") == []


def test_commit_that_is_not_on_main_is_refused(tmp_path: Path) -> None:
    workspace = ready(tmp_path)
    git(tmp_path, "checkout", "--quiet", "-b", "topic")
    commit_all(tmp_path)

    [fault] = release_check(workspace, TAG)

    assert fault.where == "HEAD"
    assert "not a commit of main" in fault.what


def test_older_commit_of_main_can_be_released(tmp_path: Path) -> None:
    workspace = ready(tmp_path)
    commit_all(tmp_path)
    git(tmp_path, "checkout", "--quiet", "--detach", "HEAD~1")

    assert release_check(workspace, TAG) == []


def test_main_of_the_remote_counts_where_there_is_no_other(tmp_path: Path) -> None:
    ready(tmp_path / "origin")
    git(tmp_path, "clone", "--quiet", "origin", "clone")
    git(tmp_path / "clone", "checkout", "--quiet", "--detach")
    git(tmp_path / "clone", "branch", "--delete", "--force", "main")

    assert release_check(Workspace(tmp_path / "clone"), TAG) == []


def test_clone_that_does_not_know_main_is_told_to_fetch_it(tmp_path: Path) -> None:
    workspace = ready(tmp_path)
    git(tmp_path, "branch", "--move", "main", "trunk")

    [fault] = release_check(workspace, TAG)

    assert "git fetch origin main" in fault.what


def test_changes_that_are_not_committed_are_refused(tmp_path: Path) -> None:
    workspace = ready(tmp_path)
    for number in range(6):
        (tmp_path / f"new{number}").touch()

    [fault] = release_check(workspace, TAG)

    assert fault.what.endswith("commit or remove new0, new1, new2, new3, new4 and 1 more")


@pytest.mark.parametrize("heading", ["## 1.2.0.post1 (2026-01-31)", "## 11.2.0", "# 1.2.0", "text ## 1.2.0", ""])
def test_changelog_without_a_section_of_the_version_is_refused(tmp_path: Path, heading: str) -> None:
    [fault] = release_check(ready(tmp_path, {f"{LOWER_FOLDER}/CHANGELOG.md": f"{heading}\n"}), TAG)

    assert fault.where == f"{LOWER_FOLDER}/CHANGELOG.md"
    assert "towncrier build --version 1.2.0" in fault.what


def test_fragments_that_are_left_over_are_refused(tmp_path: Path) -> None:
    [fault] = release_check(ready(tmp_path, {f"{LOWER_FOLDER}/changelog.d/8.added.md": "It swims.\n"}), TAG)

    assert fault.where == f"{LOWER_FOLDER}/changelog.d"
    assert "8.added.md" in fault.what


def test_version_that_is_released_already_is_refused(tmp_path: Path) -> None:
    workspace = ready(tmp_path)
    git(tmp_path, "tag", TAG, "HEAD~1")

    [fault] = release_check(workspace, TAG)

    assert fault.where == TAG
    assert "stays what it is: bump" in fault.what


@pytest.mark.parametrize("last", ["1.2.1", "1.10.0", "1.2.0.post1", "1.2"])
def test_version_that_does_not_come_after_the_last_release_is_refused(tmp_path: Path, last: str) -> None:
    workspace = ready(tmp_path)
    git(tmp_path, "tag", f"en-lower/{last}")

    [fault] = release_check(workspace, TAG)

    assert f"does not come after en-lower/{last}" in fault.what


@pytest.mark.parametrize(
    "other", ["en-lower/1.1.9", "en-lower/1.2.0rc9", "en-lower/nightly", "en-lower-more/9.0.0", "9.0"]
)
def test_lower_releases_and_tags_of_others_are_no_fault(tmp_path: Path, other: str) -> None:
    workspace = ready(tmp_path)
    git(tmp_path, "tag", other)

    assert release_check(workspace, TAG) == []


def upper_faults(workspace: Workspace) -> list[str]:
    return [fault.what for fault in release_check(workspace, "en-upper/1.2.0") if fault.where == UPPER]


def test_sibling_is_released_first(tmp_path: Path) -> None:
    workspace = ready(tmp_path)

    [what] = upper_faults(workspace)
    assert what.startswith("needs what has no tag yet")
    assert what.endswith(": en-lower>=1.2.0,<2; release in this order: en-lower/1.2.0, en-upper/1.2.0")

    git(tmp_path, "tag", TAG)
    assert upper_faults(workspace) == []


def test_order_names_what_siblings_need_too_and_each_once(tmp_path: Path) -> None:
    lowest = releasable("en-lower").replace("en-lower", "en-lowest")
    lower = releasable("en-lower").replace("fast = []", 'fast = ["en-lowest>=1.2.0,<2"]')
    upper = releasable("en-upper").replace("fast = []", 'fast = ["en-lower[fast]>=1.2.0,<2", "en-lowest>=1.2.0,<2"]')
    workspace = ready(tmp_path, {"packages/en-lowest/pyproject.toml": lowest, LOWER: lower, UPPER: upper})

    [what] = upper_faults(workspace)

    assert what.endswith("release in this order: en-lowest/1.2.0, en-lower/1.2.0, en-upper/1.2.0")


def test_released_sibling_that_refuses_what_this_release_needs_is_released_again_first(tmp_path: Path) -> None:
    top = "packages/en-top/pyproject.toml"
    needs = 'dependencies = ["en-lower>=1.2.0,<2", "en-upper>=1.2.0,<2"]'
    manifest = releasable("en-lower").replace("en-lower", "en-top").replace("dependencies = []", needs, 1)
    workspace = ready(tmp_path, {top: manifest})
    git(tmp_path, "tag", TAG)
    git(tmp_path, "tag", "en-upper/1.2.0")
    assert top not in [fault.where for fault in release_check(workspace, "en-top/1.2.0")]

    (tmp_path / LOWER).write_text(with_version("2.0.0")[LOWER])
    for name, text in ((UPPER, releasable("en-upper")), (top, manifest)):
        (tmp_path / name).write_text(text.replace("en-lower>=1.2.0,<2", "en-lower>=2.0.0,<3"))
    commit_all(tmp_path)
    git(tmp_path, "tag", "en-lower/2.0.0")

    [what] = [fault.what for fault in release_check(Workspace(tmp_path), "en-top/1.2.0") if fault.where == top]
    assert what.startswith("asks for en-lower>=2.0.0 and for en-upper, whose release 1.2.0 wants >=1.2.0,<2: ")
    assert what.endswith("bump and release en-upper first")


def test_what_only_tests_need_is_not_released_first(tmp_path: Path) -> None:
    manifest = releasable("en-lower").replace("test = []", 'test = ["en-upper>=1.2.0,<2"]')

    assert release_check(ready(tmp_path, {LOWER: manifest}), TAG) == []


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    workspace = fake_repository(tmp_path)
    git(tmp_path, "checkout", "--quiet", "-b", "topic")
    commit_all(tmp_path)
    (tmp_path / "new").touch()

    faults = release_check(workspace, "en-upper/1.3-beta")

    changelog, fragments = "packages/en-upper/CHANGELOG.md", "packages/en-upper/changelog.d"
    assert [fault.where for fault in faults] == [
        *("HEAD", "HEAD", UPPER, "en-upper/1.3-beta", changelog, fragments, UPPER),
    ]


def test_folder_that_is_no_repository_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"not a git repository(.|\n)*What to do: run this in a clone"):
        release_check(fake_workspace(tmp_path), TAG)
