# SPDX-License-Identifier: Apache-2.0
"""The one thing that is asked of an event loop beyond tasks and time: to tell when a socket is ready."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Awaitable, Iterable
from typing import Any

__all__ = ("SocketWatch",)


class SocketWatch(metaclass=ABCMeta):
    """Tells when one socket is ready, to one reader and one writer at a time.

    To be told is no promise: the socket has to be tried, and waited for again (select(2)). Nothing is read or written here, so a wait that is
    cancelled has taken nothing.
    """

    @abstractmethod
    def wait_readable(self, deadline: float | None = None) -> Awaitable[None]:
        """Waits until the socket has input, an end or an error.

        Args:
            deadline: when to give up, in seconds on the clock of `AsyncBackend.current_time`.

        Raises:
            TimeoutError: it was given up.
            BusyResourceError: another task waits.
            Exception: what `stop` was told.
        """

    def until_readable(self, deadline: float | None = None) -> Iterable[Any]:
        """What `wait_readable` tells the event loop, for a ``yield from`` in a `types.coroutine`.

        It is there for event loops that can do without a coroutine for each packet, which is measurable.
        """
        return self.wait_readable(deadline).__await__()

    @abstractmethod
    def wait_writable(self) -> Awaitable[None]:
        """Waits until the socket takes output, or has an error.

        Raises:
            BusyResourceError: another task waits.
            Exception: what `stop` was told.
        """

    @property
    @abstractmethod
    def has_reader(self) -> bool:
        """Whether a task waits for input, and has not been told yet."""

    @abstractmethod
    def interrupt_reader(self, error: Exception) -> None:
        """Makes the task that waits for input raise ``error``. Does nothing if none waits; a writer is not disturbed."""

    def error_was_taken(self) -> None:
        """To be called when the socket has reported an error that does not end it, after which some event loops stop watching. Does nothing here."""
        return

    @abstractmethod
    def stop(self, error: Exception) -> None:
        """Ends the watch, which must happen before the socket is closed; the tasks that wait get ``error``. Nobody may wait after it. May be called again."""
