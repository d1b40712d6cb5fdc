# SPDX-License-Identifier: Apache-2.0
"""A connected stream socket, owned by us and watched by the event loop.

The loop's own stream transports are not used: they read ahead, keep a write buffer of their own and close as they like (docs/design/seam.md has
the figures). Here the loop only says "readable" and "writable", and the task that waits reads for itself, inside of that callback (see `Waiter`).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket as _socket
from collections.abc import Callable, Coroutine, Generator, Mapping
from types import coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from easynetwork.exceptions import BusyResourceError
from easynetwork.lowlevel.closing import reset_on_close, wait_until_delivered
from easynetwork.lowlevel.socket import (
    INETSocketAttribute,
    SocketProxy,
    new_socket_address,
    set_tcp_keepalive,
    set_tcp_nodelay,
)
from easynetwork.lowlevel.socket_errors import stream_error
from easynetwork.lowlevel.streams import ByteStream, GetBuffer

from .readable import Readable

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend

__all__ = ("SocketStream", "closed_error", "prepared_stream", "socket_attributes")

_T = TypeVar("_T")


class SocketStream(ByteStream):
    """A `ByteStream` over a connected, non-blocking TCP socket, which it owns from now on."""

    def __init__(self, backend: AsyncBackend, loop: asyncio.AbstractEventLoop, sock: _socket.socket) -> None:
        self._backend = backend
        self._loop = loop
        self._socket = sock
        self._fd = sock.fileno()
        self._closing = False
        self._closed: asyncio.Future[None] | None = None
        # One read at a time.
        self._recv: Callable[[int], bytes] = sock.recv
        self._readable = Readable(loop, self._fd)
        # One write at a time: who waits, and for what to leave.
        self._writer: asyncio.Future[None] | None = None
        self._unsent = memoryview(b"")

    def backend(self) -> AsyncBackend:
        return self._backend

    def is_closing(self) -> bool:
        return self._closing

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        sock = self._socket
        return {
            **socket_attributes(sock),
            INETSocketAttribute.peername: lambda: new_socket_address(sock.getpeername(), sock.family),
        }

    # receiving

    def receive(self, max_bytes: int, deadline: float | None = None) -> Coroutine[Any, Any, bytes]:
        return self._receive(self._recv, max_bytes, deadline)  # pyright: ignore[reportReturnType]  # typeshed forgets what @coroutine makes

    def receive_into(self, get_buffer: GetBuffer, deadline: float | None = None) -> Coroutine[Any, Any, int]:
        return self._receive(self._recv_into, get_buffer, deadline)  # pyright: ignore[reportReturnType]  # as above

    def _recv_into(self, get_buffer: GetBuffer) -> int:
        return self._socket.recv_into(get_buffer())

    @coroutine  # and no `async def`: the wait below is spelled out, because a generator of its own for each read is measurable
    def _receive(self, read: Callable[[Any], _T], argument: Any, deadline: float | None) -> Generator[Any, None, _T]:
        if self._closing:
            raise closed_error()
        if deadline is not None and deadline <= self._loop.time():
            yield  # the other tasks' turn: a handler may ask like this for ever
            return self._receive_at_once(read, argument)
        try:
            while True:
                yield self._readable.waited_for(deadline)
                try:
                    return read(argument)
                except (BlockingIOError, InterruptedError):
                    pass  # not ready after all, as select(2) warns
        except OSError as exc:
            raise stream_error(exc) from None

    def _receive_at_once(self, read: Callable[[Any], _T], argument: Any) -> _T:
        """There is no time left to be told that data is there, but it may be there."""
        if self._closing:
            raise closed_error()
        if self._readable.is_waited_for:
            raise BusyResourceError("another task is receiving from this stream")
        try:
            return read(argument)
        except (BlockingIOError, InterruptedError):
            raise TimeoutError("no data has come yet") from None
        except OSError as exc:
            raise stream_error(exc) from None

    # sending

    def send_nowait(self, data: bytes | bytearray | memoryview) -> int:
        if self._writer is not None:
            return 0
        if self._closing:
            raise closed_error()
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as exc:
            raise stream_error(exc) from None

    async def send(self, data: bytes | bytearray | memoryview) -> None:
        if self._writer is not None:
            raise BusyResourceError("another task is sending to this stream")
        sent = self.send_nowait(data)
        if sent < len(data):
            await self._send_rest(memoryview(data), sent)

    async def _send_rest(self, data: memoryview, sent: int) -> None:
        self._unsent = data[sent:]
        self._writer = waiter = self._loop.create_future()
        self._loop.add_writer(self._fd, self._on_writable)
        try:
            await waiter
        except BaseException:
            if 0 < len(self._unsent) < len(data):
                self.abort()  # the peer has a fragment, and nothing may follow it
            raise
        finally:
            self._writer = None
            self._unsent = memoryview(b"")
            if self._socket.fileno() >= 0:
                self._loop.remove_writer(self._fd)

    def _on_writable(self) -> None:
        waiter = self._writer
        if waiter is None or waiter.done():
            return
        try:
            sent = self._socket.send(self._unsent)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exc:
            waiter.set_exception(stream_error(exc))
            return
        self._unsent = self._unsent[sent:]
        if not self._unsent:
            waiter.set_result(None)

    async def send_eof(self) -> None:
        if self._closing:
            raise closed_error()
        if self._writer is not None:
            raise BusyResourceError("another task is sending to this stream")
        try:
            self._socket.shutdown(_socket.SHUT_WR)
        except OSError as exc:
            raise stream_error(exc) from None

    # closing

    async def aclose(self) -> None:
        if self._closing:
            if self._closed is not None:
                await asyncio.shield(self._closed)
            return
        self._closing = True
        self._closed = self._loop.create_future()
        self._wake_all()
        try:
            delivered = await wait_until_delivered(self._socket, self._backend)
        except BaseException:
            self.abort()
            raise
        if not delivered:
            reset_on_close(self._socket)
        self._release()

    def abort(self) -> None:
        self._closing = True
        if self._socket.fileno() >= 0:
            reset_on_close(self._socket)
            self._wake_all()
            self._release()

    def _wake_all(self) -> None:
        self._readable.wake_soon(closed_error())
        if self._writer is not None and not self._writer.done():
            self._writer.set_exception(closed_error())

    def _release(self) -> None:
        """Gives the descriptor back, after telling the loop."""
        if self._socket.fileno() >= 0:
            self._readable.stop(closed_error())
            self._loop.remove_writer(self._fd)
            self._socket.close()
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)


def socket_attributes(sock: _socket.socket) -> Mapping[Any, Callable[[], Any]]:
    """What streams and listeners tell of their sockets."""
    return {
        INETSocketAttribute.socket: lambda: SocketProxy(sock),
        INETSocketAttribute.family: lambda: sock.family,
        INETSocketAttribute.sockname: lambda: new_socket_address(sock.getsockname(), sock.family),
    }


def prepared_stream(backend: AsyncBackend, loop: asyncio.AbstractEventLoop, sock: _socket.socket) -> SocketStream:
    """A stream of a connected TCP socket, set up as packets want it: sent at once, and a dead peer is noticed in the end."""
    sock.setblocking(False)
    for set_option in (set_tcp_nodelay, set_tcp_keepalive):
        with contextlib.suppress(OSError):
            set_option(sock, True)
    return SocketStream(backend, loop, sock)


def closed_error() -> ConnectionAbortedError:
    """What a stream tells that was closed or aborted on this side."""
    return ConnectionAbortedError(errno.ECONNABORTED, "the stream was closed on this side")
