# SPDX-License-Identifier: Apache-2.0
"""When a socket is ready."""

from __future__ import annotations

import trio

from easynetwork.exceptions import BusyResourceError
from easynetwork.lowlevel.socket_transports import SocketWatch

__all__ = ("TrioSocketWatch",)


class TrioSocketWatch(SocketWatch):
    """A `SocketWatch` that asks trio anew for each wait, as trio wants to be asked.

    Args:
        fd: the socket's file descriptor.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._has_reader = False
        self._has_writer = False
        self._stopped: Exception | None = None
        self._interruption: Exception | None = None

    async def wait_readable(self, deadline: float | None = None) -> None:
        if self._stopped is not None:
            raise self._reason()
        if self._has_reader:
            raise _busy()
        self._has_reader = True
        try:
            if deadline is None:
                await trio.lowlevel.wait_readable(self._fd)
            else:
                await self._readable_until(deadline)
        except trio.ClosedResourceError:
            raise self._interruption or self._reason() from None
        finally:
            self._has_reader = False
            self._interruption = None

    async def _readable_until(self, deadline: float) -> None:
        with trio.CancelScope(deadline=deadline) as scope:
            await trio.lowlevel.wait_readable(self._fd)
        if scope.cancelled_caught:
            raise TimeoutError("no data came in time")

    async def wait_writable(self) -> None:
        if self._stopped is not None:
            raise self._reason()
        if self._has_writer:
            raise _busy()
        self._has_writer = True
        try:
            while True:
                try:
                    await trio.lowlevel.wait_writable(self._fd)
                    return
                except trio.ClosedResourceError:
                    if self._stopped is not None:
                        raise self._reason() from None  # otherwise it was the reader that was meant
        finally:
            self._has_writer = False

    def interrupt_reader(self, error: Exception) -> None:
        if self._has_reader:
            self._interruption = error
            trio.lowlevel.notify_closing(self._fd)  # wakes the writer too, who then waits again

    def stop(self, error: Exception) -> None:
        if self._stopped is None:
            self._stopped = error
            if trio.lowlevel.in_trio_run():  # otherwise the run has ended, and nobody waits any more
                trio.lowlevel.notify_closing(self._fd)

    def _reason(self) -> Exception:
        assert self._stopped is not None, "somebody else has told trio that the socket is being closed"
        return self._stopped.with_traceback(None)


def _busy() -> BusyResourceError:
    return BusyResourceError("another task waits for this socket already")
