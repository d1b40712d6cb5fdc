# SPDX-License-Identifier: Apache-2.0
"""Finds sockets with an error that the event loop will not report.

libuv ends a poll handle at ``POLLERR``. If data came before the error, as when a peer sends and
then resets, the one event goes to the data, and a task that waits again would never be told of the
error. To ask for it after each read would cost a system call a packet, and a timer for each wait as
much. So one timer looks over all sockets ten times a second: those that a task waits for, and that
were not heard of since the last look, are asked with one poll(2), once for each wait.
"""

from __future__ import annotations

import asyncio
import select
import weakref
from typing import Final, Protocol
from weakref import WeakKeyDictionary

__all__ = ("PollErrorSweep", "Swept", "sweep_of")

_INTERVAL: Final = 0.1
"""Seconds between two looks. A lost connection is noticed after one or two of them."""


class Swept(Protocol):
    """A watched socket."""

    was_heard_of: bool

    @property
    def is_waited_for(self) -> bool: ...

    def fileno(self) -> int: ...

    def renew(self) -> None: ...


class PollErrorSweep:
    """Looks over the watched sockets of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._swept: set[Swept] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, watch: Swept) -> None:
        """Takes a socket in that the event loop has reported, until it was looked at while a task
        waited for it.
        """
        self._swept.add(watch)
        if self._timer is None:
            self._timer = self._loop.call_later(_INTERVAL, self._look)

    def discard(self, watch: Swept) -> None:
        """Forgets a socket that is about to be closed."""
        self._swept.discard(watch)

    def _look(self) -> None:
        quiet: dict[int, Swept] = {}
        for watch in self._swept:
            if watch.was_heard_of:
                watch.was_heard_of = False
            elif watch.is_waited_for:
                quiet[watch.fileno()] = watch
        self._swept.difference_update(quiet.values())
        self._timer = self._loop.call_later(_INTERVAL, self._look) if self._swept else None
        if quiet:
            poll = select.poll()
            for fd in quiet:
                poll.register(fd, 0)  # errors are reported all the same
            for fd, _ in poll.poll(0):
                quiet[fd].renew()


_sweeps: WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.ref[PollErrorSweep]] = WeakKeyDictionary()
"""The sweeps of all loops. They belong to their sockets and timers: one that stood here would keep
its loop for ever."""


def sweep_of(loop: asyncio.AbstractEventLoop) -> PollErrorSweep | None:
    """The sweep of ``loop``, or None if it reports errors for as long as they last, as all but
    uvloop do.
    """
    if type(loop).__module__.partition(".")[0] != "uvloop":
        return None
    known = _sweeps.get(loop)
    sweep = None if known is None else known()
    if sweep is None:
        sweep = PollErrorSweep(loop)
        _sweeps[loop] = weakref.ref(sweep)
    return sweep
