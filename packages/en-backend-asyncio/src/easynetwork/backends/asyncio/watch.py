# SPDX-License-Identifier: Apache-2.0
"""When a socket is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterable
from types import coroutine
from typing import Any

from easynetwork.exceptions import BusyResourceError, UnsupportedOperation
from easynetwork.lowlevel.socket_transports import SocketWatch

from .sweep import sweep_of
from .waiter import Waiter

__all__ = ("AsyncIOSocketWatch", "require_readiness")


class AsyncIOSocketWatch(Waiter, SocketWatch):
    """A `SocketWatch` that is its reader's `Waiter` itself.

    The writer has one of its own, because few sockets ever need one.

    The socket stays watched while the task comes back to wait. When nobody does, what comes stays
    in the kernel.

    Args:
        loop: the event loop of the tasks.
        fd: the socket's file descriptor.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int) -> None:
        super().__init__(loop, self._unwatch)
        self._fd = fd
        self._traps = (self,)
        self._watched = False
        self._stopped: Exception | None = None
        self._sweep = sweep_of(loop)
        self._on_readable = self.wake if self._sweep is None else self._wake_and_be_swept
        self.was_heard_of = False
        """Whether the event loop has reported the socket since the last sweep."""
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_when = 0.0
        self._writer: Waiter | None = None

    @coroutine
    def wait_readable(self, deadline: float | None = None) -> Generator[Any, None, None]:
        yield from self.until_readable(deadline)

    def until_readable(self, deadline: float | None = None) -> Iterable[Any]:
        # The rule of `waited_for` is repeated instead of called, because each packet comes by here.
        if self.wake_task is not None:
            raise BusyResourceError("another task waits for this socket already")
        if not self._watched:
            self._watch()
        self._deadline = deadline
        if deadline is not None:
            self._limit_wait(deadline)
        self._asyncio_future_blocking = True
        return self._traps

    async def wait_writable(self) -> None:
        self._check_not_stopped()
        if self._writer is None:
            self._writer = Waiter(self._loop, self._unwatch_output)
        self._loop.add_writer(self._fd, self._writer.wake)
        await self._writer.wait()

    def interrupt_reader(self, error: Exception) -> None:
        self.wake_soon(error)

    def error_was_taken(self) -> None:
        if self._sweep is not None:
            self._watched = False

    def stop(self, error: Exception) -> None:
        self._stopped = error
        self.wake_soon(error)
        self._unwatch()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._sweep is not None:
            self._sweep.discard(self)
        if self._writer is not None:
            self._writer.wake_soon(error)
            self._unwatch_output()

    def _check_not_stopped(self) -> None:
        if self._stopped is not None:
            raise self._stopped.with_traceback(None)

    # watching

    def _watch(self) -> None:
        self._check_not_stopped()
        self._watched = True
        if self._sweep is not None:
            self._loop.remove_reader(self._fd)  # without this uvloop complains of a watch that it has ended itself
        self._loop.add_reader(self._fd, self._on_readable)

    def _unwatch(self) -> None:
        """Nobody waits: what comes stays in the kernel, whose window then holds the peer back."""
        self._watched = False
        self._loop.remove_reader(self._fd)

    def _unwatch_output(self) -> None:
        self._loop.remove_writer(self._fd)

    # where the event loop may stop to watch (see ``sweep``)

    def _wake_and_be_swept(self) -> None:
        if not self.was_heard_of:
            self.was_heard_of = True
            assert self._sweep is not None
            self._sweep.add(self)
        self.wake()

    def fileno(self) -> int:
        return self._fd

    def renew(self) -> None:
        """Watches the socket anew, if somebody still waits for it."""
        if self._watched:
            self._watch()

    # the deadline

    def _limit_wait(self, deadline: float) -> None:
        """Makes the wait end at ``deadline``.

        A timer that fires earlier is left armed and moves itself, so most waits set none.
        """
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


def require_readiness(loop: asyncio.AbstractEventLoop) -> None:
    """Checks that ``loop`` has a working ``add_reader()``.

    Raises:
        UnsupportedOperation: it has not, as the proactor loop of Windows.
    """
    if type(loop).add_reader is asyncio.AbstractEventLoop.add_reader:
        raise UnsupportedOperation(
            f"{type(loop).__name__} cannot watch sockets (it has no add_reader()); run the program on"
            " asyncio.SelectorEventLoop, for example with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)"
        )
