# SPDX-License-Identifier: Apache-2.0
"""Streams that end in the same process, with the bounds and the errors of real ones."""

from __future__ import annotations

import errno
import itertools
import math
import socket as _socket
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from easynetwork.exceptions import BusyResourceError

from ..socket import INETSocketAttribute, IPv4SocketAddress
from ..streams import ByteStream, ClosedListenerError, SendStalledError, StreamListener
from ._signal import Signal
from .memory_sockets import InetAddress, MemorySocket, loopback

if TYPE_CHECKING:
    from ..api_async.backend.abc import AsyncBackend

__all__ = ("MemoryListener", "MemoryStream", "memory_stream_pair")

_CAPACITY: Final = 65536
"""Bytes on their way in one direction: enough for a few packets, and small enough that tests meet
the limit."""

_BACKLOG: Final = 128
"""Connections that wait to be accepted, as many as some kernels allow."""

_HERE: Final = IPv4SocketAddress("127.0.0.1", 1)
_THERE: Final = IPv4SocketAddress("127.0.0.1", 2)


class _Pipe:
    """One direction."""

    def __init__(self, backend: AsyncBackend, capacity: int) -> None:
        self.changed = Signal(backend)
        self.capacity = capacity
        self.data = bytearray()
        self.ended = False  # in order: what is in it can still be read
        self.broken = False  # by an abort of either side

    def put(self, data: memoryview) -> int:
        size = min(len(data), self.capacity - len(self.data))
        self.data += data[:size]
        self.changed.fire()
        return size

    def take(self, size: int) -> bytes:
        taken = bytes(self.data[:size])
        del self.data[:size]
        self.changed.fire()
        return taken

    def end(self) -> None:
        self.ended = True
        self.changed.fire()

    def break_off(self) -> None:
        self.broken = True
        self.data.clear()
        self.changed.fire()


class MemoryStream(ByteStream):
    """One end of `memory_stream_pair`."""

    def __init__(
        self,
        backend: AsyncBackend,
        incoming: _Pipe,
        outgoing: _Pipe,
        sockname: InetAddress,
        peername: InetAddress,
    ) -> None:
        self._backend = backend
        self._incoming = incoming
        self._outgoing = outgoing
        self._socket = MemorySocket(_socket.SOCK_STREAM, sockname, peername)
        self._sockname = sockname
        self._peername = peername
        self._closing = False
        self._receiving = False
        self._interruption: Exception | None = None

    def backend(self) -> AsyncBackend:
        return self._backend

    def is_closing(self) -> bool:
        return self._closing

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return {
            INETSocketAttribute.socket: lambda: self._socket,
            INETSocketAttribute.family: lambda: self._socket.family,
            INETSocketAttribute.sockname: lambda: self._sockname,
            INETSocketAttribute.peername: self._get_peername,
        }

    def _get_peername(self) -> InetAddress:
        if self._incoming.broken:  # a socket forgets its peer when the connection is lost
            raise OSError(errno.ENOTCONN, "the connection is gone")
        return self._peername

    def receive_nowait(self, max_bytes: int) -> bytes | None:
        return self._incoming.take(max_bytes) if self._can_receive() else None

    def until_readable(self, deadline: float | None = None) -> Iterable[Any]:
        return self._wait_for_data(deadline).__await__()

    async def _wait_for_data(self, deadline: float | None) -> None:
        if self._receiving:
            raise BusyResourceError("another task is receiving from this stream")
        self._receiving = True
        try:
            await self._incoming.changed.wait_until(self._can_receive, deadline)
        finally:
            self._receiving = False
            self._interruption = None

    def interrupt_receive(self, error: Exception) -> None:
        if self._receiving:
            self._interruption = error
            self._incoming.changed.fire()

    def _can_receive(self) -> bool:
        if self._interruption is not None:
            raise self._interruption
        self._check_usable(self._incoming)
        return bool(self._incoming.data) or self._incoming.ended

    def send_nowait(self, data: bytes | bytearray | memoryview) -> int:
        return 0 if self._has_sender or not self._can_send() else self._outgoing.put(memoryview(data))

    def until_writable(self) -> Iterable[Any]:
        return self._wait_until_writable().__await__()

    async def _wait_until_writable(self) -> None:
        limit = None if math.isinf(self.send_timeout) else self._backend.current_time() + self.send_timeout
        try:
            await self._outgoing.changed.wait_until(self._can_send, limit)
        except TimeoutError:  # whatever the peer takes makes room here, so it has taken nothing
            self.abort()
            raise SendStalledError(errno.ETIMEDOUT, "the peer has taken nothing for too long") from None

    def _can_send(self) -> bool:
        pipe = self._outgoing
        self._check_usable(pipe)
        if pipe.ended:
            raise BrokenPipeError(errno.EPIPE, "the sending side was ended")
        return len(pipe.data) < pipe.capacity

    def _check_usable(self, pipe: _Pipe) -> None:
        if self._closing:
            raise ConnectionAbortedError(errno.ECONNABORTED, "the stream was closed on this side")
        if pipe.broken:
            raise ConnectionResetError(errno.ECONNRESET, "the peer has closed the connection")

    async def send_eof(self) -> None:
        self._check_usable(self._outgoing)
        self._outgoing.end()

    async def aclose(self) -> None:
        if not self._closing:
            self._closing = True
            self._outgoing.end()
            self._incoming.break_off()

    def abort(self) -> None:
        if not self._closing:
            self._closing = True
            self._outgoing.break_off()
            self._incoming.break_off()


def memory_stream_pair(
    backend: AsyncBackend,
    *,
    capacity: int = _CAPACITY,
    addresses: tuple[InetAddress, InetAddress] = (_HERE, _THERE),
) -> tuple[MemoryStream, MemoryStream]:
    """Two connected streams.

    Args:
        capacity: bytes that may be on their way in one direction; a sender waits beyond it.
        addresses: of the first and of the second.
    """
    there, back = _Pipe(backend, capacity), _Pipe(backend, capacity)
    first, second = addresses
    return MemoryStream(backend, back, there, first, second), MemoryStream(backend, there, back, second, first)


class MemoryListener(StreamListener):
    """A listener that is connected to by a method, and that can be made to fail.

    Args:
        address: where it says that it listens.
        backlog: connections that may wait to be accepted; more are refused.
    """

    def __init__(self, backend: AsyncBackend, address: InetAddress = _HERE, *, backlog: int = _BACKLOG) -> None:
        self._backend = backend
        self._address = address
        self.backlog = backlog
        self._socket = MemorySocket(_socket.SOCK_STREAM, address)
        self._arrived = Signal(backend)
        self._waiting: deque[MemoryStream | OSError] = deque()
        self._peer_ports = itertools.count(2)
        self._closing = False

    def backend(self) -> AsyncBackend:
        return self._backend

    def is_closing(self) -> bool:
        return self._closing

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return {
            INETSocketAttribute.socket: lambda: self._socket,
            INETSocketAttribute.family: lambda: self._socket.family,
            INETSocketAttribute.sockname: lambda: self._address,
        }

    def connect(self, *, source: InetAddress | None = None, destination: InetAddress | None = None) -> MemoryStream:
        """Gives the peer's end of a new connection, whose other end waits to be accepted.

        Args:
            source: the peer's address; by default this host's, with a port that no other peer has.
            destination: the address that it connects to, where that is not the listener's own
                (which may be a wildcard).

        Raises:
            ConnectionRefusedError: the listener is closed, or too many connections wait.
        """
        if self._closing or len(self._waiting) >= self.backlog:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"{self._address} takes no connections")
        source = source or loopback(self._address, next(self._peer_ports))
        ours, theirs = memory_stream_pair(self._backend, addresses=(destination or self._address, source))
        self._add(ours)
        return theirs

    def fail(self, error: OSError) -> None:
        """Makes one `accept` raise ``error``, in its turn."""
        self._add(error)

    def _add(self, arrival: MemoryStream | OSError) -> None:
        self._waiting.append(arrival)
        self._arrived.fire()

    def accept_nowait(self) -> ByteStream | None:
        if not self._can_accept():
            return None
        arrival = self._waiting.popleft()
        if isinstance(arrival, OSError):
            raise arrival
        return arrival

    async def accept(self) -> ByteStream:
        await self._arrived.wait_until(self._can_accept)
        stream = self.accept_nowait()
        assert stream is not None
        return stream

    def _can_accept(self) -> bool:
        if self._closing:
            raise ClosedListenerError(errno.EBADF, "the listener is closed")
        return bool(self._waiting)

    async def aclose(self) -> None:
        self._closing = True
        while self._waiting:
            arrival = self._waiting.popleft()
            if isinstance(arrival, MemoryStream):
                arrival.abort()
        self._arrived.fire()
