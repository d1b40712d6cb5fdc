# SPDX-License-Identifier: Apache-2.0
"""The programs of ``docs/examples``, started and ended as a person does it in a terminal."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pages import DOCS, Page

EXAMPLES = DOCS / "examples"


def commands(page: str) -> list[list[str]]:
    """The words of each command that a page tells its reader to type."""
    lines = [line for block in Page(page).shell() for line in block.splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def replaced(words: Iterable[str], **new: str) -> list[str]:
    """A command with other values of options: ``replaced(words, port="0")``."""
    result = list(words)
    for option, value in new.items():
        result[result.index(f"--{option.replace('_', '-')}") + 1] = value
    return result


@contextmanager
def started(words: Iterable[str], folder: Path) -> Generator[subprocess.Popen[str]]:
    """Runs ``python program.py ...`` in a folder while the block does, with pipes for all that it
    reads and says.
    """
    python, *rest = words
    assert python == "python"
    # A shell that runs the tests in the background has them ignore Ctrl-C, which programs inherit,
    # unless it is handled here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    pipe = subprocess.PIPE
    command = [sys.executable, "-W", "error", *rest]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, bufsize=1, cwd=folder) as process:
        try:
            yield process
        finally:
            process.kill()


def type_line(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")


def lines_until(stream: IO[str] | None, end: str) -> list[str]:
    """Reads until a line that contains ``end``, which is the last one given."""
    assert stream is not None
    lines: list[str] = []
    for line in stream:
        lines.append(line.rstrip("\n"))
        if end in line:
            return lines
    raise AssertionError(f"{end!r} was not said, but {lines}")


def port_of(server: subprocess.Popen[str]) -> int:
    """The port in the log of a server that is about to serve."""
    line = lines_until(server.stderr, "Start serving at ")[-1]
    return int(line.rpartition(", ")[2].rstrip(")"))


def end(process: subprocess.Popen[str], number: int | None = None) -> tuple[int, list[str]]:
    """Waits for the end of a process, after sending it a signal if one is given.

    Returns its status, and what it said on its error stream.
    """
    if number is not None:
        process.send_signal(number)
    _, said = process.communicate(timeout=10)
    assert "Traceback" not in said, said
    return process.returncode, said.splitlines()
