# SPDX-License-Identifier: Apache-2.0
"""How threads wait for a socket: it never blocks, poll(2) does, and another thread can end that."""

from __future__ import annotations

import contextlib
import errno
import math
import select
import socket as _socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ._time_limits import LONGEST_POLL, remaining

if TYPE_CHECKING:
    from easynetwork.lowlevel.unix_files import SocketFile

__all__ = ("PolledSocket",)

_T = TypeVar("_T")


class PolledSocket:
    """A socket and its waiting threads.

    Deadlines are times of the monotonic clock, `math.inf` for none.

    Args:
        sock: a connected socket, owned from now on.
        longest_wait: seconds after which a waiting thread looks for itself, should the system have
            failed to wake it.
        file: what a Unix socket is bound to, removed when it is closed.
        translate: makes of the system's errors what users are told.
    """

    def __init__(
        self,
        sock: _socket.socket,
        longest_wait: float,
        file: SocketFile | None = None,
        *,
        translate: Callable[[OSError], OSError] | None = None,
    ) -> None:
        sock.setblocking(False)
        self.socket = sock
        self._file = file
        self._longest_wait = min(longest_wait, LONGEST_POLL)
        self._translate = translate
        self._interrupted = False

    @property
    def interrupted(self) -> bool:
        return self._interrupted

    def check_usable(self) -> None:
        """Raises `ConnectionAbortedError` after an interruption."""
        if self._interrupted:
            raise ConnectionAbortedError(errno.ECONNABORTED, "the connection was broken off on this side")

    def read(self, deadline: float, operation: Callable[..., _T], *args: Any) -> _T:
        """Calls ``operation(*args)`` until it need not wait for input.

        Raises:
            TimeoutError: there was none before the deadline.
            ConnectionAbortedError: the socket was interrupted.
        """
        return self._until_ready(_wait_readable, deadline, operation, args)

    def write(self, deadline: float, operation: Callable[..., _T], *args: Any) -> _T:
        """Calls ``operation(*args)`` until it need not wait for room. Raises as `read` does."""
        return self._until_ready(_wait_writable, deadline, operation, args)

    def _until_ready(
        self,
        wait: Callable[[_socket.socket, float], None],
        deadline: float,
        operation: Callable[..., _T],
        args: tuple[Any, ...],
    ) -> _T:
        while True:
            self.check_usable()
            try:
                return operation(*args)
            except (BlockingIOError, InterruptedError):
                self._wait(wait, deadline)
            except OSError as exc:
                if self._translate is None:
                    raise
                raise self._translate(exc) from None

    def _wait(self, wait: Callable[[_socket.socket, float], None], deadline: float) -> None:
        left = remaining(deadline)
        if left == 0:
            raise TimeoutError(errno.ETIMEDOUT, "timed out")
        wait(self.socket, self._longest_wait if left is None else min(left, self._longest_wait))

    def interrupt(self, how: int = _socket.SHUT_RDWR) -> None:
        """Makes threads that wait raise at once, and later calls as well. Never raises.

        Args:
            how: what `socket.socket.shutdown` is told, which wakes poll(2) in other threads.
        """
        self._interrupted = True
        with contextlib.suppress(OSError):
            self.socket.shutdown(how)

    def close(self) -> None:
        """Closes the socket. No other thread may be in here. Never raises."""
        self.socket.close()
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):  # nobody's closing fails because of the file system
                file.remove()


if hasattr(select, "poll"):

    def _wait_readable(sock: _socket.socket, seconds: float) -> None:
        _poll(sock, select.POLLIN, seconds)

    def _wait_writable(sock: _socket.socket, seconds: float) -> None:
        _poll(sock, select.POLLOUT, seconds)

    def _poll(sock: _socket.socket, events: int, seconds: float) -> None:
        poller = select.poll()
        poller.register(sock, events)
        poller.poll(math.ceil(seconds * 1000))
else:

    def _wait_readable(sock: _socket.socket, seconds: float) -> None:
        select.select([sock], [], [], seconds)

    def _wait_writable(sock: _socket.socket, seconds: float) -> None:
        select.select([], [sock], [sock], seconds)
