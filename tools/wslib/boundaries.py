# SPDX-License-Identifier: Apache-2.0
"""Who may import whom, checked on the syntax trees of all members.

Every import, also one inside a function, is of the standard library, of the distribution itself, or
of a distribution that it declares directly. The shared environment cannot see an undeclared import,
because everything is installed there; and the ready-made tools see one package, ``easynetwork``,
where we have eleven distributions.

A package narrows its own rights in its manifest::

    [tool.ws.boundaries]
    forbidden = ["asyncio", "socket"]                        # modules that no file of it imports
    only = { en-protocol = ["easynetwork.exceptions"] }      # the part of a sibling that it may use
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .errors import Fault
from .imports import Import, find_imports
from .workspace import Member, Workspace, canonical_name

__all__ = ("ModuleOwners", "check_boundaries", "imports_of", "module_name")

NAMESPACE = "easynetwork"


def check_boundaries(workspace: Workspace) -> list[Fault]:
    """Returns every import that crosses a boundary."""
    owners = ModuleOwners(workspace)
    return [fault for member in workspace.members.values() for fault in _Rules(workspace, member, owners).check()]


class ModuleOwners:
    """Which distribution ships which module."""

    def __init__(self, workspace: Workspace) -> None:
        self._owner_of = {
            module_name(path, member.src): member.name
            for member in workspace.members.values()
            for path in member.modules
        }

    def resolve(self, imported: Import) -> Iterator[tuple[str, str]]:
        """Yields module and owner: a `from` import can name modules of several distributions at
        once.
        """
        submodules = [f"{imported.module}.{name}" for name in imported.names]
        found = [name for name in submodules if name in self._owner_of]
        if len(found) < len(submodules) or not submodules:
            found.append(imported.module)
        for name in found:
            if owner := self._owner_of.get(name):
                yield name, owner


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(member: Member, path: Path) -> list[Import]:
    """Returns the imports of one of the member's modules."""
    package = module_name(path, member.src)
    if path.name != "__init__.py":
        package = package.rpartition(".")[0]
    return find_imports(path, package)


class _Rules:
    """What one member may import."""

    def __init__(self, workspace: Workspace, member: Member, owners: ModuleOwners) -> None:
        self._workspace = workspace
        self._member = member
        self._owners = owners
        narrowed: dict[str, Any] = member.data.get("tool", {}).get("ws", {}).get("boundaries", {})
        self._forbidden: list[str] = narrowed.get("forbidden", [])
        self._only: dict[str, list[str]] = narrowed.get("only", {})
        self._always = {member.name} | {requirement.name for requirement in member.dependencies}
        self._with_extra = self._always | {requirement.name for requirement in member.optional_dependencies}
        self._in_tests = self._with_extra | {requirement.name for requirement in member.test_dependencies}

    def check(self) -> Iterator[Fault]:
        for path in self._member.modules:
            for imported in imports_of(self._member, path):
                allowed = self._with_extra if imported.deferred else self._always
                yield from self._faults(path, imported, allowed, "its dependencies")
                yield from self._narrowed_faults(path, imported)
        for path in sorted(self._member.tests.rglob("*.py")):
            for imported in find_imports(path, package=""):
                yield from self._faults(path, imported, self._in_tests, "its dependencies or its dependency groups")

    def _faults(self, path: Path, imported: Import, allowed: set[str], where: str) -> Iterator[Fault]:
        if imported.type_checking:
            return
        for module, owner in self._owners_of(imported):
            if not owner:
                yield self._fault(path, imported, f"imports {module}, which no distribution of this workspace ships")
            elif owner not in allowed:
                late = " (an extra, so only inside a function or a `try`)" if owner in self._with_extra else ""
                yield self._fault(path, imported, f"imports {module} of {owner}, which is not among {where}{late}")

    def _narrowed_faults(self, path: Path, imported: Import) -> Iterator[Fault]:
        for name in self._forbidden:
            if _is_in(imported.module, name):
                yield self._fault(path, imported, f"imports {imported.module}, forbidden in {self._member.name}")
        for module, owner in self._owners.resolve(imported):
            permitted = self._only.get(owner)
            if permitted is not None and not any(_is_in(module, name) for name in permitted):
                only = ", ".join(permitted)
                yield self._fault(path, imported, f"imports {module}; of {owner} it may use {only} only")

    def _owners_of(self, imported: Import) -> Iterable[tuple[str, str]]:
        """Returns modules and their distributions; the name is empty if nobody ships the module."""
        top = imported.module.partition(".")[0]
        if not top or top in sys.stdlib_module_names or top == "__future__":
            return ()
        if top != NAMESPACE:
            # An import name that is not the distribution's name would be reported: none of our
            # dependencies has one.
            return ((imported.module, canonical_name(top)),)
        return tuple(self._owners.resolve(imported)) or ((imported.module, ""),)

    def _fault(self, path: Path, imported: Import, what: str) -> Fault:
        return Fault(f"{self._workspace.relative(path)}:{imported.line}", what)


def _is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")
