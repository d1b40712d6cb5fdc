# SPDX-License-Identifier: Apache-2.0
"""The imports of a file, read from its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ("Import", "find_imports")


class Import(NamedTuple):
    """One import statement, with its module name made absolute."""

    module: str
    names: tuple[str, ...]
    """What a ``from`` import takes out of the module; empty for a plain import."""
    line: int
    deferred: bool
    """Inside a function or a ``try``: it may fail while the module itself is still usable."""
    type_checking: bool
    """Only a type checker executes it."""


def find_imports(path: Path, package: str) -> list[Import]:
    """Returns the imports of a file that belongs to ``package``.

    Relative ones are left out if that is empty.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return list(_visit(tree, package, deferred=False, type_checking=False))


def _visit(node: ast.AST, package: str, *, deferred: bool, type_checking: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Import():
                for alias in child.names:
                    yield Import(alias.name, (), child.lineno, deferred, type_checking)
            case ast.ImportFrom():
                if module := _absolute(child, package):
                    names = tuple(alias.name for alias in child.names)
                    yield Import(module, names, child.lineno, deferred, type_checking)
            case ast.If() if _asks_for_type_checking(child.test):
                for statement in child.body:
                    wrapped = ast.Module([statement], [])
                    yield from _visit(wrapped, package, deferred=deferred, type_checking=True)
                for statement in child.orelse:
                    wrapped = ast.Module([statement], [])
                    yield from _visit(wrapped, package, deferred=deferred, type_checking=type_checking)
            case _:
                late = deferred or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Try))
                yield from _visit(child, package, deferred=late, type_checking=type_checking)


def _asks_for_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _absolute(node: ast.ImportFrom, package: str) -> str | None:
    if not node.level:
        return node.module
    if not package:
        return None
    parts = package.split(".")
    base = parts[: len(parts) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])
