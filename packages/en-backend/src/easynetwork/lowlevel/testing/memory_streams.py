# SPDX-License-Identifier: Apache-2.0
"""Streams that end in the same process, with the bounds and the errors of real ones."""

from __future__ import annotations

import contextlib
import errno
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from easynetwork.exceptions import BusyResourceError

from ..socket import INETSocketAttribute, IPv4SocketAddress
from ..streams import ByteStream, ClosedListenerError, GetBuffer, StreamListener

if TYPE_CHECKING:
    from ..api_async.backend.abc import AsyncBackend

__all__ = ("MemoryListener", "MemoryStream", "memory_stream_pair")

_CAPACITY: Final = 65536
"""Bytes on their way in one direction: enough for a few packets, and small enough that tests meet the limit."""


class _Signal:
    """Wakes everybody who waits for a change."""

    def __init__(self, backend: AsyncBackend) -> None:
        self._backend = backend
        self._event = backend.create_event()

    async def wait(self) -> None:
        await self._event.wait()

    def fire(self) -> None:
        event, self._event = self._event, self._backend.create_event()
        event.set()


class _Pipe:
    """One direction."""

    def __init__(self, backend: AsyncBackend, capacity: int) -> None:
        self.changed = _Signal(backend)
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

    def __init__(self, backend: AsyncBackend, incoming: _Pipe, outgoing: _Pipe) -> None:
        self._backend = backend
        self._incoming = incoming
        self._outgoing = outgoing
        self._closing = False
        self._receiving = False
        self._sending = False

    def backend(self) -> AsyncBackend:
        return self._backend

    def is_closing(self) -> bool:
        return self._closing

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return {
            INETSocketAttribute.sockname: lambda: IPv4SocketAddress("127.0.0.1", 1),
            INETSocketAttribute.peername: lambda: IPv4SocketAddress("127.0.0.1", 2),
        }

    async def receive(self, max_bytes: int, deadline: float | None = None) -> bytes:
        if self._receiving:
            raise BusyResourceError("another task is receiving from this stream")
        self._receiving = True
        try:
            with contextlib.nullcontext() if deadline is None else self._backend.timeout_at(deadline):
                await self._wait_for_data()
        finally:
            self._receiving = False
        return self._incoming.take(max_bytes)

    async def receive_into(self, get_buffer: GetBuffer, deadline: float | None = None) -> int:
        await self.receive(0, deadline)  # waits, and takes nothing yet
        buffer = get_buffer()
        data = self._incoming.take(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    async def _wait_for_data(self) -> None:
        pipe = self._incoming
        while True:
            self._check_usable(pipe)
            if pipe.data or pipe.ended:
                return
            await pipe.changed.wait()

    async def send(self, data: bytes | bytearray | memoryview) -> None:
        if self._sending:
            raise BusyResourceError("another task is sending to this stream")
        self._sending = True
        left = whole = memoryview(data)
        try:
            while left:
                self._check_usable(self._outgoing)
                if self._outgoing.ended:
                    raise BrokenPipeError(errno.EPIPE, "the sending side was ended")
                left = left[self._outgoing.put(left) :]
                if left:
                    await self._outgoing.changed.wait()
        except BaseException:
            if len(left) < len(whole):
                self.abort()
            raise
        finally:
            self._sending = False

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


def memory_stream_pair(backend: AsyncBackend, *, capacity: int = _CAPACITY) -> tuple[MemoryStream, MemoryStream]:
    """Two connected streams.

    Args:
        capacity: bytes that may be on their way in one direction; a sender waits beyond it.
    """
    there, back = _Pipe(backend, capacity), _Pipe(backend, capacity)
    return MemoryStream(backend, back, there), MemoryStream(backend, there, back)


class MemoryListener(StreamListener):
    """A listener that is connected to by a method, and that can be made to fail."""

    def __init__(self, backend: AsyncBackend) -> None:
        self._backend = backend
        self._arrived = _Signal(backend)
        self._waiting: deque[MemoryStream | OSError] = deque()
        self._closing = False

    def backend(self) -> AsyncBackend:
        return self._backend

    def is_closing(self) -> bool:
        return self._closing

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return {INETSocketAttribute.sockname: lambda: IPv4SocketAddress("127.0.0.1", 1)}

    def connect(self) -> MemoryStream:
        """Gives the peer's end of a new connection, whose other end waits to be accepted."""
        ours, theirs = memory_stream_pair(self._backend)
        self._add(ours)
        return theirs

    def fail(self, error: OSError) -> None:
        """Makes one `accept` raise ``error``, in its turn."""
        self._add(error)

    def _add(self, arrival: MemoryStream | OSError) -> None:
        if self._closing:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "nobody listens")
        self._waiting.append(arrival)
        self._arrived.fire()

    async def accept(self) -> ByteStream:
        while True:
            if self._closing:
                raise ClosedListenerError(errno.EBADF, "the listener is closed")
            if self._waiting:
                arrival = self._waiting.popleft()
                if isinstance(arrival, OSError):
                    raise arrival
                return arrival
            await self._arrived.wait()

    async def aclose(self) -> None:
        self._closing = True
        while self._waiting:
            arrival = self._waiting.popleft()
            if isinstance(arrival, MemoryStream):
                arrival.abort()
        self._arrived.fire()
