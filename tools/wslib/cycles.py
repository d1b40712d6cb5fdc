# SPDX-License-Identifier: Apache-2.0
"""Import cycles between modules, found on the syntax trees of all members.

Every import counts: at the top of a module, inside a function, and under ``TYPE_CHECKING``, because
a cycle that only a type checker follows still ties modules together that look independent.

``from package import name`` imports ``package.name`` where that is a module, and ``package``
itself otherwise. That Python executes the ``__init__`` of every package above an imported module
does not count, or no package could import its own modules.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from .boundaries import ModuleOwners, imports_of, module_name
from .errors import Fault
from .imports import Import
from .workspace import Workspace

__all__ = ("check_import_cycles",)


class _Edge(NamedTuple):
    """The import that makes one module need another."""

    file: str
    statement: Import

    @property
    def weight(self) -> int:
        """How much depends on the import: nothing at run time, one function, or the module."""
        return 0 if self.statement.type_checking else 1 if self.statement.deferred else 2


_Graph = dict[str, dict[str, _Edge]]
"""For each module, the modules that it imports."""


def check_import_cycles(workspace: Workspace) -> list[Fault]:
    """Returns the shortest cycle through each import that is part of one."""
    graph = _import_graph(workspace)
    cycles = {
        _rotated((importer, *path))
        for importer, imported in graph.items()
        for module in imported
        if (path := _shortest_path(graph, module, importer))
    }
    return [_fault(graph, cycle) for cycle in sorted(cycles, key=lambda cycle: (len(cycle), cycle))]


def _import_graph(workspace: Workspace) -> _Graph:
    owners = ModuleOwners(workspace)
    graph: _Graph = {}
    for member in workspace.members.values():
        for path in member.modules:
            edges = graph.setdefault(module_name(path, member.src), {})
            for statement in imports_of(member, path):
                edge = _Edge(workspace.relative(path), statement)
                for module, _ in owners.resolve(statement):
                    edges[module] = max(edges.get(module, edge), edge, key=lambda edge: edge.weight)
    return graph


def _shortest_path(graph: _Graph, start: str, end: str) -> tuple[str, ...] | None:
    """Returns the modules from ``start`` to before ``end``, or None if none lead there."""
    before: dict[str, str | None] = {start: None}
    queue = deque([start])
    while queue:
        module = queue.popleft()
        if module == end:
            return _walk_back(before, module)[:-1]
        for imported in sorted(graph.get(module, ())):
            if imported not in before:
                before[imported] = module
                queue.append(imported)
    return None


def _walk_back(before: dict[str, str | None], module: str) -> tuple[str, ...]:
    path = [module]
    while (previous := before[path[-1]]) is not None:
        path.append(previous)
    return tuple(reversed(path))


def _rotated(cycle: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the one form of a cycle, whichever module it was found from."""
    first = cycle.index(min(cycle))
    return cycle[first:] + cycle[:first]


def _fault(graph: _Graph, cycle: tuple[str, ...]) -> Fault:
    steps = list(zip(cycle, (*cycle[1:], cycle[0]), strict=True))
    lightest = min((graph[importer][imported] for importer, imported in steps), key=lambda edge: edge.weight)
    where = f"{lightest.file}:{lightest.statement.line}"
    return Fault(where, " -> ".join((*cycle, cycle[0])))
