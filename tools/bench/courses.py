# SPDX-License-Identifier: Apache-2.0
"""The courses: which servers are compared, under which load, and which bars ours must hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = ("COURSES", "LOOPS", "Bars", "Contender", "Course", "Load")

Loop: TypeAlias = str
"""One of `LOOPS`."""
Transport: TypeAlias = Literal["tcp", "unix-stream", "udp", "unix-datagram"]
ByLoop: TypeAlias = Mapping[Loop, float]

LOOPS: tuple[Loop, ...] = ("asyncio", "uvloop", "trio")


@dataclass(frozen=True)
class Load:
    """What the load generator does; each connection always has one batch of messages under way."""

    transport: Transport
    connections: int = 10
    messages: int = 1
    """In a batch: they leave in one write, and the next batch leaves when all echoes are back."""
    size: int = 1024
    """Bytes of a message."""

    @property
    def connection_oriented(self) -> bool:
        """Whether the server accepts connections."""
        return self.transport in ("tcp", "unix-stream")

    @property
    def weighs(self) -> bool:
        """Whether there are enough connections to tell the memory of one."""
        return self.connections >= 1000


@dataclass(frozen=True)
class Contender:
    """A server that can be started."""

    name: str
    script: str
    loops: tuple[Loop, ...] = LOOPS
    environment: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)


@dataclass(frozen=True)
class Bars:
    """Upper limits for one contender, by loop; no limit where the loop is missing."""

    cpu: ByLoop = field(default_factory=dict[Loop, float])
    """CPU time of a message: ratio to the baseline on the same loop."""
    idle: ByLoop = field(default_factory=dict[Loop, float])
    """Memory of a connection that has sent nothing yet, in kB."""
    in_use: ByLoop = field(default_factory=dict[Loop, float])
    """Memory of a connection after the load, in kB."""


@dataclass(frozen=True)
class Course:
    """One comparison."""

    title: str
    load: Load
    baseline: Contender
    ours: Mapping[Contender, Bars]
    others: tuple[Contender, ...] = ()
    """For comparison only."""

    def contenders(self, loop: Loop) -> list[Contender]:
        """Returns the contenders that run on an event loop, the baseline first."""
        return [each for each in (self.baseline, *self.others, *self.ours) if loop in each.loops]


def _at_most(asyncio: float, uvloop: float, trio: float | None = None) -> ByLoop:
    bars: dict[Loop, float] = {"asyncio": asyncio, "uvloop": uvloop}
    return bars if trio is None else {**bars, "trio": trio}


_NOT_ON_TRIO: tuple[Loop, ...] = ("asyncio", "uvloop")
_LARGE_MALLOC = {"MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_TRIM_THRESHOLD_": "2097152"}

_STREAMS = Contender("streams", "stream_servers.py")
_RAW_PROTOCOL = Contender("raw protocol", "stream_servers.py", _NOT_ON_TRIO)
_LOOP_IN_HANDLE = Contender("easynetwork, loop", "stream_servers.py")
"""One generator for a connection, as the streams' handler is one coroutine."""
_HANDLE_EACH = Contender("easynetwork", "stream_servers.py")
"""One generator for each packet."""
_GENERATOR = Contender("easynetwork, generator", "stream_servers.py")
"""The serializer is only a generator, without any of our framers."""

_BY_HAND = Contender("by hand", "raw_datagram_server.py")
_BY_HAND_LARGE_MALLOC = Contender("by hand, large malloc", "raw_datagram_server.py", _NOT_ON_TRIO, _LARGE_MALLOC)
"""As in a program that has freed a large block once. trio reads into no large buffer."""
_DATAGRAMS = Contender("easynetwork", "datagram_servers.py")
_DATAGRAMS_ANY_ADDRESS = Contender("easynetwork, any address", "datagram_servers.py")
"""Each answer leaves from the address that was asked, which has its price."""

_DATAGRAM_BARS = Bars(_at_most(0.33, 1.35, 0.45))

COURSES: Mapping[str, Course] = {
    "tcp": Course(
        "Lines over TCP, one at a time",
        Load("tcp"),
        _STREAMS,
        {_LOOP_IN_HANDLE: Bars(_at_most(0.85, 1.00, 0.75)), _HANDLE_EACH: Bars(_at_most(0.90, 1.05, 0.85))},
        (_RAW_PROTOCOL,),
    ),
    "tcp-pipelined-5": Course(
        "Lines over TCP, five at a time",
        Load("tcp", messages=5),
        _STREAMS,
        {_HANDLE_EACH: Bars(_at_most(0.65, 0.65, 0.50))},
    ),
    "tcp-pipelined-20": Course(
        "Lines over TCP, twenty at a time",
        Load("tcp", messages=20),
        _STREAMS,
        {_HANDLE_EACH: Bars(_at_most(0.45, 0.50, 0.40))},
    ),
    "tcp-generator": Course(
        "Lines over TCP, the serializer only a generator",
        Load("tcp"),
        _STREAMS,
        {_GENERATOR: Bars(_at_most(0.95, 1.15, 0.95))},
    ),
    "tcp-1000": Course(
        "Lines over TCP, 1,000 connections",
        Load("tcp", connections=1000),
        _STREAMS,
        {_HANDLE_EACH: Bars()},
    ),
    "tcp-5000": Course(
        "Lines over TCP, 5,000 connections",
        Load("tcp", connections=5000),
        _STREAMS,
        {_HANDLE_EACH: Bars(_at_most(0.95, 1.15, 0.80), idle=_at_most(7, 7, 7), in_use=_at_most(9, 9, 10))},
    ),
    "unix-stream": Course(
        "Lines over a Unix stream, one at a time",
        Load("unix-stream"),
        _STREAMS,
        {_HANDLE_EACH: Bars(_at_most(0.95, 1.15))},
    ),
    "udp": Course(
        "UDP datagrams",
        Load("udp"),
        _BY_HAND,
        {_DATAGRAMS: _DATAGRAM_BARS, _DATAGRAMS_ANY_ADDRESS: Bars()},
        (_BY_HAND_LARGE_MALLOC,),
    ),
    "unix": Course(
        "Unix datagrams",
        Load("unix-datagram"),
        _BY_HAND,
        {_DATAGRAMS: _DATAGRAM_BARS},
        (_BY_HAND_LARGE_MALLOC,),
    ),
}
