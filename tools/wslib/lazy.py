# SPDX-License-Identifier: Apache-2.0
"""Names that a package offers for others: they are strings, which no type checker and no import of
the package itself looks at.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from .boundaries import module_name
from .errors import Fault
from .workspace import Member, Workspace

__all__ = ("check_lazy_names",)

_TABLE = "_TRANSPORTS"
"""A dictionary ``{name: (submodule, distribution)}`` in the ``__init__.py`` of a package."""


def check_lazy_names(workspace: Workspace) -> list[Fault]:
    """Each name in a table is in ``__all__`` of the module that it names, and that is shipped by
    the distribution that it names.
    """
    return [
        fault
        for member in workspace.members.values()
        for path in member.modules
        if path.name == "__init__.py"
        for fault in _faults(workspace, member, path)
    ]


def _faults(workspace: Workspace, member: Member, path: Path) -> Iterator[Fault]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = module_name(path, member.src)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _is_named(node.targets, _TABLE):
            table: dict[str, tuple[str, str]] = ast.literal_eval(node.value)
            where = f"{workspace.relative(path)}:{node.lineno}"
            for name, (submodule, distribution) in table.items():
                if what := _what_is_wrong(workspace, f"{package}.{submodule}", name, distribution):
                    yield Fault(where, f"offers {name}, but {what}")


def _what_is_wrong(workspace: Workspace, module: str, name: str, distribution: str) -> str | None:
    owner = workspace.members.get(distribution)
    if owner is None:
        return f"there is no distribution {distribution}"
    path = owner.src.joinpath(*module.split("."), "__init__.py")
    if not path.exists():
        return f"{distribution} ships no {module}"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and _is_named(node.targets, "__all__"):
            return None if name in ast.literal_eval(node.value) else f"{module} has no such name in its __all__"
    return f"{module} has no __all__"


def _is_named(targets: list[ast.expr], name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)
