# SPDX-License-Identifier: Apache-2.0
"""The one thing that is asked of an event loop beyond tasks and time: to tell when a socket is
ready.
"""

from __future__ import annotations

import socket as _socket
from abc import ABCMeta, abstractmethod
from collections.abc import Awaitable, Iterable
from typing import Any

from ..api_async.backend._runtime import Runtime

__all__ = ("SocketWatch", "SocketWatcher")


class SocketWatch(metaclass=ABCMeta):
    """Tells when one socket is ready, to one reader and one writer at a time.

    To be told is no promise: the socket has to be tried, and waited for again (select(2)). Nothing
    is read or written here, so a wait that is cancelled has taken nothing. After `stop`, each wait
    raises what that was told.
    """

    @abstractmethod
    def wait_readable(self, deadline: float | None = None) -> Awaitable[None]:
        """Waits until the socket has input, an end or an error.

        Args:
            deadline: when to give up, in seconds on the clock of `Runtime.current_time`.

        Raises:
            TimeoutError: it was given up.
            BusyResourceError: another task waits.
            Exception: what `stop` was told.
        """

    def until_readable(self, deadline: float | None = None) -> Iterable[Any]:
        """What `wait_readable` tells the event loop, for a ``yield from`` in a `types.coroutine`.

        It is there for event loops that can do without a coroutine for each packet, which is
        measurable.
        """
        return self.wait_readable(deadline).__await__()

    @abstractmethod
    def wait_writable(self) -> Awaitable[None]:
        """Waits until the socket takes output, or has an error.

        Raises:
            BusyResourceError: another task waits.
            Exception: what `stop` was told.
        """

    @abstractmethod
    def interrupt_reader(self, error: Exception) -> None:
        """Makes the task that waits for input raise ``error``.

        Does nothing if none waits; a writer is not disturbed.
        """

    def error_was_taken(self) -> None:
        """To be called when the socket has reported an error that does not end it, after which some
        event loops stop watching. Does nothing here.
        """
        return

    @abstractmethod
    def stop(self, error: Exception) -> None:
        """Ends the watch, which must happen before the socket is closed; the tasks that wait, or
        will, get ``error``. May be called again.
        """


class SocketWatcher(Runtime):
    """An event loop that tells when sockets are ready: the one thing that a transport needs of it
    beyond a `Runtime`.
    """

    @abstractmethod
    def watch_socket(self, socket: _socket.socket) -> SocketWatch:
        """Watches a non-blocking socket in the running event loop."""

    def check_sockets_can_be_watched(self) -> None:
        """Called before a socket is opened or taken over.

        Raises:
            UnsupportedOperation: the running event loop has no means to watch sockets.
        """
        return
