# SPDX-License-Identifier: Apache-2.0
"""The processes of a measurement: a server alone on one core, and the load generator on another."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from .courses import Contender, Load, Loop

__all__ = ("LoadGenerator", "Server", "build_load_generator", "connected", "raise_descriptor_limit", "running")

_HERE = Path(__file__).parent
_SPARE_DESCRIPTORS = 100
"""Of a server, beside its connections."""
_ACCEPTANCE = 60.0
"""Seconds that a server has to accept all connections."""
_REST = 0.1
"""Seconds without work, after which a server has come to rest."""
_REST_SHARE = 0.02
"""Of a core: what timers may use in a server that is at rest."""


class Server:
    """A server that runs in a process of its own.

    Args:
        pid: of the process, which has one thread.
        where: the port or the path at which it serves.
    """

    def __init__(self, pid: int, where: str) -> None:
        self.where = where
        self._proc = Path("/proc", str(pid))

    def cpu_nanoseconds(self) -> int:
        """Returns the time that the process has spent on a CPU (proc(5), schedstat)."""
        return int((self._proc / "schedstat").read_text().split()[0])

    def resident_kilobytes(self) -> int:
        """Returns the memory of the process. Unlike statm, smaps_rollup counts exactly."""
        lines = (self._proc / "smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Rss:"))

    def rest(self, connections: int) -> None:
        """Waits until the server has accepted that many connections and does nothing any more."""
        end = time.monotonic() + _ACCEPTANCE
        while time.monotonic() < end:
            before = self.cpu_nanoseconds()
            time.sleep(_REST)
            if self.cpu_nanoseconds() - before < _REST * _REST_SHARE * 1e9 and self._descriptors() >= connections:
                return
        sys.exit(f"bench: a server did not accept {connections} connections and come to rest in {_ACCEPTANCE:.0f} s.")

    def _descriptors(self) -> int:
        return sum(1 for _ in (self._proc / "fd").iterdir())


class LoadGenerator:
    """The load generator, with all its connections open."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._read("connected")

    def run(self, seconds: float) -> tuple[int, float]:
        """Sends and waits for the echoes: for that long, but at least one batch on each connection.

        Returns:
            How many messages there were, and the seconds that they took.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()
        messages, elapsed = self._read("a result").split()
        return int(messages), float(elapsed)

    def _read(self, expected: str) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"bench: the load generator ended before it printed {expected}; its own words are above.")
        return line


@contextmanager
def running(contender: Contender, load: Load, loop: Loop, core: int) -> Generator[Server]:
    """Starts a server and gives it as soon as it listens."""
    with tempfile.TemporaryDirectory() as folder:
        script, path = str(_HERE / contender.script), f"{folder}/echo"
        words = [script, load.transport, contender.name, loop, path, str(load.connections), str(load.messages)]
        command = [sys.executable, *words]
        with _on_core(core, command, contender.environment, silent=True) as process:
            assert process.stdout is not None
            where = process.stdout.readline().strip()
            if not where:
                advice = f"run it alone to see why:\n  {' '.join(command)}"
                sys.exit(f"bench: the server {contender.name!r} on {loop} did not start; {advice}")
            yield Server(process.pid, where)


@contextmanager
def connected(program: Path, load: Load, where: str, core: int) -> Generator[LoadGenerator]:
    """Starts the load generator and gives it as soon as all its connections are open."""
    words = [load.transport, where, *map(str, (load.connections, load.messages, load.size))]
    with _on_core(core, [str(program), *words]) as process:
        yield LoadGenerator(process)


@contextmanager
def _on_core(
    core: int, command: Sequence[str], environment: Mapping[str, str] | None = None, *, silent: bool = False
) -> Generator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if silent else None,  # asyncio reports the connections that are reset at the end
        text=True,
        env={**os.environ, **(environment or {})},
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def build_load_generator() -> Path:
    """Compiles the load generator if its source is newer, and returns the program."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        sys.exit(
            "bench: the load generator is written in C, and no C compiler (cc, gcc, clang) was found; install one."
        )
    source, program = _HERE / "load.c", _HERE / "build" / "load"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        program.parent.mkdir(exist_ok=True)
        subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-o", program, source], check=True)
    return program


def raise_descriptor_limit(connections: int) -> None:
    """Lets this process and those that it starts open as many files as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    needed = connections + _SPARE_DESCRIPTORS
    if hard != resource.RLIM_INFINITY and hard < needed:
        sys.exit(f"bench: {needed} open files are needed, and the system allows {hard}: raise `ulimit -Hn`.")
