# SPDX-License-Identifier: Apache-2.0
"""``ws test --attack``: the cases of ``docs/under-attack.md``, those that take long included, and
the table of their figures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from .affected import INTEGRATION
from .attack_report import Figure, Outcome, read_report, shown
from .environments import Environment
from .errors import WorkspaceError
from .page_table import PageTable, line
from .processes import ProgramFailed, Words, run
from .workspace import Workspace

__all__ = ("SOAK", "TABLE", "Plan", "run_attacks", "table")

TABLE = PageTable("docs/under-attack.md", "test --attack --write")

SOAK = 29
"""The row that goes on for as long as one likes."""

_MINUTES = 10.0
"""As long as the table asks for."""

_REPORT = "build/attacks.xml"

_LOOPS = ("asyncio", "uvloop", "trio")

_COLUMNS = ("row", "case", "figure", "bar", *_LOOPS)
_NUMBERS = ("row", "bar", *_LOOPS)

_NO_ERROR = "no error"
"""The figure of a case that has none, or that has failed by something else."""

_CAME_TO_ITS_END = (1, 5)  # pytest: tests have failed, or there were none

_ADVICE = "read the failures above; run one row again with `./tools/ws test --attack ROW -- -k NAME`."


class Plan(NamedTuple):
    """What is to be tried."""

    rows: tuple[int, ...] = ()
    """Of the table; none means all."""
    minutes: float = _MINUTES
    """How long the soak goes on."""
    write: bool = False
    """Whether the page gets the new figures."""
    pytest_options: tuple[str, ...] = ()

    @classmethod
    def of(cls, words: Sequence[str], minutes: float | None, write: bool, pytest_options: Sequence[str] = ()) -> Plan:
        """Reads the command line.

        Raises:
            WorkspaceError: a word is no row, or the options do not belong together.
        """
        if strange := [word for word in words if not word.isdecimal()]:
            raise WorkspaceError(
                f"{strange[0]!r} is no row of the table.",
                "name rows by their numbers, like `--attack 1 29`; packages are tested without --attack.",
            )
        rows = tuple(map(int, words))
        if minutes is not None and rows and SOAK not in rows:
            raise WorkspaceError(f"--minutes is for row {SOAK}.", f"add {SOAK} to the rows, or leave --minutes out.")
        if minutes is not None and not 0 < minutes < math.inf:
            raise WorkspaceError(f"--minutes cannot be {minutes:g}.", "give it some time: 10, or 0.2 for a quick try.")
        if write and (rows or pytest_options):
            raise WorkspaceError(
                "--write needs the figures of all cases.", "leave out rows and pytest's options, or --write."
            )
        return cls(rows, _MINUTES if minutes is None else minutes, write, tuple(pytest_options))

    @property
    def expression(self) -> str:
        """What pytest picks the cases by (its option ``-m``)."""
        return " or ".join(f"attack(row={row})" for row in self.rows) or "attack"


def run_attacks(workspace: Workspace, environment: Environment, plan: Plan) -> None:
    """Attacks, prints the table, and writes it into the page if that is wanted: what does not hold
    is in it as well.

    Raises:
        WorkspaceError: a bar does not hold, a case has failed, or there is none for a row; or
            pytest did not come to its end.
    """
    if plan.write:
        TABLE.read(workspace)  # now, and not after an hour of attacks
    _run_pytest(workspace, environment, plan)
    outcomes = read_report(workspace.root / _REPORT)
    print(f"\n{table(outcomes)}", flush=True)
    if plan.write:
        TABLE.write(workspace, table(outcomes), f"Measured on Linux with Python {environment.version}.")
    if missing := sorted(set(plan.rows) - {outcome.row for outcome in outcomes}):
        raise WorkspaceError(
            f"Nothing was tried of row {', '.join(map(str, missing))}.",
            "name rows of the tiers F and R; what is of tier U alone is among the tests of the packages.",
        )
    if failed := sorted({outcome.row for outcome in outcomes if outcome.failed}):
        raise WorkspaceError(f"Not everything holds: row {', '.join(map(str, failed))}.", _ADVICE)


def _run_pytest(workspace: Workspace, environment: Environment, plan: Plan) -> None:
    """Runs the cases. Those that fail are in the report, and no error here."""
    report = workspace.root / _REPORT
    report.unlink(missing_ok=True)
    program: Words = [environment.python, "-X", "dev", "-m", "pytest", INTEGRATION, "-m", plan.expression]
    try:
        run(
            [*program, f"--junitxml={report}", *plan.pytest_options],
            cwd=workspace.root,
            advice="read what pytest says above.",
            env={"ATTACK_MINUTES": str(plan.minutes)},
        )
    except ProgramFailed as exc:
        if exc.status not in _CAME_TO_ITS_END:
            raise


def table(outcomes: Iterable[Outcome]) -> str:
    """Returns the table in Markdown: a line for each figure, and one for what has failed by
    something else.
    """
    cases: dict[tuple[int, str], list[Outcome]] = {}
    for outcome in outcomes:
        cases.setdefault((outcome.row, outcome.name), []).append(outcome)
    lines = [line(_COLUMNS), line("---:" if name in _NUMBERS else "---" for name in _COLUMNS)]
    for row, name in sorted(cases, key=lambda case: case[0]):
        for number, measured in enumerate(_measured(cases[row, name])):
            lines.append(line((*(("", "") if number else (str(row), name)), *measured)))
    return "".join(lines)


def _measured(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, ...]]:
    """Yields the last columns of the lines of one case, on all event loops."""
    figures: dict[str, dict[str, Figure]] = {}
    for outcome in outcomes:
        for figure in outcome.figures:
            figures.setdefault(figure.name, {})[figure.loop] = figure
    for name, by_loop in figures.items():
        any_figure = next(iter(by_loop.values()))
        title = f"{name}, {any_figure.unit}" if any_figure.unit else name
        bars = [figure.bar for figure in by_loop.values()]
        bar = max(bars, key=bars.count)
        yield title, bar, *(_value(by_loop.get(loop), bar) for loop in _LOOPS)
    missed = {figure.loop for outcome in outcomes for figure in outcome.figures if not figure.holds}
    failed = {loop for loop in _LOOPS if any(outcome.fails_on(loop) for outcome in outcomes)}
    if failed - missed or not figures:
        yield _NO_ERROR, "", *("FAILED" if loop in failed - missed else "ok" for loop in _LOOPS)


def _value(figure: Figure | None, usual_bar: str) -> str:
    if figure is None:
        return "-"
    own_bar = "" if figure.bar == usual_bar else f" ({figure.bar})"
    return f"{shown(figure.value)}{own_bar}{'' if figure.holds else ' FAILED'}"
