# SPDX-License-Identifier: Apache-2.0
"""What a change can break: the packages that it touches, and whatever depends on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .errors import WorkspaceError
from .linters import test_folders
from .processes import capture
from .workspace import Member, Workspace

__all__ = ("Affected", "affected_by", "changed_paths")

INTEGRATION = "tests-integration"

# No package reads them, and the tests that do need several distributions.
_ONLY_INTEGRATION = ("docs/", f"{INTEGRATION}/", "README.md", "CONTRIBUTING.md")


class Affected(NamedTuple):
    """One thing to be tested."""

    name: str
    """A member, or the folder of tests that belong to none."""
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def changed_paths(workspace: Workspace, base: str) -> list[str]:
    """Returns what differs from where ``base`` and the current commit part, uncommitted and new
    files included.

    Raises:
        WorkspaceError: git does not know ``base``, or it has no common past with the current
            commit.
    """
    compare = ("diff", "--name-only", "--no-renames", "--relative", "-z")
    paths = {
        *_git(workspace, *compare, f"{base}...HEAD"),
        *_git(workspace, *compare, "HEAD"),
        *_git(workspace, "ls-files", "--others", "--exclude-standard", "-z"),
    }
    return sorted(paths)


def _git(workspace: Workspace, *words: str) -> Iterator[str]:
    result = capture(["git", *words], cwd=workspace.root)
    if result.returncode:
        raise WorkspaceError(
            f"git cannot tell what has changed: {result.stderr.strip()}",
            "name a branch or a commit that this clone has; a shallow clone needs `git fetch --unshallow` first.",
        )
    return (path for path in result.stdout.split("\0") if path)


def affected_by(workspace: Workspace, paths: Iterable[str]) -> list[Affected]:
    """Returns what a change of these paths asks to be tested, packages first.

    A path that belongs to no package and is not known to be harmless (the lock, the tools, CI's own
    files) affects everything.
    """
    reasons: dict[str, str] = {}
    integration = ""
    for path in paths:
        if member := _member_of(workspace, path):
            reasons.setdefault(member.name, f"{path} has changed")
        elif path.startswith(_ONLY_INTEGRATION):
            integration = integration or f"{path} has changed"
        else:
            return _everything(workspace, f"{path} has changed")
    _add_dependents(workspace, reasons)
    found = [Affected(name, reasons[name]) for name in workspace.members if name in reasons]
    if found:
        integration = integration or f"uses {found[0].name}"
    return [*found, Affected(INTEGRATION, integration)] if integration else found


def _member_of(workspace: Workspace, path: str) -> Member | None:
    members = workspace.members.values()
    return next((member for member in members if path.startswith(f"{workspace.relative(member.folder)}/")), None)


def _add_dependents(workspace: Workspace, reasons: dict[str, str]) -> None:
    """Adds who needs what is there already, until nobody is left who does; tests count as well."""
    dependents = _dependents(workspace)
    waiting = list(reasons)
    while waiting:
        name = waiting.pop(0)
        for dependent in dependents[name]:
            if dependent not in reasons:
                reasons[dependent] = f"depends on {name}"
                waiting.append(dependent)


def _dependents(workspace: Workspace) -> dict[str, list[str]]:
    dependents: dict[str, list[str]] = {name: [] for name in workspace.members}
    for member in workspace.members.values():
        for requirement in (*member.dependencies, *member.optional_dependencies, *member.test_dependencies):
            if requirement.name in dependents:
                dependents[requirement.name].append(member.name)
    return dependents


def _everything(workspace: Workspace, reason: str) -> list[Affected]:
    members = [member.tests for member in workspace.members.values()]
    folders = [workspace.relative(folder) for folder in test_folders(workspace) if folder not in members]
    return [Affected(name, reason) for name in (*workspace.members, *folders)]
