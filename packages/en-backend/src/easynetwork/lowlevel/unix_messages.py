# SPDX-License-Identifier: Apache-2.0
"""How whole messages go through a Unix datagram socket, at once or not at all."""

from __future__ import annotations

import errno
import mmap
import socket as _socket
from collections.abc import Callable, Sequence
from typing import Any, Final

from .streams import RawControlMessage
from .unix_send_buffer import SharedSendBuffer, unread_by_peers

__all__ = ("CLOSE_ON_EXEC", "CONTROL_CUT", "DATA_CUT", "Message", "UnixReads", "UnixSends")

Message = tuple[bytes, list[RawControlMessage], int, Any]
"""What ``recvmsg()`` returns: data, control messages, flags, address."""

CLOSE_ON_EXEC: Final[int] = getattr(_socket, "MSG_CMSG_CLOEXEC", 0)
"""The flag for received descriptors, where the system has it."""

# As plain integers: operations of enumerations cost a microsecond.
DATA_CUT: Final = int(getattr(_socket, "MSG_TRUNC", 0))
"""The flag of a datagram that was longer than the buffer."""

CONTROL_CUT: Final = int(getattr(_socket, "MSG_CTRUNC", 0))
"""The flag of control messages that were longer than their buffer, or had no room in the process's
table of descriptors."""

_LARGEST: Final = 524288
"""Bytes: more than a datagram has whose sender left its buffer as it was (net.core.wmem_default,
208 KiB)."""


class UnixReads:
    """Reads of a socket whose datagrams are bounded by nothing but the sender's buffer."""

    def __init__(self, sock: _socket.socket) -> None:
        self._socket = sock
        # Its pages take no memory until a datagram has touched them; a bytearray would be filled
        # with zeros.
        self._buffer = mmap.mmap(-1, _LARGEST + 1, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    def recv(self, _: int) -> bytes:
        size = self._socket.recv_into(self._buffer)
        if size > _LARGEST:
            raise _cut_off()
        return self._buffer[:size]

    def recvfrom(self, _: int) -> tuple[bytes, Any]:
        size, address = self._socket.recvfrom_into(self._buffer)
        if size > _LARGEST:
            raise _cut_off()
        return self._buffer[:size], address

    def recvmsg(self, control_bufsize: int) -> Message:
        size, messages, flags, address = self._socket.recvmsg_into((self._buffer,), control_bufsize, CLOSE_ON_EXEC)
        return self._buffer[:size], messages, flags, address


class UnixSends:
    """Sends of a socket that has many peers, of which none may take all of its buffer."""

    def __init__(self, sock: _socket.socket, clock: Callable[[], float]) -> None:
        self._socket = sock
        size = sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF)
        self._admits = SharedSendBuffer(size, lambda: unread_by_peers(sock), clock).admits

    def sendto(self, data: bytes | bytearray | memoryview, address: Any) -> None:
        if not self._admits(len(data), address):
            raise _full()
        self._socket.sendto(data, address)

    def sendmsg(
        self,
        buffers: tuple[bytes | bytearray | memoryview],
        messages: Sequence[RawControlMessage],
        flags: int,
        address: Any,
    ) -> None:
        if not self._admits(len(buffers[0]), address):
            raise _full()
        self._socket.sendmsg(buffers, messages, flags, address)


def _cut_off() -> OSError:
    return OSError(errno.EMSGSIZE, f"a datagram of more than {_LARGEST} bytes was cut off, and is lost")


def _full() -> BlockingIOError:
    return BlockingIOError(errno.EAGAIN, "the peer has not read what was sent before")
