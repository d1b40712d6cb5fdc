# SPDX-License-Identifier: Apache-2.0
"""A server in a process of its own, seen from outside by the system's own figures."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import IO, Any

SLACK = 5.0
"""What a machine that is busy with other things gets on the promised times."""

MEGABYTE = 1_000_000


class AttackedProcess:
    """One that prints where it serves when it is up, and serves until its input ends."""

    def __init__(self, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        self._process = process
        self._log = log
        assert process.stdout is not None
        self.where = process.stdout.readline().decode().rstrip("\n")

    def memory(self) -> int:
        """Resident bytes."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def cpu_seconds(self) -> float:
        return int(Path(f"/proc/{self._process.pid}/schedstat").read_text().split()[0]) / 1e9

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self._process.pid}/fd"))

    def log(self) -> list[str]:
        self._log.seek(0)
        return self._log.read().decode().splitlines()


@contextlib.contextmanager
def starting(script: str, loop: str) -> Generator[Callable[..., AttackedProcess]]:
    """Gives a function that starts the server ``script`` with options; at the end all must stop in order, in time."""
    with contextlib.ExitStack() as stack:

        def start(**options: Any) -> AttackedProcess:
            log = stack.enter_context(tempfile.TemporaryFile())
            command: list[str | Path] = [sys.executable, Path(__file__).with_name(script), loop, json.dumps(options)]
            process = stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
            )
            stack.callback(_stop, process)
            return AttackedProcess(process, log)

        yield start


def _stop(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        assert process.wait(10) == 0, "the server did not end in order"
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def wait_until(condition: Callable[[], bool], seconds: float) -> float:
    """Polls the other process, which has no way to tell; returns how long it took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "it did not happen in time"
        select.select([], [], [], 0.01)
    return time.monotonic() - start
