# SPDX-License-Identifier: Apache-2.0
"""Draws the way of one packet through a stream server; the page on the seam shows it."""

from __future__ import annotations

import importlib
from typing import Any, Final, NamedTuple

# Untyped, as its types are loose. The directive `plot` saves each figure that is open at the end.
pyplot: Any = importlib.import_module("matplotlib.pyplot")
patches: Any = importlib.import_module("matplotlib.patches")

_CARD: Final = "#fbfbf8"  # a light card, on dark pages too
_INK: Final = "#22272e"
_FAINT: Final = "#6b7280"
_IN: Final = "#2f6bb0"
_OUT: Final = "#b4541f"

_WIDTH: Final = 21.0
_HEIGHT: Final = 13.2
"""Of the drawing, in units of half an inch."""


class _Lane(NamedTuple):
    """Whose code runs, from `left` to `right`."""

    title: str
    package: str
    left: float
    right: float
    colour: str


class _Box(NamedTuple):
    x: float
    y: float
    title: str
    text: str = ""
    width: float = 3.5
    height: float = 1.7


_LANES: Final = (
    _Lane("kernel", "", 0.3, 4.2, "#e9ecef"),
    _Lane("event loop", "en-backend-asyncio", 4.4, 8.3, "#e3edf8"),
    _Lane("stream", "en-backend", 8.5, 12.4, "#e4f2e7"),
    _Lane("driver and receiver", "en-servers, en-protocol", 12.6, 16.6, "#f8ecdd"),
    _Lane("handler", "yours", 16.8, 20.7, "#f3e4f1"),
)

_SOCKET: Final = _Box(2.25, 6.1, "socket", "receive and send\nbuffers", height=9.0)
_CALLBACK: Final = _Box(6.35, 6.9, "1  callback", "the socket is\nreadable")
_WATCH: Final = _Box(6.35, 9.7, "2  watch", "steps the driver in\nthe task's name")
_READ: Final = _Box(10.45, 8.3, "4  receive_nowait()", "one recv()")
_DRIVER: Final = _Box(14.6, 9.7, "3  drive()", "waits and steps;\nthe one coroutine")
_RECEIVER: Final = _Box(14.6, 6.9, "5  receiver", "a packet, NEED_DATA\nor an error")
_YIELD: Final = _Box(18.75, 8.3, "6  request = yield", "the handler goes on")
_SEND: Final = _Box(18.75, 3.9, "7  send_packet()", "encodes the answer")
_HELD: Final = _Box(14.6, 3.9, "8  held (corked)?", "yes, while more\nrequests are here")
_OUTPUT: Final = _Box(10.45, 3.9, "9  send_nowait()", "one send()")


def _draw_lane(axes: Any, lane: _Lane) -> None:
    width = lane.right - lane.left
    axes.add_patch(
        patches.Rectangle(
            (lane.left, 1.2), width, _HEIGHT - 1.5, facecolor=lane.colour, edgecolor="none"
        )
    )
    middle = (lane.left + lane.right) / 2
    axes.text(middle, _HEIGHT - 1.0, lane.title, ha="center", color=_INK, weight="bold", size=10)
    axes.text(middle, _HEIGHT - 1.55, lane.package, ha="center", color=_FAINT, size=8)


def _draw_box(axes: Any, box: _Box) -> None:
    corner = (box.x - box.width / 2, box.y - box.height / 2)
    shape = patches.FancyBboxPatch(
        corner,
        box.width,
        box.height,
        boxstyle="round,pad=0,rounding_size=0.25",
        facecolor="white",
        edgecolor=_INK,
    )
    axes.add_patch(shape)
    axes.text(
        box.x,
        box.y + 0.42,
        box.title,
        ha="center",
        va="center",
        color=_INK,
        weight="bold",
        size=8.5,
    )
    axes.text(
        box.x, box.y - 0.3, box.text, ha="center", va="center", color=_INK, size=8, linespacing=1.15
    )


def _draw_arrow(
    axes: Any, start: tuple[float, float], end: tuple[float, float], colour: str
) -> None:
    style = {
        "arrowstyle": "-|>",
        "mutation_scale": 12,
        "linewidth": 1.8,
        "shrinkA": 0,
        "shrinkB": 0,
    }
    axes.add_patch(patches.FancyArrowPatch(start, end, color=colour, **style))


def _left(box: _Box, up: float = 0) -> tuple[float, float]:
    return box.x - box.width / 2, box.y + up


def _right(box: _Box, up: float = 0) -> tuple[float, float]:
    return box.x + box.width / 2, box.y + up


def _top(box: _Box, right: float = 0) -> tuple[float, float]:
    return box.x + right, box.y + box.height / 2


def _bottom(box: _Box, right: float = 0) -> tuple[float, float]:
    return box.x + right, box.y - box.height / 2


def _draw() -> None:
    figure = pyplot.figure(figsize=(_WIDTH / 2, _HEIGHT / 2), facecolor=_CARD)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, _WIDTH)
    axes.set_ylim(0, _HEIGHT)
    for lane in _LANES:
        _draw_lane(axes, lane)
    for box in (
        _SOCKET,
        _CALLBACK,
        _WATCH,
        _READ,
        _DRIVER,
        _RECEIVER,
        _YIELD,
        _SEND,
        _HELD,
        _OUTPUT,
    ):
        _draw_box(axes, box)

    _draw_arrow(axes, (_right(_SOCKET)[0], _CALLBACK.y), _left(_CALLBACK), _IN)
    _draw_arrow(axes, _top(_CALLBACK), _bottom(_WATCH), _IN)
    _draw_arrow(axes, _right(_WATCH, 0.4), _left(_DRIVER, 0.4), _IN)
    _draw_arrow(axes, _left(_DRIVER, -0.4), _right(_READ, 0.4), _IN)
    _draw_arrow(axes, _right(_READ, -0.4), _left(_RECEIVER, 0.4), _IN)
    _draw_arrow(axes, _right(_RECEIVER, 0.4), _left(_YIELD, -0.4), _IN)
    _draw_arrow(axes, _bottom(_YIELD), _top(_SEND), _OUT)
    _draw_arrow(axes, _left(_SEND), _right(_HELD), _OUT)
    _draw_arrow(axes, _left(_HELD), _right(_OUTPUT), _OUT)
    _draw_arrow(axes, _left(_OUTPUT), (_right(_SOCKET)[0], _OUTPUT.y), _OUT)

    note = {"ha": "center", "color": _OUT, "size": 8}
    axes.text(14.6, 2.2, "leaves before the driver or\nthe handler waits for anything", **note)
    axes.text(6.35, 4.1, "no write buffer, no\nevent loop in between", **note)
    axes.plot([0.5, 1.3], [0.6, 0.6], color=_IN, linewidth=2.5)
    axes.text(1.5, 0.6, "a request", va="center", color=_INK, size=8.5)
    axes.plot([4.6, 5.4], [0.6, 0.6], color=_OUT, linewidth=2.5)
    axes.text(5.6, 0.6, "its answer", va="center", color=_INK, size=8.5)
    next_packet = "then 5 again while there are packets, else 3 waits at the watch"
    axes.text(20.5, 0.6, next_packet, ha="right", va="center", color=_FAINT, size=8)


_draw()
