# SPDX-License-Identifier: Apache-2.0
"""Made-up results for the tests of the benchmark."""

from __future__ import annotations

from bench.courses import COURSES
from bench.results import Results, Run, Sample

__all__ = ("results_of", "sample")


def sample(cpu: float, *, rate: float = 50_000.0, idle: float = 6.0, in_use: float = 8.0) -> Sample:
    return Sample(rate, cpu, idle, in_use)


def results_of(name: str, *, ratio: float = 0.5, rounds: int = 3) -> Results:
    """Returns results of a course in which everybody costs `ratio` of the baseline."""
    course = COURSES[name]

    def samples_of(contender: str) -> list[Sample]:
        return [sample(10.0 if contender == course.baseline.name else 10.0 * ratio)] * rounds

    return {
        loop: Run(2.0, "3.11.9", {each.name: samples_of(each.name) for each in course.contenders(loop)})
        for loop in ("asyncio", "uvloop", "trio")
    }
