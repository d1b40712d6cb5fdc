# SPDX-License-Identifier: Apache-2.0
"""What the cases of the attack suite tell of themselves, in pytest's report of a run (JUnit's XML,
with properties).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from .errors import WorkspaceError

__all__ = ("Figure", "Outcome", "read_report", "shown")


class Figure(NamedTuple):
    """A number with its bar: as `tests-integration/attacks/figures.py` has it."""

    name: str
    value: float
    unit: str
    at_least: float | None
    at_most: float | None
    loop: str

    @property
    def holds(self) -> bool:
        return (
            (-math.inf if self.at_least is None else self.at_least)
            <= self.value
            <= (math.inf if self.at_most is None else self.at_most)
        )

    @property
    def bar(self) -> str:
        """In words; empty if there is none."""
        least, most = ("" if bound is None else shown(bound) for bound in (self.at_least, self.at_most))
        if not (least and most):
            return f"≤ {most}" if most else f"≥ {least}" if least else ""
        return f"= {most}" if least == most else f"{least} to {most}"


def shown(value: float) -> str:
    """Returns a number with as many digits as say something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{round(value, 3):.3g}"


class Outcome(NamedTuple):
    """How one test has ended."""

    row: int
    name: str
    loop: str
    """Empty if it runs on all event loops, or on none."""
    figures: Sequence[Figure]
    failed: bool
    failed_on: Sequence[str]
    """Event loops, of a test that runs on all."""

    def fails_on(self, loop: str) -> bool:
        """Tells whether it has failed there, be it by a figure or by something else."""
        if not self.failed or (self.loop and self.loop != loop):
            return False
        missed = {figure.loop for figure in self.figures if not figure.holds}
        known = {*missed, *self.failed_on}
        return loop in known or not known


def read_report(path: Path) -> list[Outcome]:
    """Returns the outcomes in the order of the run.

    Tests that are no cases of the table are passed over.

    Raises:
        WorkspaceError: there is no report, or it cannot be read.
    """
    try:
        tests = ElementTree.parse(path).iter("testcase")
        return [outcome for outcome in map(_outcome, tests) if outcome is not None]
    except (OSError, ElementTree.ParseError, ValueError, KeyError, TypeError) as exc:
        raise WorkspaceError(
            f"pytest has left no report that can be read: {exc}.",
            "read what it said above; it did not come to its end.",
        ) from exc


def _outcome(test: ElementTree.Element) -> Outcome | None:
    case: dict[str, Any] | None = None
    figures: list[Figure] = []
    failed_on: list[str] = []
    for told in test.iter("property"):
        name, value = told.get("name"), told.get("value", "")
        if name == "case":
            case = json.loads(value)
        elif name == "figure":
            figures.append(Figure(**json.loads(value)))
        elif name == "failed":
            failed_on.append(value)
    if case is None:
        return None
    failed = any(test.find(kind) is not None for kind in ("failure", "error", "skipped"))
    return Outcome(case["row"], case["name"], case["loop"], figures, failed, failed_on)
