# SPDX-License-Identifier: Apache-2.0
"""Where the datagrams of one socket are, from the moment they were sent until they are received.

Nothing runs in the background: what is under way has the time when it is due, and whoever waits for
a datagram waits until then. The order in which datagrams become available is that of their times,
whenever somebody looks.
"""

from __future__ import annotations

import errno
import heapq
import itertools
import math
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from ._impair import ON_TIME, Transit
from ._signal import Signal
from .memory_sockets import InetAddress

if TYPE_CHECKING:
    from ..api_async.backend.abc import AsyncBackend

__all__ = ("Mailbox",)

_HOLD: Final = 0.01
"""Seconds that a datagram which is to be overtaken waits for the next one: enough for a program
that sends, and not much for a test that waits."""

Arrival = tuple[bytes, InetAddress] | OSError
"""A datagram and its sender, or the news that one of ours did not get anywhere."""


class _UnderWay(NamedTuple):
    due: float
    number: int
    """Those that are due at the same time arrive as they were sent."""
    overtaken: bool
    content: Arrival


class Mailbox:
    """What was sent to one socket and was not received yet.

    Args:
        capacity: how much of it there may be, also under way; what comes last is shed beyond it.
    """

    def __init__(self, backend: AsyncBackend, capacity: int) -> None:
        self._backend = backend
        self._capacity = capacity
        self._numbers = itertools.count()
        self._under_way: list[_UnderWay] = []  # a heap
        self._held: _UnderWay | None = None
        self._waiting: deque[Arrival] = deque()
        self._changed = Signal(backend)
        self._is_awaited = False
        self._interruption: Exception | None = None
        self.closed = False
        self.dropped = 0

    def put(self, content: Arrival, transit: Transit = ON_TIME) -> None:
        """Takes what was sent, to be received when it has travelled."""
        if len(self._under_way) + len(self._waiting) + (self._held is not None) >= self._capacity:
            self.dropped += 1
            return
        due = self._backend.current_time() + transit.delay
        heapq.heappush(self._under_way, _UnderWay(due, next(self._numbers), transit.overtaken, content))
        self._changed.fire()

    async def take(self, deadline: float | None) -> tuple[bytes, InetAddress]:
        """Waits for the next datagram.

        Raises:
            TimeoutError: none was there at the deadline.
            OSError: the news that came instead, or the mailbox was closed.
            Exception: what `interrupt` was told.
        """
        self._is_awaited = True
        try:
            while not self._can_take():
                await self._wait_for_change(deadline)
        finally:
            self._is_awaited, self._interruption = False, None
        content = self._waiting.popleft()
        if isinstance(content, OSError):
            raise content
        return content

    def interrupt(self, error: Exception) -> None:
        """Has the one who waits raise ``error``, if somebody does."""
        if self._is_awaited:
            self._interruption = error
            self._changed.fire()

    def check_open(self) -> None:
        if self.closed:
            raise OSError(errno.EBADF, "the socket is closed")

    def close(self) -> None:
        self.closed = True
        self._under_way.clear()
        self._held = None
        self._waiting.clear()
        self._changed.fire()

    async def _wait_for_change(self, deadline: float | None) -> None:
        """Returns when something may have arrived, or is to arrive earlier than was known."""
        arrival = self._next_arrival()
        limit = min(arrival, math.inf if deadline is None else deadline)
        try:
            await self._changed.wait_until(
                lambda: self._can_take() or self._next_arrival() < arrival,
                None if limit == math.inf else limit,
            )
        except TimeoutError:
            if limit == deadline:
                raise

    def _can_take(self) -> bool:
        self.check_open()
        if self._interruption is not None:
            raise self._interruption
        now = self._backend.current_time()
        while self._next_arrival() <= now:
            self._let_arrive()
        return bool(self._waiting)

    def _next_arrival(self) -> float:
        """When the next datagram will have travelled, or the one that is held back has waited long
        enough.
        """
        due = self._under_way[0].due if self._under_way else math.inf
        return due if self._held is None else min(due, self._held.due + _HOLD)

    def _let_arrive(self) -> None:
        held = self._held
        if held is not None and (not self._under_way or held.due + _HOLD < self._under_way[0].due):
            self._waiting.append(held.content)  # nothing has come to overtake it
            self._held = None
            return
        arrived = heapq.heappop(self._under_way)
        if held is not None:
            self._waiting += (arrived.content, held.content)
            self._held = None
        elif arrived.overtaken:
            self._held = arrived
        else:
            self._waiting.append(arrived.content)
