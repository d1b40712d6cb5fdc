# SPDX-License-Identifier: Apache-2.0
"""What an install of one distribution brings along, read from the lock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from .errors import WorkspaceError
from .workspace import Workspace, canonical_name, read_toml

__all__ = ("Closure", "closures")

# Markers of systems that the manifests' classifiers do not name. An evaluation of markers would
# need another package.
_NOT_POSIX = ("os_name == 'nt'", "platform_system == 'Windows'", "sys_platform == 'win32'")


class Closure(NamedTuple):
    """Sorted names, without the distribution itself."""

    ours: tuple[str, ...]
    others: tuple[str, ...]


def closures(workspace: Workspace) -> dict[str, Closure]:
    """Returns for each member what comes with it when no extra is asked for, on any supported
    Python.

    Raises:
        WorkspaceError: the lock does not know a member.
    """
    locked: dict[str, list[dict[str, Any]]] = {}
    for package in read_toml(workspace.lock).get("package", []):
        locked.setdefault(canonical_name(package["name"]), []).append(package)  # more than one, if Pythons differ
    if unknown := [name for name in workspace.members if name not in locked]:
        raise WorkspaceError(f"uv.lock does not know {', '.join(unknown)}.", "run `./tools/ws lock`.")
    return {name: _closure(workspace, locked, name) for name in workspace.members}


def _closure(workspace: Workspace, locked: dict[str, list[dict[str, Any]]], name: str) -> Closure:
    seen: set[tuple[str, str]] = set()
    waiting = [(name, "")]
    while waiting:
        entry = waiting.pop()
        if entry not in seen:
            seen.add(entry)
            waiting += _needed(locked.get(entry[0], ()), entry[1])
    names = sorted({found for found, _ in seen} - {name})
    return Closure(
        tuple(found for found in names if found in workspace.members),
        tuple(found for found in names if found not in workspace.members),
    )


def _needed(packages: Iterable[dict[str, Any]], extra: str) -> Iterator[tuple[str, str]]:
    """Returns what packages declare, for themselves or for an extra: names, each with no extra and
    with those that are asked for.
    """
    for package in packages:
        declared = package.get("optional-dependencies", {}).get(extra, []) if extra else package.get("dependencies", [])
        for dependency in declared:
            if not any(marker in dependency.get("marker", "") for marker in _NOT_POSIX):
                yield from (
                    (canonical_name(dependency["name"]), wanted) for wanted in ("", *dependency.get("extra", ()))
                )
