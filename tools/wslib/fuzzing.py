# SPDX-License-Identifier: Apache-2.0
"""``ws fuzz``: the targets of ``tools/fuzz``, each for a bounded time in a process of its own.

What a run leaves is in ``build/fuzz``: the corpus, with which the next one goes on, the logs, and
the inputs that broke a rule.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from .errors import WorkspaceError
from .processes import Completed, Words, capture, run
from .workspace import Workspace

__all__ = ("GROUP", "Budget", "Fuzzer", "Outcome", "fuzz", "shares")

GROUP = "fuzz"
"""The dependency group of the root that has what the targets need."""

_ADVICE = "read the error above; the fuzzer runs on Linux (x86_64) with Python 3.11 to 3.13."
_STATISTIC = re.compile(r"^stat::(\w+):\s+(\d+)$", re.MULTILINE)
_REPRODUCER = re.compile(r"Test unit written to (.+)$", re.MULTILINE)


class Budget(NamedTuple):
    """When to stop; whatever comes first."""

    seconds: int | None
    executions: int | None


class Outcome(NamedTuple):
    """What came out of one target."""

    target: str
    executions: int
    seconds: float
    corpus: int
    """How many inputs reach something that the others do not."""
    mebibytes: int
    """The most memory that the process has had."""
    fault: str | None
    """None if no input broke a rule; else where the reproducer is, or the log."""

    def __str__(self) -> str:
        rate = self.executions / self.seconds
        figures = f"{self.executions:12,} {rate:9,.0f} {self.seconds:8.1f} {self.corpus:7} {self.mebibytes:5}"
        return f"{self.target:<17}{figures}  {'ok' if self.fault is None else f'CRASH {self.fault}'}"


_HEAD = f"{'target':<17}{'executions':>12} {'a second':>9} {'seconds':>8} {'corpus':>7} {'MiB':>5}"


class Fuzzer:
    """Runs targets.

    Args:
        workspace: where ``tools/fuzz`` is.
        python: an interpreter that has what the targets need.
    """

    def __init__(self, workspace: Workspace, python: Path) -> None:
        self._workspace = workspace
        self._program: Words = [python, "-m", "fuzz"]
        self._tools = workspace.root / "tools"
        self._folder = workspace.root / "build" / GROUP

    def choose(self, names: Sequence[str]) -> list[str]:
        """Returns the targets of these names, all if there is none.

        Raises:
            WorkspaceError: there is no target of that name.
        """
        result = self._capture("--list")
        if result.returncode:
            raise WorkspaceError(f"the targets cannot be read:\n{result.stderr.strip()}", _ADVICE)
        targets = result.stdout.split()
        if unknown := [name for name in names if name not in targets]:
            raise WorkspaceError(f"There is no target named {unknown[0]!r}.", f"use one of: {', '.join(targets)}.")
        return list(names) or targets

    def run(self, target: str, budget: Budget) -> Outcome:
        """Throws bytes at a target until the budget is used up, or one of them breaks a rule."""
        bounds = {"--seconds": budget.seconds, "--executions": budget.executions}
        words = [word for name, value in bounds.items() if value is not None for word in (name, str(value))]
        start = time.perf_counter()
        result = self._capture(target, "--folder", str(self._folder), *words)
        seconds = time.perf_counter() - start
        log = self._folder / "logs" / f"{target}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(result.stdout + result.stderr)
        corpus = self._folder / "corpus" / target
        statistics = {name: int(value) for name, value in _STATISTIC.findall(result.stderr)}
        return Outcome(
            target=target,
            executions=statistics.get("number_of_executed_units", 0),
            seconds=seconds,
            corpus=sum(1 for _ in corpus.iterdir()) if corpus.exists() else 0,
            mebibytes=statistics.get("peak_rss_mb", 0),
            fault=self._fault(result, log),
        )

    def reproduce(self, target: str, file: Path) -> None:
        """Reads one input again.

        Raises:
            WorkspaceError: it breaks a rule.
        """
        self.choose([target])
        advice = "repair it, and keep the input as a test of the package; hangs end with the place where they hang."
        run([*self._program, target, "--reproduce", file.resolve()], cwd=self._tools, advice=advice)

    def _capture(self, *words: str) -> Completed:
        return capture([*self._program, *words], cwd=self._tools)

    def _fault(self, result: Completed, log: Path) -> str | None:
        if not result.returncode:
            return None
        written = _REPRODUCER.findall(result.stderr)  # inputs that were merely slow come before the one that ended it
        return self._workspace.relative(Path(written[-1]) if written else log)


def shares(budget: Budget, targets: int, workers: int) -> Budget:
    """Returns what one target gets of a budget for all of them."""
    seconds, executions = budget
    return Budget(
        None if seconds is None else max(1, seconds * workers // targets),
        None if executions is None else max(1, executions // targets),
    )


def fuzz(fuzzer: Fuzzer, targets: Sequence[str], budget: Budget) -> None:
    """Shares the budget out among the targets, runs as many at a time as there are cores, and
    prints how they fared.

    Raises:
        WorkspaceError: a rule was broken. The other targets have run as well.
    """
    workers = min(os.cpu_count() or 1, len(targets))
    share = shares(budget, len(targets), workers)
    start = time.perf_counter()
    outcomes: list[Outcome] = []
    print(_HEAD, flush=True)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        for outcome in pool.map(partial(fuzzer.run, budget=share), targets):
            print(outcome, flush=True)
            outcomes.append(outcome)
    executions = sum(outcome.executions for outcome in outcomes)
    print(f"{executions:,} executions in {time.perf_counter() - start:.0f} seconds.")
    if faults := [f"  {outcome.target}: {outcome.fault}" for outcome in outcomes if outcome.fault is not None]:
        raise WorkspaceError(
            "\n".join(["not every rule held.", *faults]),
            "look at it with `./tools/ws fuzz TARGET --reproduce FILE`; a log is of a process that could not even start.",
        )
