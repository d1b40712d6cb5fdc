# SPDX-License-Identifier: Apache-2.0
"""The results of a course: a sample of each contender in each round, and figures made of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from .courses import LOOPS, Bars, ByLoop, Course, Loop

__all__ = ("Figure", "Results", "Row", "Run", "Sample", "median_ratio", "rows")


class Sample(NamedTuple):
    """What one contender has measured in one round."""

    rate: float
    """Messages a second."""
    cpu: float
    """Microseconds of the server's CPU time, a message."""
    idle: float
    """Memory of a connection that has sent nothing yet, in kB (1,024 bytes)."""
    in_use: float
    """Memory of a connection after the load, in kB."""


@dataclass(frozen=True)
class Run:
    """All rounds of a course on one event loop."""

    seconds: float
    """Of the load, in each round."""
    python: str
    samples: Mapping[str, list[Sample]]
    """By the name of the contender, in the order of the rounds."""

    @property
    def conditions(self) -> str:
        rounds = max(map(len, self.samples.values()), default=0)
        return f"{rounds} {'round' if rounds == 1 else 'rounds'} of {self.seconds:g} s on Python {self.python}"


Results: TypeAlias = Mapping[Loop, Run]
"""Of one course."""


class Figure(NamedTuple):
    """A number, with the bar that it must not exceed."""

    value: float
    bar: float | None = None

    @property
    def holds(self) -> bool:
        return self.bar is None or self.value <= self.bar


class Row(NamedTuple):
    """The medians of a contender on one loop."""

    loop: Loop
    name: str
    ours: bool
    rate: float
    cpu: float
    ratio: Figure
    """CPU time of a message: that of the baseline on the same loop is 1."""
    idle: Figure | None
    """None if the connections are too few to tell."""
    in_use: Figure | None

    @property
    def holds(self) -> bool:
        return all(figure.holds for figure in (self.ratio, self.idle, self.in_use) if figure is not None)


def rows(course: Course, results: Results) -> Iterator[Row]:
    """Yields a row for each contender on each loop that was measured together with the baseline."""
    for loop in LOOPS:
        if loop not in results:
            continue
        samples = results[loop].samples
        baseline = samples.get(course.baseline.name)
        for contender in course.contenders(loop):
            own = samples.get(contender.name)
            if own and baseline:
                bars = course.ours.get(contender, Bars())
                yield Row(
                    loop,
                    contender.name,
                    contender in course.ours,
                    _median(own, lambda sample: sample.rate),
                    _median(own, lambda sample: sample.cpu),
                    Figure(median_ratio(own, baseline), bars.cpu.get(loop)),
                    _memory(course, loop, own, lambda sample: sample.idle, bars.idle),
                    _memory(course, loop, own, lambda sample: sample.in_use, bars.in_use),
                )


def median_ratio(own: list[Sample], baseline: list[Sample]) -> float:
    """Compares the CPU time within each round, because the speed of a shared machine drifts."""
    return statistics.median(mine.cpu / theirs.cpu for mine, theirs in zip(own, baseline, strict=True))


def _memory(
    course: Course, loop: Loop, samples: list[Sample], figure: Callable[[Sample], float], bars: ByLoop
) -> Figure | None:
    return Figure(_median(samples, figure), bars.get(loop)) if course.load.weighs else None


def _median(samples: list[Sample], figure: Callable[[Sample], float]) -> float:
    return statistics.median(map(figure, samples))
