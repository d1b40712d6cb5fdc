# SPDX-License-Identifier: Apache-2.0
"""Room for everybody in the send buffer of a Unix datagram socket.

Linux charges a datagram to its sender's buffer until it is read, and knows no other limit for a peer that is connected to the sender
(``unix_dgram_sendmsg()`` in net/unix/af_unix.c looks at the peer's queue only if it is not). So one peer that reads nothing could take all of
the buffer, and nobody would be answered any more. The kernel tells how much is unread, but not by whom: therefore, once half of the buffer is
taken, one datagram at a time is sent, and a peer that does not read its own in time is refused until something has been read.
"""

from __future__ import annotations

import socket as _socket
import sys
from collections.abc import Callable, Hashable
from typing import Final

__all__ = ("SharedSendBuffer", "unread_by_peers")

_PATIENCE: Final = 0.02
"""Seconds for a peer to read one datagram while the buffer is crowded; the others wait for no more than this."""


class SharedSendBuffer:
    """Decides who may send, without sending itself.

    Args:
        size: bytes of the buffer (``SO_SNDBUF``).
        unread: tells the bytes that are unread by all peers together.
        clock: tells the time, in seconds.
    """

    def __init__(self, size: int, unread: Callable[[], int], clock: Callable[[], float]) -> None:
        self._limit = size // 2
        self._unread = unread
        self._clock = clock
        self._at_most = 0  # unread bytes; asking the kernel each time would cost more than the rest
        self._floor = size
        self._probe: tuple[Hashable, int, float] | None = None
        self._deaf: set[Hashable] = set()

    def admits(self, size: int, address: Hashable) -> bool:
        """Tells whether a datagram of ``size`` bytes may be sent to ``address`` now, and takes it as sent."""
        self._at_most += 2 * size + 1024  # what the kernel charges: its own records, and powers of two
        if self._at_most < self._limit:
            return True
        unread = self._at_most = self._unread()
        if unread >= self._limit:
            return self._admits_one_more(unread, address)
        self._probe = None
        self._deaf.clear()
        return True

    def _admits_one_more(self, unread: int, address: Hashable) -> bool:
        if self._probe is not None and not self._probe_has_ended(self._probe, unread):
            return False
        if unread < self._floor:  # somebody has read
            self._floor = unread
            self._deaf.clear()
        if address in self._deaf:
            return False
        self._probe = address, unread, self._clock()
        return True

    def _probe_has_ended(self, probe: tuple[Hashable, int, float], unread: int) -> bool:
        address, unread_before, since = probe
        if unread > unread_before:
            if self._clock() - since < _PATIENCE:
                return False
            self._deaf.add(address)
            self._floor = unread
        self._probe = None
        return True


if sys.platform == "linux":
    import fcntl
    import termios

    def unread_by_peers(sock: _socket.socket) -> int | None:
        """Bytes of the socket's send buffer that are taken (``SIOCOUTQ``, unix(7)); None if this system cannot tell, or need not."""
        try:
            return int.from_bytes(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        except (OSError, ValueError):  # closed meanwhile
            return 0
else:

    def unread_by_peers(sock: _socket.socket) -> int | None:
        """Bytes of the socket's send buffer that are taken; None if this system cannot tell, or need not: others charge the receiver."""
        return None
