# SPDX-License-Identifier: Apache-2.0
"""A connected stream socket: nothing is read ahead, and nothing is kept that could not be sent."""

from __future__ import annotations

import errno
import math
import socket as _socket
from collections.abc import Callable, Coroutine, Generator, Mapping
from types import coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from easynetwork.exceptions import BusyResourceError

from ..closing import reset_on_close, unacknowledged_bytes, wait_until_delivered
from ..socket import INETSocketAttribute, SocketProxy, new_socket_address
from ..socket_errors import stream_error
from ..streams import ByteStream, GetBuffer, SendStalledError

if TYPE_CHECKING:
    from ..api_async.backend.abc import AsyncBackend, IEvent
    from .backend import SocketBackend

__all__ = ("SocketStream", "closed_error", "socket_attributes")

_T = TypeVar("_T")


class SocketStream(ByteStream):
    """A `ByteStream` over a connected, non-blocking TCP socket, which it owns from now on."""

    def __init__(self, backend: SocketBackend, sock: _socket.socket) -> None:
        self._backend = backend
        self._socket = sock
        self._watch = backend.watch_socket(sock)
        self._recv: Callable[[int], bytes] = sock.recv
        self._has_sender = False  # a task that waits until it can send more
        self._closing = False
        self._released: IEvent | None = None

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

    @coroutine
    def _receive(self, read: Callable[[Any], _T], argument: Any, deadline: float | None) -> Generator[Any, None, _T]:
        if self._closing:
            raise closed_error()
        if deadline is not None and deadline <= self._backend.current_time():
            yield from self._backend.coro_yield().__await__()  # the other tasks' turn: a handler may ask like this for ever
            return self._receive_at_once(read, argument)
        try:
            while True:
                yield from self._watch.until_readable(deadline)
                try:
                    return read(argument)
                except (BlockingIOError, InterruptedError):
                    pass  # not ready after all
        except OSError as exc:
            raise stream_error(exc) from None

    def _receive_at_once(self, read: Callable[[Any], _T], argument: Any) -> _T:
        """There is no time left to be told that data is there, but it may be there."""
        if self._closing:
            raise closed_error()
        if self._watch.has_reader:
            raise BusyResourceError("another task is receiving from this stream")
        try:
            return read(argument)
        except (BlockingIOError, InterruptedError):
            raise TimeoutError("no data has come yet") from None
        except OSError as exc:
            raise stream_error(exc) from None

    def interrupt_receive(self, error: Exception) -> None:
        self._watch.interrupt_reader(error)

    # sending

    def send_nowait(self, data: bytes | bytearray | memoryview) -> int:
        if self._has_sender:
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
        self._check_no_sender()
        sent = self.send_nowait(data)
        if sent < len(data):
            await self._send_rest(memoryview(data), sent)

    async def _send_rest(self, data: memoryview, sent: int) -> None:
        try:
            while sent < len(data):
                await self._wait_until_writable()
                sent += self.send_nowait(data[sent:])
        except BaseException:
            if sent:
                self.abort()  # the peer has a fragment, and nothing may follow it
            raise

    async def _wait_until_writable(self) -> None:
        self._has_sender = True
        try:
            if math.isinf(self.send_timeout):
                await self._watch.wait_writable()
            else:
                await self._wait_for_progress()
        finally:
            self._has_sender = False

    async def _wait_for_progress(self) -> None:
        """Waits until the socket is writable, as long as the peer takes something. The kernel may call it writable much later (a third is free)."""
        left = unacknowledged_bytes(self._socket)
        while True:
            with self._backend.move_on_after(self.send_timeout) as scope:
                await self._watch.wait_writable()
            if not scope.cancelled_caught():
                return
            before, left = left, unacknowledged_bytes(self._socket)
            if left is None or before is None or left >= before:
                self.abort()
                raise SendStalledError(errno.ETIMEDOUT, f"the peer has taken nothing for {self.send_timeout:g} seconds")

    def _check_no_sender(self) -> None:
        if self._has_sender:
            raise BusyResourceError("another task is sending to this stream")

    async def send_eof(self) -> None:
        if self._closing:
            raise closed_error()
        self._check_no_sender()
        try:
            self._socket.shutdown(_socket.SHUT_WR)
        except OSError as exc:
            raise stream_error(exc) from None

    # closing

    async def aclose(self) -> None:
        if self._closing:
            await self._wait_until_released()
            return
        self._closing = True
        self._watch.stop(closed_error())
        try:
            delivered = await wait_until_delivered(self._socket, self._backend, self.shutdown_timeout)
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
            self._release()

    async def _wait_until_released(self) -> None:
        if self._socket.fileno() >= 0:
            if self._released is None:
                self._released = self._backend.create_event()
            await self._released.wait()

    def _release(self) -> None:
        """Gives the descriptor back, after telling the event loop."""
        if self._socket.fileno() >= 0:
            self._watch.stop(closed_error())
            self._socket.close()
        if self._released is not None:
            self._released.set()


def socket_attributes(sock: _socket.socket) -> Mapping[Any, Callable[[], Any]]:
    """What streams and listeners tell of their sockets."""
    return {
        INETSocketAttribute.socket: lambda: SocketProxy(sock),
        INETSocketAttribute.family: lambda: sock.family,
        INETSocketAttribute.sockname: lambda: new_socket_address(sock.getsockname(), sock.family),
    }


def closed_error() -> ConnectionAbortedError:
    """What a stream tells that was closed or aborted on this side."""
    return ConnectionAbortedError(errno.ECONNABORTED, "the stream was closed on this side")
