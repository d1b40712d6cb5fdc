# SPDX-License-Identifier: Apache-2.0
"""Room for everybody in the send buffer of a Unix datagram socket.

Linux charges a datagram to its sender's buffer until it is read, and knows no other limit for a
peer that is connected to the sender (``unix_dgram_sendmsg()`` in net/unix/af_unix.c looks at the
peer's queue only if it is not). So one peer that reads nothing could take all of the buffer, and
nobody would be answered any more. The kernel tells how much is unread, but not by whom. Therefore,
once half of the buffer is taken, one datagram at a time is sent; it takes no more than half of what
is left; and a peer that does not read its own in time is refused until something has been read, and
for twice as long each time. Many peers who conspire can still fill the buffer, a datagram each.
"""

from __future__ import annotations

import socket as _socket
import sys
from collections.abc import Callable, Hashable
from typing import Final, NamedTuple

__all__ = ("SharedSendBuffer", "unread_by_peers")

_PATIENCE: Final = 0.005
"""Seconds for a peer to read one datagram while the buffer is crowded, in which the others wait. To
be wrong about a slow one costs little."""

_REMEMBERED: Final = 1024
"""Refused peers that are told apart, so that whoever takes a new name for each request does not
fill our memory. The oldest are forgotten."""


class _Probe(NamedTuple):
    """The datagram that is under way."""

    address: Hashable
    since: float
    unread_before: int


class _Refusal(NamedTuple):
    """Of a peer that has not read its datagram in time."""

    times: int
    until: float
    readings: int
    """How many readings had been seen then."""


class SharedSendBuffer:
    """Decides who may send, without sending itself.

    Args:
        size: bytes of the buffer (``SO_SNDBUF``).
        unread: tells the bytes that are unread by all peers together.
        clock: tells the time, in seconds.
    """

    def __init__(self, size: int, unread: Callable[[], int], clock: Callable[[], float]) -> None:
        self._size = size
        self._unread = unread
        self._clock = clock
        self._at_most = 0  # unread bytes; asking the kernel each time would cost more than the rest
        self._probe: _Probe | None = None
        self._refused: dict[Hashable, _Refusal] = {}
        self._floor = size  # what is unread without the probe
        self._readings = 0

    def admits(self, size: int, address: Hashable) -> bool:
        """Tells whether a datagram of ``size`` bytes may be sent to ``address`` now, and takes it
        as sent.
        """
        cost = 2 * size + 1024  # what the kernel charges at most: its own records, and powers of two
        self._at_most += cost
        if self._at_most < self._size // 2:
            return True
        unread = self._at_most = self._unread()
        if unread < self._size // 2:
            self._probe = None
            self._refused.clear()
            return True
        now = self._clock()
        if self._is_probing(unread, now) or self._refuses(address, now) or cost > (self._size - unread) // 2:
            return False
        self._probe = _Probe(address, now, unread)
        return True

    def _is_probing(self, unread: int, now: float) -> bool:
        """Tells whether the last datagram is still under way, and draws the conclusions if it is
        not.
        """
        probe = self._probe
        if probe is not None and unread > probe.unread_before:
            if now - probe.since < _PATIENCE:
                return True
            before = self._refused.pop(probe.address, None)
            times = 1 if before is None else before.times + 1
            if len(self._refused) >= _REMEMBERED:
                del self._refused[next(iter(self._refused))]
            self._refused[probe.address] = _Refusal(times, now + _PATIENCE * 2**times, self._readings)
            self._floor = unread
        elif probe is not None:
            self._refused.pop(probe.address, None)
        self._probe = None
        if unread < self._floor:
            self._floor = unread
            self._readings += 1
        return False

    def _refuses(self, address: Hashable, now: float) -> bool:
        refusal = self._refused.get(address)
        return refusal is not None and (refusal.readings == self._readings or now < refusal.until)


if sys.platform == "linux":
    import fcntl
    import termios

    def unread_by_peers(sock: _socket.socket) -> int:
        """Bytes of the socket's send buffer that are taken (``SIOCOUTQ``)."""
        try:
            return int.from_bytes(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        except (OSError, ValueError):  # closed meanwhile
            return 0
else:

    def unread_by_peers(sock: _socket.socket) -> int:
        """Nothing: other systems charge a datagram to the receiver, whose buffer is nobody else's
        affair.
        """
        return 0
