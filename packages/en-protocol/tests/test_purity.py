# SPDX-License-Identifier: Apache-2.0
"""No I/O, no event loop, no threads; and the optional libraries only on demand."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import easynetwork.converter
import easynetwork.exceptions
import easynetwork.protocol
import easynetwork.serializers
import easynetwork.warnings

PACKAGES: list[ModuleType] = [
    easynetwork.converter,
    easynetwork.exceptions,
    easynetwork.protocol,
    easynetwork.serializers,
    easynetwork.warnings,
]
FORBIDDEN = {"asyncio", "trio", "anyio", "socket", "ssl", "threading", "selectors", "uvloop"}
OPTIONAL = {"cbor2", "msgpack"}


def module_names() -> Iterator[str]:
    for package in PACKAGES:
        yield package.__name__
        yield from (info.name for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."))


def imported_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module


def test_no_module_imports_what_is_forbidden() -> None:
    for package in PACKAGES:
        for path in Path(package.__path__[0]).rglob("*.py"):
            roots = {name.partition(".")[0] for name in imported_names(path)}

            assert not roots & (FORBIDDEN | OPTIONAL), path


def test_importing_everything_loads_nothing_forbidden() -> None:
    program = f"""
import sys
before = set(sys.modules)
for name in {sorted(module_names())!r}:
    __import__(name)
print(*sorted({{name.partition(".")[0] for name in set(sys.modules) - before}} & {FORBIDDEN | OPTIONAL!r}))
"""
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=20)

    assert loaded.stdout.split() == []


@pytest.mark.parametrize("name", sorted(module_names()))
def test_every_public_module_lists_what_it_offers(name: str) -> None:
    module = importlib.import_module(name)

    offered: tuple[str, ...] = module.__all__
    assert type(offered) is tuple
    assert all(hasattr(module, public) for public in offered)


def test_every_package_is_typed() -> None:
    for package in PACKAGES:
        assert (Path(package.__path__[0]) / "py.typed").exists()
