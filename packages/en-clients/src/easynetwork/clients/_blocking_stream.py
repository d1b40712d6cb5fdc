# SPDX-License-Identifier: Apache-2.0
"""A connected stream socket for threads.

The asynchronous sibling is `easynetwork.lowlevel.streams.ByteStream`.
"""

from __future__ import annotations

import socket as _socket
import time
from abc import abstractmethod
from typing import TYPE_CHECKING

from easynetwork.lowlevel.closing import LingeringClose, reset_on_close
from easynetwork.lowlevel.socket_errors import stream_error

from ._blocking_transport import BlockingTransport
from ._polled_socket import PolledSocket

if TYPE_CHECKING:
    from easynetwork.lowlevel.unix_files import SocketFile

__all__ = ("BlockingByteStream", "BlockingSocketStream")


class BlockingByteStream(BlockingTransport):
    """Bytes both ways."""

    @abstractmethod
    def receive(self, max_bytes: int, deadline: float) -> bytes:
        """Waits for data; ``b""`` is the peer's orderly end. One that times out has taken nothing.

        Raises:
            TimeoutError: nothing came before the deadline.
            ConnectionError: the connection is lost, or was interrupted.
        """

    @abstractmethod
    def send(self, data: bytes, deadline: float) -> None:
        """Sends all of ``data``. If it fails after a part has left, the connection is broken off.

        Raises:
            TimeoutError: not all could be sent before the deadline.
            ConnectionError: the connection is lost, or was interrupted.
        """

    @abstractmethod
    def send_eof(self) -> None:
        """Ends the sending direction.

        Raises:
            UnsupportedOperation: it cannot be ended alone (TLS).
        """


class BlockingSocketStream(BlockingByteStream):
    """The plain one.

    Args:
        sock: a connected socket, owned from now on.
        longest_wait: seconds after which a waiting thread looks for itself, should the system have
            failed to wake it.
        file: what a Unix socket is bound to, removed when it is closed.
    """

    def __init__(self, sock: _socket.socket, longest_wait: float, file: SocketFile | None = None) -> None:
        self._socket = sock
        self._polled = PolledSocket(sock, longest_wait, file, translate=stream_error)

    @property
    def socket(self) -> _socket.socket:
        return self._socket

    def receive(self, max_bytes: int, deadline: float) -> bytes:
        data = self._polled.read(deadline, self._socket.recv, max_bytes)
        if not data:
            self._polled.check_usable()  # an end that is ours looks like the peer's
        return data

    def send(self, data: bytes, deadline: float) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[self._polled.write(deadline, self._socket.send, left) :]
        except BaseException:
            if len(left) < len(data):
                self.break_off()  # the peer has a fragment, and nothing may follow it
            raise

    def send_eof(self) -> None:
        self._polled.check_usable()
        try:
            self._socket.shutdown(_socket.SHUT_WR)
        except OSError as exc:
            raise stream_error(exc) from None

    def finish(self, *, wait: bool) -> None:
        if self._polled.interrupted:
            return
        # Threads that receive go on meanwhile: if the receiving side were shut down to wake them,
        # more input would make the kernel reset the connection before the peer has everything.
        delivery = LingeringClose(self._socket, time.monotonic())
        try:
            while (pause := delivery.pause(time.monotonic())) is not None:
                time.sleep(pause)
        finally:
            if not delivery.complete:
                reset_on_close(self._socket)

    def break_off(self) -> None:
        reset_on_close(self._socket)
        # The sending side stays open until the reset, because the peer must not take a fragment for
        # the whole.
        self._polled.interrupt(_socket.SHUT_RD)

    def interrupt(self) -> None:
        self._polled.interrupt()

    def close(self) -> None:
        self._polled.close()
