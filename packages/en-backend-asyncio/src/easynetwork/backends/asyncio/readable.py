# SPDX-License-Identifier: Apache-2.0
"""When a socket may be read, for one task at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from types import coroutine
from typing import Any, Final

from easynetwork.exceptions import BusyResourceError

from .readiness import watches_end_with_errors
from .waiter import Waiter

__all__ = ("Readable",)

_WATCH_RENEWAL: Final = 0.1
"""Seconds after which a read that waits makes sure that its socket is still watched, on loops that may have stopped (10 a second at most)."""


class Readable(Waiter):
    """A `Waiter` that the event loop wakes when a socket has input, or when its deadline is over.

    The socket stays watched while the task comes back to wait. When nobody does, what comes stays in the kernel.

    Args:
        loop: the event loop of the task.
        fd: the socket's file descriptor. `stop` must be called before it is closed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int) -> None:
        super().__init__(loop, self._unwatch)
        self._fd = fd
        self._watched = False
        self._renews_watch = watches_end_with_errors(loop)
        self._renewal: asyncio.TimerHandle | None = None
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_when = 0.0

    @coroutine
    def wait(self, deadline: float | None = None) -> Generator[Any, None, None]:
        yield self.waited_for(deadline)

    def waited_for(self, deadline: float | None = None) -> Readable:
        """Like `Waiter.waited_for`. At ``deadline`` (in the loop's time) the task gets a `TimeoutError`."""
        # The rule of the method that this one extends is repeated instead of called, because each packet comes by here.
        if self._wake_task is not None:
            raise BusyResourceError("another task waits for this socket already")
        self._deadline = deadline
        if deadline is not None:
            self._limit_wait(deadline)
        if not self._watched:
            self._watch()
        self._asyncio_future_blocking = True
        return self

    def stop(self, error: Exception) -> None:
        """Ends the watch and the timers; the task that waits, if there is one, gets ``error``."""
        self.wake_soon(error)
        self._unwatch()
        for timer in (self._timer, self._renewal):
            if timer is not None:
                timer.cancel()
        self._timer = self._renewal = None

    def renew_watch(self) -> None:
        """To be called when the socket has reported an error, after which some loops stop watching it."""
        if self._renews_watch:
            self._watched = False

    # watching

    def _watch(self) -> None:
        self._watched = True
        if self._renews_watch:
            self._loop.remove_reader(self._fd)  # without this uvloop complains of a watch that it has ended itself
            if self._renewal is None:
                self._renewal = self._loop.call_later(_WATCH_RENEWAL, self._on_renewal)
        self._loop.add_reader(self._fd, self.wake)

    def _on_renewal(self) -> None:
        """Each wait is renewed once, some time after it began; that is enough, because a watch that lives reports the next event."""
        self._renewal = None
        if self.is_waited_for:
            self._loop.remove_reader(self._fd)
            self._loop.add_reader(self._fd, self.wake)
        self._watched = False  # so that the next wait is renewed as well

    def _unwatch(self) -> None:
        """Nobody waits: what comes stays in the kernel, whose window then holds the peer back."""
        self._watched = False
        self._loop.remove_reader(self._fd)

    # the deadline

    def _limit_wait(self, deadline: float) -> None:
        """Makes the wait end at ``deadline``. A timer that fires earlier is left armed and moves itself, so most waits set none."""
        if self._timer is not None:
            if self._timer_when <= deadline:
                return
            self._timer.cancel()
        self._timer_when = deadline
        self._timer = self._loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        if self._loop.time() < self._deadline:
            self._limit_wait(self._deadline)
        else:
            self.wake_soon(TimeoutError("no data came in time"))
