# SPDX-License-Identifier: Apache-2.0
"""The chart: CPU time of a message, ours beside the baseline, for each course and event loop."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .courses import COURSES, LOOPS
from .results import Results, Row, rows

__all__ = ("draw",)

_COLOURS = {"asyncio": "#3b6fb6", "uvloop": "#d98032", "trio": "#5a9e57"}
_WIDTH = 9.0
"""Inches; at 72 points an inch."""
_BAR = 0.24
"""Inches that a bar is high."""
_MARGIN = 1.2
"""Inches for the legend and the axis."""

# The same results give the same bytes, and text stays text: it can be found, and read aloud.
_SETTINGS: dict[str, Any] = {"svg.fonttype": "none", "svg.hashsalt": "easynetwork", "font.size": 9}
_METADATA: dict[str, Any] = {"Date": None, "Creator": None, "Title": "CPU time of a message"}


class _Group(NamedTuple):
    """The bars of one server in one course."""

    label: str
    rows: list[Row]


def draw(path: Path, courses: Mapping[str, Results]) -> None:
    """Writes the chart of all courses as SVG."""
    matplotlib = _import("matplotlib")
    groups = list(_groups(courses))
    bars = len(LOOPS) + 1  # and a gap
    with matplotlib.rc_context(_SETTINGS):
        figure = _import("matplotlib.figure").Figure(
            figsize=(_WIDTH, _MARGIN + _BAR * bars * len(groups)), layout="constrained"
        )
        axes = figure.add_subplot()
        for number, group in enumerate(groups):
            for row in group.rows:
                _draw_bar(axes, number * bars + LOOPS.index(row.loop), row)
        axes.axvline(1.0, color="black", linewidth=1)
        axes.set_yticks([number * bars + 1 for number in range(len(groups))], [group.label for group in groups])
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.margins(x=0.08, y=0.01)
        axes.set_xlim(left=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel("CPU time of a message: 1 is what is written by hand, on the same loop; shorter is better")
        figure.legend(handles=_legend(), loc="outside upper center", ncols=len(LOOPS) + 1, frameon=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata=_METADATA)


def _groups(courses: Mapping[str, Results]) -> Iterator[_Group]:
    for name, course in COURSES.items():
        found = [row for row in rows(course, courses.get(name, {})) if row.ours]
        for server in dict.fromkeys(row.name for row in found):
            yield _Group(f"{course.title}\n{server}", [row for row in found if row.name == server])


def _draw_bar(axes: Any, position: int, row: Row) -> None:
    ratio = row.ratio
    axes.barh(position, ratio.value, height=0.9, color=_COLOURS[row.loop])
    axes.annotate(
        f"{ratio.value:.2f}",
        (max(ratio.value, ratio.bar or 0.0), position),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},  # not behind the line at 1
    )
    if ratio.bar is not None:
        axes.plot([ratio.bar] * 2, [position - 0.45, position + 0.45], color="black", linewidth=2.5)


def _legend() -> list[Any]:
    patches, lines = _import("matplotlib.patches"), _import("matplotlib.lines")
    loops = [patches.Patch(color=_COLOURS[loop], label=loop) for loop in LOOPS]
    return [*loops, lines.Line2D([], [], color="black", linewidth=2.5, label="bar that ours must hold")]


def _import(module: str) -> Any:
    """Imports a part of matplotlib: late, as it takes a second; untyped, as its types are loose."""
    return importlib.import_module(module)
