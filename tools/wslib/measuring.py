# SPDX-License-Identifier: Apache-2.0
"""What one distribution costs, measured where nothing but it and what it needs is installed.

Time is that of importing, in a new interpreter, every public module that the wheel ships, except
what is for tests: the most that a program can import of it. The files are in the system's cache, as
for a program that starts for the second time.
"""

from __future__ import annotations

import re
import statistics
import zipfile
from pathlib import Path
from typing import NamedTuple

from .environments import Environment, empty_environment, install_wheels
from .errors import WorkspaceError
from .processes import Completed, Words, capture
from .pythons import Interpreter
from .uvtool import Uv
from .wheeltests import pytest_settings
from .workspace import Member, Workspace

__all__ = ("Measured", "Measurement", "public_modules")

_RUNS = 9
_ADVICE = "see what `./tools/ws test PACKAGE --wheel` says of it."

# No import before the clock starts, except the clock's.
_IMPORT = """
import sys, time
before, start = set(sys.modules), time.perf_counter()
for name in sys.argv[1:]:
    __import__(name)
print(time.perf_counter() - start, *(set(sys.modules) - before))
"""


class Measured(NamedTuple):
    """The figures of one distribution."""

    size: int
    """Of the wheel, in bytes."""
    seconds: float
    """To import it."""
    modules: frozenset[str]
    """What is loaded by then, that an empty interpreter has not loaded."""
    tests: int
    """How many of its own tests there are without its extras."""


class Measurement:
    """The measurement of one distribution.

    Args:
        workspace: where it comes from.
        interpreter: the Python of the environment.
        uv: makes the environment and fills it.
        constraints: direct references to the wheels of all members, which lie next to it.
    """

    def __init__(self, workspace: Workspace, interpreter: Interpreter, uv: Uv, constraints: Path) -> None:
        self._workspace = workspace
        self._interpreter = interpreter
        self._uv = uv
        self._constraints = constraints

    def measure(self, member: Member, brought: tuple[str, ...]) -> Measured:
        """Makes an environment for it and measures.

        Args:
            member: the distribution.
            brought: the members that come with it. If it ships nothing itself, they are what is
                imported.

        Raises:
            WorkspaceError: it cannot be installed, imported or tested.
        """
        folder = self._workspace.root / "build" / "figures" / member.name
        environment = empty_environment(self._uv, folder, self._interpreter)
        self._install(environment, member.name)
        modules = public_modules(self._wheel(member.name)) or [
            module for name in brought for module in public_modules(self._wheel(name))
        ]
        runs = [_import(environment, modules) for _ in range(_RUNS + 1)][1:]  # the first one writes the compiled files
        self._install(environment, member.name, "--group", f"{member.manifest}:test")
        return Measured(
            size=self._wheel(member.name).stat().st_size,
            seconds=statistics.median(seconds for seconds, _ in runs),
            modules=runs[-1][1],
            tests=self._count_tests(environment, member),
        )

    def _install(self, environment: Environment, *what: str) -> None:
        install_wheels(self._uv, environment, self._constraints, *what, advice=_ADVICE)

    def _wheel(self, name: str) -> Path:
        [wheel] = self._constraints.parent.glob(f"{name.replace('-', '_')}-*.whl")
        return wheel

    def _count_tests(self, environment: Environment, member: Member) -> int:
        settings = environment.folder / "pytest.ini"
        settings.write_text(pytest_settings(self._workspace, environment.folder / ".pytest_cache"))
        where: Words = ["-c", settings, "--rootdir", member.folder, member.tests]
        words: Words = [environment.python, "-P", "-m", "pytest", "--collect-only", "--quiet", *where]
        result = capture(words, cwd=environment.folder)
        count = re.search(r"^(\d+) tests? collected", _output(result), re.MULTILINE)
        return int(count[1]) if count else 0


def public_modules(wheel: Path) -> list[str]:
    """Returns the modules that a program may import, without those that are for its tests."""
    with zipfile.ZipFile(wheel) as archive:
        paths = [Path(name) for name in archive.namelist() if name.endswith(".py")]
    modules = [path.parent.parts if path.name == "__init__.py" else path.with_suffix("").parts for path in paths]
    return sorted(
        ".".join(parts) for parts in modules if "testing" not in parts and not any(part[0] == "_" for part in parts)
    )


def _import(environment: Environment, modules: list[str]) -> tuple[float, frozenset[str]]:
    result = capture([environment.python, "-I", "-c", _IMPORT, *modules], cwd=environment.folder)
    seconds, *loaded = _output(result).split()
    return float(seconds), frozenset(loaded)


def _output(result: Completed) -> str:
    if result.returncode:
        raise WorkspaceError(f"not all of it works:\n{(result.stdout + result.stderr).strip()}", _ADVICE)
    return result.stdout
