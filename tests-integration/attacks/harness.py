# SPDX-License-Identifier: Apache-2.0
"""The harness of a case: an event loop, servers on it that are attacked, and the table that its
figures go to.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from attacks.attacked_process import AttackedProcess, lines_of
from attacks.figures import Figures

__all__ = ("Harness", "at_once")

_FOLDER = Path(__file__).resolve().parents[1]

_LINES_SHOWN = 40


@dataclass
class Harness:
    """One event loop's part of a case."""

    loop: str
    figures: Figures
    folder: Path
    """For socket files: its path is short."""
    certificate: Path
    """Of the servers, with its key."""
    authority: Path
    """What clients trust."""
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, init=False)
    _started: int = field(default=0, init=False)

    @contextmanager
    def open(self) -> Generator[Harness]:
        """Lets servers run until the end of the block; then they must stop in order, in time."""
        with self._stack:
            yield self

    def start(self, *kinds: str, **options: Any) -> AttackedProcess:
        """Starts a process that serves; ``program`` says what kinds and options there are."""
        return self.start_program("attacks.program", **self._options(kinds or ("tcp",), options))

    def start_program(self, module: str, **options: Any) -> AttackedProcess:
        """Starts one of the programs that serve."""
        log = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the others
        self._stack.enter_context(log)
        process = self._stack.enter_context(self.run_program(module, stderr=log, **options))
        self._stack.callback(_show, log)
        self._stack.callback(_stop, process)
        return AttackedProcess(process, log, ssl.create_default_context(cafile=self.authority))

    def try_to_start(self, kind: str, **options: Any) -> subprocess.Popen[bytes]:
        """Starts a process that will not serve."""
        return self.run_program("attacks.program", stderr=subprocess.PIPE, **self._options((kind,), options))

    def run_program(self, module: str, *, stderr: int | IO[bytes], **options: Any) -> subprocess.Popen[bytes]:
        """Starts ``python -m MODULE LOOP OPTIONS``."""
        # Not in development mode, as this process is: its figures are not those of users.
        words = [sys.executable, "-m", module, self.loop, json.dumps(options)]
        return subprocess.Popen(words, cwd=_FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr)

    def _options(self, kinds: tuple[str, ...], options: dict[str, Any]) -> dict[str, Any]:
        self._started += 1
        path = str(self.folder / f"{self.loop}-{self._started}")
        return {"kinds": kinds, "certificate": str(self.certificate), "path": path, **options}

    def figure(self, name: str, value: float, unit: str = "", **bars: float) -> None:
        """Tells a figure with its bar: ``at_most``, ``at_least``, or ``exactly``."""
        self.figures.add(name, value, unit, loop=self.loop, **bars)


def at_once(case: Callable[..., None]) -> Callable[..., None]:
    """Has a test run on all event loops at the same time, in place of one after the other: most
    cases mostly wait, or start processes.
    """

    @functools.wraps(case)
    def run(harnesses: list[Harness], **fixtures: Any) -> None:
        with contextlib.ExitStack() as stack, ThreadPoolExecutor() as threads:
            opened = [stack.enter_context(harness.open()) for harness in harnesses]
            for attacked in [threads.submit(_attack, case, harness, fixtures) for harness in opened]:
                attacked.result()

    # What pytest looks at, to know the fixtures.
    signature = inspect.signature(case)
    others = [parameter for name, parameter in signature.parameters.items() if name != "harness"]
    harnesses = inspect.Parameter("harnesses", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    vars(run)["__signature__"] = signature.replace(parameters=[harnesses, *others])
    return run


def _attack(case: Callable[..., None], harness: Harness, fixtures: dict[str, Any]) -> None:
    try:
        case(harness, **fixtures)
    except BaseException:
        harness.figures.failed(harness.loop)
        raise


def _show(log: IO[bytes]) -> None:
    """For the report of a case that fails."""
    print(*lines_of(log)[-_LINES_SHOWN:], sep="\n")


def _stop(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        assert process.wait(10) == 0, "the server did not end in order"
    except subprocess.TimeoutExpired:
        process.kill()
        raise
