# SPDX-License-Identifier: Apache-2.0
"""What pages show of a terminal, done again."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from pages import Page

_NUMBERED = re.compile(r"\bTask-\d+")


def write_programs(page: Page, folder: Path) -> None:
    """Saves the programs of a page as its reader does."""
    for name, source in page.programs().items():
        (folder / name).write_text(source)


def replayed(page: Page, folder: Path) -> Iterator[tuple[str, str]]:
    """Runs each command that the page shows after ``$``; what the page says it prints, and what it
    prints. The numbers of tasks are left out.
    """
    for session in page.sessions():
        command, shown = session.removeprefix("$ ").split("\n", 1)
        yield _NUMBERED.sub("Task-N", shown), _NUMBERED.sub("Task-N", run_command(command, folder))


def run_command(command: str, folder: Path) -> str:
    """What a command of a page prints, errors included.

    Its Python is ours, and warnings are errors.
    """
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    result = subprocess.run(
        ["sh", "-e", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONWARNINGS": "error"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=20,
    )
    return result.stdout
