# SPDX-License-Identifier: Apache-2.0
"""A connected stream socket: nothing is read ahead, and nothing is kept that could not be sent."""

from __future__ import annotations

import errno
import math
import socket as _socket
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from easynetwork.exceptions import BusyResourceError

from ..closing import reset_on_close, unacknowledged_bytes, wait_until_delivered
from ..socket import INETSocketAttribute, SocketProxy, new_socket_address
from ..socket_errors import stream_error
from ..streams import ByteStream, SendStalledError

if TYPE_CHECKING:
    from ..api_async.backend._sync import IEvent
    from .watch import SocketWatcher

__all__ = ("SocketStream", "closed_error", "socket_attributes")


class SocketStream(ByteStream):
    """A `ByteStream` over a connected, non-blocking TCP socket, which it owns from now on."""

    def __init__(self, watcher: SocketWatcher, sock: _socket.socket) -> None:
        self._watcher = watcher
        self._socket = sock
        self._watch = watcher.watch_socket(sock)
        self.until_readable = self._watch.until_readable  # type: ignore[method-assign]  # one call less for each packet
        self._closing = False
        self._released: IEvent | None = None

    def backend(self) -> SocketWatcher:
        return self._watcher

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

    def receive_nowait(self, max_bytes: int) -> bytes | None:
        if self._closing:
            raise closed_error()
        try:
            return self._socket.recv(max_bytes)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as exc:
            raise stream_error(exc) from None

    def until_readable(self, deadline: float | None = None) -> Iterable[Any]:
        raise NotImplementedError  # each stream has its watch's own

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

    def until_writable(self) -> Iterable[Any]:
        if math.isinf(self.send_timeout):
            return self._watch.wait_writable().__await__()
        return self._wait_for_progress().__await__()

    async def _wait_for_progress(self) -> None:
        """Waits until the socket is writable, as long as the peer takes something.

        The kernel may call it writable much later (a third is free).
        """
        left = unacknowledged_bytes(self._socket)
        while True:
            with self._watcher.move_on_after(self.send_timeout) as scope:
                await self._watch.wait_writable()
            if not scope.cancelled_caught():
                return
            before, left = left, unacknowledged_bytes(self._socket)
            if left is None or before is None or left >= before:
                self.abort()
                raise SendStalledError(errno.ETIMEDOUT, f"the peer has taken nothing for {self.send_timeout:g} seconds")

    async def send_eof(self) -> None:
        if self._closing:
            raise closed_error()
        if self._has_sender:
            raise BusyResourceError("another task is sending to this stream")
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
            delivered = await wait_until_delivered(self._socket, self._watcher, self.shutdown_timeout)
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
                self._released = self._watcher.create_event()
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
