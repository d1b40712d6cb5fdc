# SPDX-License-Identifier: Apache-2.0
"""Running other programs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from .errors import WorkspaceError

__all__ = ("Completed", "ProgramFailed", "Words", "capture", "own_python", "run")

Words: TypeAlias = Sequence[str | Path]
Completed: TypeAlias = "subprocess.CompletedProcess[str]"


class ProgramFailed(WorkspaceError):
    """A program has ended with another status than 0."""

    def __init__(self, what: str, advice: str, status: int) -> None:
        super().__init__(what, advice)
        self.status = status


def run(words: Words, *, cwd: Path, advice: str, env: Mapping[str, str] | None = None) -> None:
    """Runs a program whose output the user sees as it comes.

    Raises:
        ProgramFailed: its exit status is not 0.
        WorkspaceError: it could not be started.
    """
    sys.stdout.flush()  # ours comes first, also when the output is a file
    try:
        status = subprocess.run(words, cwd=cwd, env=_environment(env), check=False).returncode
    except OSError as exc:
        raise WorkspaceError(f"{words[0]} could not be started: {exc}.", advice) from exc
    if status:
        raise ProgramFailed(f"`{_shown(words, cwd)}` ended with status {status}.", advice, status)


def capture(words: Words, *, cwd: Path, env: Mapping[str, str] | None = None) -> Completed:
    """Runs a program and returns its output, whatever its exit status; 127 if it could not be
    started.
    """
    try:
        return subprocess.run(words, cwd=cwd, env=_environment(env), check=False, capture_output=True, text=True)
    except OSError as exc:
        return subprocess.CompletedProcess(words, 127, "", str(exc))


def own_python() -> Path:
    """Returns the interpreter that runs the tool; inside a virtual environment, the one it was made
    from.
    """
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    environment = {**os.environ, **(extra or {})}
    # Of the environment that the user has activated, if any: it would draw uv and pyright away from
    # ours.
    for name in ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH"):
        environment.pop(name, None)
    return environment


def _shown(words: Words, cwd: Path) -> str:
    line = shlex.join(str(word) for word in words[:8]).replace(f"{cwd}{os.sep}", "")
    return line if len(words) <= 8 else f"{line} ..."
