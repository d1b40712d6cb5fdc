# SPDX-License-Identifier: Apache-2.0
"""The results of a course: a sample of each contender in each round, and the figures that they come to."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from .courses import LOOPS, Bars, ByLoop, Course, Loop

__all__ = ("Figure", "Row", "Sample", "Samples", "rows")


class Sample(NamedTuple):
    """What one run has measured."""

    rate: float
    """Messages a second."""
    cpu: float
    """Microseconds of the server's CPU time, a message."""
    idle: float
    """Memory of a connection that has sent nothing yet, in kB (1,024 bytes)."""
    in_use: float
    """Memory of a connection after the load, in kB."""


Samples: TypeAlias = Mapping[Loop, Mapping[str, list[Sample]]]
"""By loop and by the name of the contender, in the order of the rounds."""


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
    rate: float
    cpu: float
    ratio: Figure
    """CPU time of a message, of that of the baseline on the same loop."""
    idle: Figure | None
    """None if the connections are too few to tell."""
    in_use: Figure | None
    ours: bool

    @property
    def holds(self) -> bool:
        return all(figure.holds for figure in (self.ratio, self.idle, self.in_use) if figure is not None)


def rows(course: Course, samples: Samples) -> Iterator[Row]:
    """Yields a row for each contender on each loop that has samples."""
    for loop in LOOPS:
        measured = samples.get(loop, {})
        baseline = measured.get(course.baseline.name, [])
        for contender in course.contenders(loop):
            if own := measured.get(contender.name):
                bars = course.ours.get(contender, Bars())
                yield Row(
                    loop,
                    contender.name,
                    _median(own, lambda sample: sample.rate),
                    _median(own, lambda sample: sample.cpu),
                    Figure(median_ratio(own, baseline), bars.cpu.get(loop)),
                    _memory(course, loop, own, lambda sample: sample.idle, bars.idle),
                    _memory(course, loop, own, lambda sample: sample.in_use, bars.in_use),
                    contender in course.ours,
                )


def median_ratio(own: list[Sample], baseline: list[Sample]) -> float:
    """Compares the CPU time within each round, because machines are shared and their speed drifts."""
    return statistics.median(mine.cpu / theirs.cpu for mine, theirs in zip(own, baseline, strict=True))


def _memory(
    course: Course, loop: Loop, samples: list[Sample], figure: Callable[[Sample], float], bars: ByLoop
) -> Figure | None:
    return Figure(_median(samples, figure), bars.get(loop)) if course.load.weighs else None


def _median(samples: list[Sample], figure: Callable[[Sample], float]) -> float:
    return statistics.median(map(figure, samples))
