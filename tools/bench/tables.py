# SPDX-License-Identifier: Apache-2.0
"""Tables of results: one of a course for a terminal, and one of all courses for a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby

from wslib.page_table import line

from .courses import COURSES, LOOPS, Course
from .results import Figure, Results, Row, rows

__all__ = ("conditions", "page_table", "text_table")

_COLUMNS = ("course", "server", "figure", *LOOPS)


def text_table(course: Course, results: Results) -> str:
    """Returns a table with a title; the bars of ours stand behind the figures."""
    load = course.load
    title = f"{course.title} ({load.connections:,} connections, {load.size:,} bytes a message; {conditions([results])})"
    return "\n".join([title, _head(course), *map(_line, rows(course, results))])


def conditions(courses: Iterable[Results]) -> str:
    """Returns under which conditions results were measured, all of them if they differ."""
    return "; ".join(dict.fromkeys(run.conditions for results in courses for run in results.values()))


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


def page_table(courses: Mapping[str, Results]) -> str:
    """Returns one table of all courses in Markdown; a figure that does not hold its bar is bold."""
    head = [line(_COLUMNS), line(["---"] * 3 + ["--:"] * len(LOOPS))]
    body = (_lines(COURSES[name], courses[name]) for name in COURSES if name in courses)
    return "".join([*head, *(text for lines in body for text in lines)])


def _lines(course: Course, results: Results) -> Iterator[str]:
    found = sorted(rows(course, results), key=lambda row: _position(course, row))
    title = course.title
    for name, group in groupby(found, key=lambda row: row.name):
        by_loop = {row.loop: row for row in group}
        for figure, cell in _figures(course, name):
            yield line([title, name, figure, *(cell(by_loop[loop]) if loop in by_loop else "" for loop in LOOPS)])
            title = name = ""


def _position(course: Course, row: Row) -> int:
    contenders = [course.baseline, *course.others, *course.ours]
    return [contender.name for contender in contenders].index(row.name)


def _figures(course: Course, name: str) -> Iterator[tuple[str, Callable[[Row], str]]]:
    if name == course.baseline.name:
        yield "CPU time of a message, µs", lambda row: f"{row.cpu:.1f}"
    else:
        yield f"its ratio to {course.baseline.name}", lambda row: _cell(row.ratio, ".2f")
    if course.load.weighs:
        yield "memory of an idle connection, kB", lambda row: _cell(row.idle, ".1f")
        yield "memory of a connection in use, kB", lambda row: _cell(row.in_use, ".1f")


def _cell(figure: Figure | None, digits: str) -> str:
    if figure is None:
        return ""
    value = f"{figure.value:{digits}}" if figure.holds else f"**{figure.value:{digits}}**"
    return value if figure.bar is None else f"{value} (≤ {figure.bar:{digits}})"
