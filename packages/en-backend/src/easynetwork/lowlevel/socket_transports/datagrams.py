# SPDX-License-Identifier: Apache-2.0
"""Datagram sockets.

asyncio's own datagram transports read one datagram for each question to the selector, into a fresh
buffer of 256 KiB. Here a receive tries the socket first, so a burst of datagrams costs one
question, and only one that finds nothing waits.
"""

from __future__ import annotations

import contextlib
import errno
import socket as _socket
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from time import monotonic
from types import coroutine
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from easynetwork.exceptions import UnsupportedOperation

from ..backoff import backoff
from ..datagrams import ControlDatagramEndpoint, ControlDatagramListener
from ..defaults import LARGEST_DATAGRAM, TURN
from ..socket import INETSocketAttribute, new_socket_address
from ..socket_errors import UNREACHED_PEER
from ..streams import ClosedListenerError, RawControlMessage
from ..unix_messages import CLOSE_ON_EXEC, Message, UnixReads, UnixSends
from .streams import socket_attributes

if TYPE_CHECKING:
    from ..unix_files import SocketFile
    from .watch import SocketWatcher

__all__ = ("SocketDatagramEndpoint", "SocketDatagramListener")

_T = TypeVar("_T")
_Data = bytes | bytearray | memoryview

_FULL: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR, errno.ENOBUFS})

_ERROR_QUEUE: Final[int] = getattr(_socket, "MSG_ERRQUEUE", 0)  # Linux has one
_AF_UNIX: Final[int | None] = getattr(_socket, "AF_UNIX", None)


class _SocketDatagrams:
    """What both have in common.

    Args:
        sock: a bound or connected, non-blocking UDP or Unix socket, which belongs to this object
            from now on.
        file: what to remove when it is closed.
    """

    send_timeout: float
    _ignored_errors: frozenset[int] = frozenset()

    def __init__(
        self,
        watcher: SocketWatcher,
        sock: _socket.socket,
        file: SocketFile | None = None,
    ) -> None:
        self._watcher = watcher
        self._socket = sock
        self._file = file
        self._closing = False
        self._is_unix = sock.family == _AF_UNIX
        self._watch = watcher.watch_socket(sock)
        self._turn_ends = 0.0
        self._unix_reads = UnixReads(sock) if self._is_unix else None
        self._recvmsg = self._recvmsg_udp if self._unix_reads is None else self._unix_reads.recvmsg
        self._sendmsg: Callable[..., object] = getattr(sock, "sendmsg", _no_control_messages)

    def backend(self) -> SocketWatcher:
        return self._watcher

    def is_closing(self) -> bool:
        return self._closing

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return socket_attributes(self._socket)

    async def aclose(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._watch.stop(self._closed_error())
        self._socket.close()
        if self._file is not None:
            self._file.remove()

    def _closed_error(self) -> OSError:
        return OSError(errno.EBADF, "the socket was closed on this side")

    # receiving

    @coroutine
    def _receive(self, read: Callable[[int], _T], size: int, deadline: float | None) -> Generator[Any, None, _T]:
        my_turn = monotonic() < self._turn_ends
        woken = False
        while True:
            if my_turn:
                try:
                    return read(size)
                except (BlockingIOError, InterruptedError):
                    if woken:
                        self._forget_errors()  # what else would have woken it?
                except OSError as exc:
                    self._check_received(exc)
                    continue
            if self._closing:
                raise self._closed_error()
            try:
                yield from self._watch.until_readable(deadline)
            except TimeoutError:
                return self._last_try(read, size)
            self._turn_ends = monotonic() + TURN
            my_turn = woken = True

    def _last_try(self, read: Callable[[int], _T], size: int) -> _T:
        """The deadline is over: a datagram may be here all the same, and nobody had the time to
        tell.
        """
        while True:
            try:
                return read(size)
            except (BlockingIOError, InterruptedError):
                raise TimeoutError("no datagram came in time") from None
            except OSError as exc:
                self._check_received(exc)

    def _check_received(self, error: OSError) -> None:
        """Raises what has to be known."""
        if self._closing:
            raise self._closed_error() from None
        self._forget_errors()
        self._watch.error_was_taken()
        if error.errno not in self._ignored_errors:
            raise error

    def _forget_errors(self) -> None:
        """Empties the queue that ``IP_RECVERR`` fills (ip(7)): with an error in it, a socket counts
        as ready for ever, and the next call fails.
        """
        if _ERROR_QUEUE and not self._is_unix:
            with contextlib.suppress(OSError):  # it is empty; its size is limited by the receive buffer
                while True:
                    self._socket.recvmsg(0, 0, _ERROR_QUEUE)

    def _recvmsg_udp(self, control_bufsize: int) -> Message:
        return self._socket.recvmsg(LARGEST_DATAGRAM, control_bufsize, CLOSE_ON_EXEC)

    # sending

    async def _send_later(self, send_nowait: Callable[..., bool], *arguments: Any) -> None:
        """Tries again and again.

        A Unix socket is writable though its peer's queue is full, so nothing could be waited for.
        """
        gives_up = self._watcher.current_time() + self.send_timeout
        for pause in backoff():
            if self._watcher.current_time() >= gives_up:
                break
            await self._watcher.sleep(pause)
            if send_nowait(*arguments):
                return
        raise OSError(errno.ENOBUFS, f"the peer has taken nothing for {self.send_timeout:g} seconds")


class SocketDatagramListener(_SocketDatagrams, ControlDatagramListener):
    """A `ControlDatagramListener` over a bound socket."""

    _ignored_errors = UNREACHED_PEER

    def __init__(
        self,
        watcher: SocketWatcher,
        sock: _socket.socket,
        file: SocketFile | None = None,
    ) -> None:
        super().__init__(watcher, sock, file)
        self._sendto: Callable[[_Data, Any], object] = sock.sendto
        self._read = sock.recvfrom if self._unix_reads is None else self._unix_reads.recvfrom
        if self._is_unix:
            sends = UnixSends(sock, watcher.current_time)
            self._sendto, self._sendmsg = sends.sendto, sends.sendmsg

    def _closed_error(self) -> OSError:
        return ClosedListenerError(errno.EBADF, "the listener is closed")

    def receive(self, deadline: float | None = None) -> Coroutine[Any, Any, tuple[bytes, Any]]:
        return self._receive(self._read, LARGEST_DATAGRAM, deadline)  # pyright: ignore[reportReturnType]  # as in SocketStream

    def receive_message(self, control_bufsize: int, deadline: float | None = None) -> Coroutine[Any, Any, Message]:
        return self._receive(self._recvmsg, control_bufsize, deadline)  # pyright: ignore[reportReturnType]  # as above

    def interrupt_receive(self, error: Exception) -> None:
        self._watch.interrupt_reader(error)

    def send_nowait(self, data: _Data, address: Any) -> bool:
        try:
            self._sendto(data, address)
        except OSError as exc:
            return self._send_again(exc, self._sendto, data, address)
        return True

    def send_message_nowait(self, data: _Data, messages: Sequence[RawControlMessage], address: Any) -> bool:
        try:
            self._sendmsg((data,), messages, 0, address)
        except OSError as exc:
            return self._send_again(exc, self._sendmsg, (data,), messages, 0, address)
        return True

    def _send_again(self, error: OSError, send: Callable[..., object], *arguments: Any) -> bool:
        """The error may be somebody else's that was pending on the socket (``IP_RECVERR``, ip(7));
        the second one is our own.
        """
        if error.errno in UNREACHED_PEER and not self._is_unix:
            self._forget_errors()
            try:
                send(*arguments)
            except OSError as exc:
                error = exc
            else:
                return True
        if error.errno in _FULL:
            return False
        raise self._closed_error() if self._closing else error

    async def send(self, data: _Data, address: Any) -> None:
        if not self.send_nowait(data, address):
            await self._send_later(self.send_nowait, data, address)

    async def send_message(self, data: _Data, messages: Sequence[RawControlMessage], address: Any) -> None:
        if not self.send_message_nowait(data, messages, address):
            await self._send_later(self.send_message_nowait, data, messages, address)


class SocketDatagramEndpoint(_SocketDatagrams, ControlDatagramEndpoint):
    """A `ControlDatagramEndpoint` over a connected socket."""

    def __init__(
        self,
        watcher: SocketWatcher,
        sock: _socket.socket,
        file: SocketFile | None = None,
    ) -> None:
        super().__init__(watcher, sock, file)
        self._read: Callable[[int], bytes] = sock.recv if self._unix_reads is None else self._unix_reads.recv

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        sock = self._socket
        return {
            **super().extra_attributes,
            INETSocketAttribute.peername: lambda: new_socket_address(sock.getpeername(), sock.family),
        }

    def receive(self, deadline: float | None = None) -> Coroutine[Any, Any, bytes]:
        return self._receive(self._read, LARGEST_DATAGRAM, deadline)  # pyright: ignore[reportReturnType]  # as in SocketStream

    def receive_message(
        self, control_bufsize: int, deadline: float | None = None
    ) -> Coroutine[Any, Any, tuple[bytes, list[RawControlMessage], int]]:
        return self._receive(self._recvmsg_of_peer, control_bufsize, deadline)  # pyright: ignore[reportReturnType]  # as above

    def _recvmsg_of_peer(self, control_bufsize: int) -> tuple[bytes, list[RawControlMessage], int]:
        return self._recvmsg(control_bufsize)[:3]

    async def send(self, data: _Data) -> None:
        if not self._send_nowait(self._socket.send, data):
            await self._send_later(self._send_nowait, self._socket.send, data)

    async def send_message(self, data: _Data, messages: Sequence[RawControlMessage]) -> None:
        if not self._send_nowait(self._sendmsg, (data,), messages):
            await self._send_later(self._send_nowait, self._sendmsg, (data,), messages)

    def _send_nowait(self, send: Callable[..., object], *arguments: Any) -> bool:
        try:
            send(*arguments)
        except OSError as exc:
            if exc.errno in _FULL:
                return False
            raise self._closed_error() if self._closing else exc from None
        return True


def _no_control_messages(*_: object) -> NoReturn:
    raise UnsupportedOperation("control messages are not supported on this platform")
