# SPDX-License-Identifier: Apache-2.0
"""How a connected stream socket is closed so that its last bytes arrive.

``close(2)`` on a socket with unread input sends a reset, and so does the kernel when input comes for a socket that is gone; a reset can
overtake what the peer has not read yet. So the sending side is ended first, the input is thrown away, and the socket is closed when the peer's
kernel has acknowledged everything. Where the kernel cannot tell (no ``SIOCOUTQ``), the peer's own end is waited for instead.
"""

from __future__ import annotations

import contextlib
import socket as _socket
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .api_async.backend.abc import AsyncBackend

__all__ = ("SHUTDOWN_TIMEOUT", "reset_on_close", "unacknowledged_bytes", "wait_until_delivered")

SHUTDOWN_TIMEOUT: Final = 30.0
"""Seconds that a peer may take nothing of what is left before its connection is given up; as long as TLS waits for its end (ssl_shutdown_timeout)."""

_DISCARD_SIZE: Final = 65536
_DISCARDS_AT_ONCE: Final = 16  # 1 MiB, then the other tasks get their turn
_FIRST_PAUSE: Final = 0.001
_LONGEST_PAUSE: Final = 0.05  # what a closing connection costs is 20 wake-ups a second


def reset_on_close(sock: _socket.socket) -> None:
    """Makes the next ``close()`` discard what is unsent and reset the connection (``SO_LINGER`` with 0 seconds, socket(7))."""
    from .socket import enable_socket_linger

    with contextlib.suppress(OSError):
        enable_socket_linger(sock, 0)


async def wait_until_delivered(sock: _socket.socket, backend: AsyncBackend, timeout: float = SHUTDOWN_TIMEOUT) -> bool:
    """Ends the sending side of ``sock`` and waits until the peer has everything; the socket stays open.

    Does not suspend when there is nothing to wait for.

    Returns:
        False if the peer took nothing for ``timeout`` seconds; the caller should reset the connection.
    """
    try:
        sock.shutdown(_socket.SHUT_WR)
    except OSError:
        return True  # the connection is gone already
    pause = _FIRST_PAUSE
    last_left = sys.maxsize
    patience_ends = backend.current_time() + timeout
    while True:
        peer_has_ended = _discard_input(sock)
        left = unacknowledged_bytes(sock)
        if left == 0 or (left is None and peer_has_ended):
            return True
        now = backend.current_time()
        if left is not None and left < last_left:
            last_left = left
            patience_ends = now + timeout
        elif now >= patience_ends:
            return left is None
        await backend.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


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
        """Bytes (and the end) that the peer's kernel has not acknowledged; None if this system cannot tell. tcp(7), ``SIOCOUTQ``."""
        try:
            return int.from_bytes(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder, signed=True)
        except (OSError, ValueError):  # closed by another task meanwhile
            return 0
else:

    def unacknowledged_bytes(sock: _socket.socket) -> int | None:
        """Bytes (and the end) that the peer's kernel has not acknowledged; None if this system cannot tell."""
        return None
