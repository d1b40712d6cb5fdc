# SPDX-License-Identifier: Apache-2.0
"""How a connected stream socket is closed so that its last bytes arrive.

``close(2)`` on a socket with unread input sends a reset, and so does the kernel when input comes
for a socket that is gone; a reset can overtake what the peer has not read yet. So the sending side
is ended first, the input is thrown away, and the socket is closed when the peer's kernel has
acknowledged everything. Where the kernel cannot tell (no ``SIOCOUTQ``), the peer's own end is
waited for instead.

A Unix socket has nothing under way: what was sent is in the peer's queue and stays there. Only
unread input would make its peer see a reset before the end, so both sides are ended, the input is
thrown away, and nothing is waited for.
"""

from __future__ import annotations

import contextlib
import socket as _socket
import sys
from typing import TYPE_CHECKING, Final

from .backoff import backoff
from .defaults import SHUTDOWN_TIMEOUT

if TYPE_CHECKING:
    from .api_async.backend._runtime import Runtime

__all__ = ("LingeringClose", "reset_on_close", "unacknowledged_bytes", "wait_until_delivered")

_DISCARD_SIZE: Final = 65536
_DISCARDS_AT_ONCE: Final = 16  # 1 MiB, then the other tasks get their turn


def reset_on_close(sock: _socket.socket) -> None:
    """Makes the next ``close()`` discard what is unsent and reset the connection (``SO_LINGER``
    with 0 seconds, socket(7)).
    """
    from .socket import enable_socket_linger

    with contextlib.suppress(OSError):
        enable_socket_linger(sock, 0)


class LingeringClose:
    """Waits, without waiting itself, until a peer has everything.

    Made, it has ended the sending side of ``sock``. Sleep for each `pause` until there is none,
    then look at `complete`, and close the socket.

    Args:
        now: the present time, on the clock that `pause` will be told of.
        timeout: seconds that the peer may take nothing before it is given up.
    """

    def __init__(self, sock: _socket.socket, now: float, timeout: float = SHUTDOWN_TIMEOUT) -> None:
        self._socket = sock
        self._is_unix = sock.family == getattr(_socket, "AF_UNIX", None)
        self._timeout = timeout
        self._patience_ends = now + timeout
        self._left = sys.maxsize
        self._pauses = backoff()
        self.complete = False
        """Whether the peer has everything; otherwise the connection should be reset."""
        with contextlib.suppress(OSError):  # the connection may be gone already
            sock.shutdown(_socket.SHUT_RDWR if self._is_unix else _socket.SHUT_WR)

    def pause(self, now: float) -> float | None:
        """Seconds to wait before asking again; None if there is nothing left to wait for."""
        peer_has_ended = _discard_input(self._socket)
        left = None if self._is_unix else unacknowledged_bytes(self._socket)
        if left is None:  # this system cannot tell, or there is nothing to tell
            self.complete = peer_has_ended or now >= self._patience_ends
        elif left < self._left:
            self._left = left
            self._patience_ends = now + self._timeout
            self.complete = left == 0
        if self.complete or now >= self._patience_ends:
            return None
        return next(self._pauses)


async def wait_until_delivered(sock: _socket.socket, runtime: Runtime, timeout: float = SHUTDOWN_TIMEOUT) -> bool:
    """Ends the sending side of ``sock`` and waits until the peer has everything; the socket stays
    open.

    Does not suspend when there is nothing to wait for.

    Returns:
        False if the peer took nothing for ``timeout`` seconds; the caller should reset the
        connection.
    """
    delivery = LingeringClose(sock, runtime.current_time(), timeout)
    while (pause := delivery.pause(runtime.current_time())) is not None:
        await runtime.sleep(pause)
    return delivery.complete


def _discard_input(sock: _socket.socket) -> bool:
    """Throws away what has come; tells whether nothing will come any more."""
    try:
        return not all(sock.recv(_DISCARD_SIZE) for _ in range(_DISCARDS_AT_ONCE))
    except (BlockingIOError, InterruptedError):
        return False
    except OSError:  # lost, or closed by another task meanwhile
        return True


if sys.platform == "linux":
    import fcntl
    import termios

    def unacknowledged_bytes(sock: _socket.socket) -> int | None:
        """Bytes (and the end) that the peer's kernel has not acknowledged; None if this system
        cannot tell. tcp(7), ``SIOCOUTQ``.
        """
        try:
            sock.getpeername()  # fails once the connection is lost, which leaves the count as it was for ever
            return int.from_bytes(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder, signed=True)
        except (OSError, ValueError):  # lost, or closed by another task meanwhile
            return 0
else:

    def unacknowledged_bytes(sock: _socket.socket) -> int | None:
        """Bytes (and the end) that the peer's kernel has not acknowledged; None if this system
        cannot tell.
        """
        return None
