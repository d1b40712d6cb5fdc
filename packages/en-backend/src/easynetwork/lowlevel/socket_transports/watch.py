# SPDX-License-Identifier: Apache-2.0
"""The one thing that is asked of an event loop beyond tasks and time: to tell when a socket is ready."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Awaitable

__all__ = ("SocketWatch",)


class SocketWatch(metaclass=ABCMeta):
    """Tells when one socket is ready, to one reader and one writer at a time.

    To be told is no promise: the socket has to be tried, and waited for again (select(2)). Nothing is read or written here, so a wait that is
    cancelled has taken nothing.
    """

    @abstractmethod
    def readable(self, deadline: float | None = None) -> Awaitable[None]:
        """Waits until the socket has input, an end or an error. To be awaited at once.

        Args:
            deadline: when to give up, in seconds on the clock of `AsyncBackend.current_time`.

        Raises:
            TimeoutError: it was given up.
            BusyResourceError: another task waits.
            Exception: what `stop` was told.
        """

    @abstractmethod
    def writable(self) -> Awaitable[None]:
        """Waits until the socket takes output, or has an error. To be awaited at once.

        Raises:
            BusyResourceError: another task waits.
            Exception: what `stop` was told.
        """

    @property
    @abstractmethod
    def has_reader(self) -> bool:
        """Whether a task waits in `readable`, and has not been told yet."""

    def error_was_taken(self) -> None:
        """To be called when the socket has reported an error that does not end it, after which some event loops stop watching. Does nothing here."""
        return

    @abstractmethod
    def stop(self, error: Exception) -> None:
        """Ends the watch, which must happen before the socket is closed; the tasks that wait get ``error``. Nobody may wait after it. May be called again."""
