# SPDX-License-Identifier: Apache-2.0
"""The table of a course, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .courses import Course
from .results import Figure, Row

__all__ = ("text_table",)


def text_table(course: Course, rows: Sequence[Row], rounds: int) -> str:
    """Returns the table with a title; bars stand behind the figures of ours."""
    load = course.load
    title = f"{course.title} ({load.connections:,} connections, {load.size:,} bytes a message; rounds: {rounds})"
    return "\n".join([title, _head(course), *map(_line, rows)])


def _head(course: Course) -> str:
    words = f"{'loop':8} {'server':24} {'messages/s':>11} {'CPU us/message':>15} {'of ' + course.baseline.name:>16}"
    return f"{words} {'idle kB':>8} {'in use kB':>10}" if course.load.weighs else words


def _line(row: Row) -> str:
    words = f"{row.loop:8} {row.name:24} {row.rate:11,.0f} {row.cpu:15.2f} {row.ratio.value:16.2f}"
    if row.idle is not None and row.in_use is not None:
        words += f" {row.idle.value:8.1f} {row.in_use.value:10.1f}"
    return "  ".join([words, *_verdicts(row)])


def _verdicts(row: Row) -> Iterator[str]:
    if row.ratio.bar is not None:
        yield f"bar {row.ratio.bar:.2f}: {_verdict(row.ratio)}"
    for name, figure in (("idle", row.idle), ("in use", row.in_use)):
        if figure is not None and figure.bar is not None:
            yield f"{name} {figure.bar:.0f} kB: {_verdict(figure)}"


def _verdict(figure: Figure) -> str:
    return "held" if figure.holds else "NOT held"
