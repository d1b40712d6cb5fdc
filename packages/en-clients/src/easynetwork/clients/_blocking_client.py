# SPDX-License-Identifier: Apache-2.0
"""What all blocking clients have in common: whose turn it is, and the way out when one thread
closes the client.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Generic, TypeVar

from easynetwork.exceptions import ClientClosedError
from easynetwork.lowlevel.socket import ISocket, SocketProxy, new_socket_address

from ._blocking_transport import BlockingTransport
from ._time_limits import remaining
from .abc import AbstractNetworkClient

if TYPE_CHECKING:
    from easynetwork.lowlevel.socket import SocketAddress

__all__ = ("BlockingClient",)

_SentT = TypeVar("_SentT")
_ReceivedT = TypeVar("_ReceivedT")
_TransportT = TypeVar("_TransportT", bound=BlockingTransport)


class BlockingClient(AbstractNetworkClient[_SentT, _ReceivedT], Generic[_SentT, _ReceivedT, _TransportT]):
    """One thread sends and one receives at a time; the others wait for their turn."""

    def __init__(self, transport: _TransportT) -> None:
        self._send_lock = threading.Lock()
        self._receive_lock = threading.Lock()
        self._close_lock = threading.Lock()
        self._closing = False
        sock = transport.socket
        self._view = SocketProxy(sock)
        self._addresses = tuple(
            new_socket_address(name, sock.family) for name in (sock.getsockname(), sock.getpeername())
        )
        self._transport = transport

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        if getattr(self, "_transport", None) is not None and not self._closing:
            _warn(f"unclosed client {self!r}", ResourceWarning, source=self)
            self._abort()

    def _abort(self) -> None:
        self._transport.abort()

    @property
    def socket(self) -> ISocket:
        """A view of the socket, for options and the like."""
        return self._view

    def _socket_view(self) -> ISocket:
        return self._view

    def _sockname(self) -> SocketAddress:
        return self._addresses[0]

    def _peername(self) -> SocketAddress:
        return self._addresses[1]

    def fileno(self) -> int:
        return self._transport.socket.fileno()

    def is_closed(self) -> bool:
        return self._closing

    @contextlib.contextmanager
    def _turn(self, lock: threading.Lock, deadline: float) -> Generator[None, None, None]:
        """Waits until other threads are done with the same thing; that counts into the time-out."""
        left = remaining(deadline)
        if not lock.acquire(timeout=-1 if left is None else left):
            raise TimeoutError("another thread kept the client busy")
        try:
            self._check_open()
            try:
                yield
            except ConnectionError:
                self._check_open()  # another thread closed the client meanwhile
                raise
        finally:
            lock.release()

    def _check_open(self) -> None:
        if self._closing:
            raise ClientClosedError("the client is closed")

    def close(self) -> None:
        with self._close_lock:
            if not self._closing:
                self._closing = True
                self._close_transport()

    def _close_transport(self) -> None:
        nobody_sends = self._send_lock.acquire(blocking=False)
        nobody_receives = self._receive_lock.acquire(blocking=False)
        try:
            if nobody_sends:
                self._transport.finish(wait=nobody_receives)
            else:
                self._transport.break_off()  # the packet is cut
        finally:
            # Threads that waited are woken, and leave; new ones find the client closed.
            self._transport.interrupt()
            if not nobody_sends:
                self._send_lock.acquire()
            if not nobody_receives:
                self._receive_lock.acquire()
            self._transport.close()
            self._send_lock.release()
            self._receive_lock.release()
