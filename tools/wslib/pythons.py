# SPDX-License-Identifier: Apache-2.0
"""The Python interpreters of this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from .errors import WorkspaceError
from .processes import capture, own_python
from .uvtool import Uv

__all__ = ("FLOOR", "Interpreter", "choose", "current", "find_interpreters", "probe")

FLOOR = (3, 11)
NEWEST = "newest"

_PROBE = """
import sys, sysconfig
usable = sys.version_info.releaselevel == "final" and not sysconfig.get_config_var("Py_GIL_DISABLED")
print(*sys.version_info[:2], sys.implementation.name if usable else "unusable", sys.executable)
"""


class Interpreter(NamedTuple):
    """A released CPython that can run the project."""

    version: tuple[int, int]
    path: Path

    @property
    def name(self) -> str:
        return ".".join(map(str, self.version))


def current() -> Interpreter:
    """Returns the interpreter that runs the tool."""
    return Interpreter(sys.version_info[:2], own_python())


def probe(path: Path) -> Interpreter | None:
    """Asks a program what it is; None unless it is a released CPython of at least 3.11.

    Looking at the name is not enough: a pyenv shim may have no interpreter behind it.
    """
    words = capture([path, "-I", "-c", _PROBE], cwd=Path("/")).stdout.split(maxsplit=3)
    if len(words) != 4 or words[2] != "cpython":
        return None
    version = (int(words[0]), int(words[1]))
    return Interpreter(version, Path(words[3].strip()).resolve()) if version >= FLOOR else None


def find_interpreters(uv: Uv) -> list[Interpreter]:
    """Returns one interpreter for each version on this machine, oldest first; our own stands for
    its version.
    """
    found = {current().version: current()}
    for path in (*_pyenv_candidates(), *_path_candidates(os.environ.get("PATH", "")), *_uv_candidates(uv)):
        guess = re.search(r"3\.(\d+)", str(path))
        if guess and ((3, int(guess[1])) in found or (3, int(guess[1])) < FLOOR):
            continue  # spares starting an interpreter that could not change the answer
        if interpreter := probe(path):
            found.setdefault(interpreter.version, interpreter)
    return sorted(found.values())


def choose(wanted: str | None, interpreters: Iterable[Interpreter]) -> Interpreter:
    """Returns the interpreter for ``--python``: None is our own, ``newest`` the newest, else a
    version like 3.12.
    """
    if wanted is None:
        return current()
    by_name = {interpreter.name: interpreter for interpreter in interpreters}
    if wanted == NEWEST:
        return max(by_name.values())
    minor = ".".join(wanted.split(".")[:2])
    if minor not in by_name:
        raise WorkspaceError(
            f"There is no Python {wanted} on this machine.",
            f"install it (`uv python install {wanted}`, pyenv or the system's packages), or use one of: "
            f"{', '.join(by_name)}.",
        )
    return by_name[minor]


def _path_candidates(search_path: str) -> Iterator[Path]:
    for folder in search_path.split(os.pathsep):
        for path in sorted(Path(folder or ".").glob("python3.*")):
            if re.fullmatch(r"python3\.\d+", path.name):
                yield path


def _pyenv_candidates() -> Iterator[Path]:
    if shutil.which("pyenv"):
        root = capture(["pyenv", "root"], cwd=Path("/")).stdout.strip()
        yield from sorted(Path(root).glob("versions/3.*/bin/python3"), reverse=True)


def _uv_candidates(uv: Uv) -> Iterator[Path]:
    result = uv.capture("python", "list", "--only-installed", "--no-python-downloads", "--output-format", "json")
    if result.returncode == 0:
        yield from (Path(entry["path"]) for entry in json.loads(result.stdout) if entry.get("path"))
