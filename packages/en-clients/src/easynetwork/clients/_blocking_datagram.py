# SPDX-License-Identifier: Apache-2.0
"""A connected datagram socket for threads.

The asynchronous sibling is `easynetwork.lowlevel.datagrams.DatagramEndpoint`.
"""

from __future__ import annotations

import socket as _socket
from typing import TYPE_CHECKING

from easynetwork.lowlevel.defaults import LARGEST_DATAGRAM

from ._blocking_transport import BlockingTransport
from ._polled_socket import PolledSocket

if TYPE_CHECKING:
    from easynetwork.lowlevel.unix_files import SocketFile

__all__ = ("BlockingDatagramSocket",)


class BlockingDatagramSocket(BlockingTransport):
    """One for UDP.

    Args:
        sock: a connected socket, owned from now on.
        longest_wait: seconds after which a waiting thread looks for itself, should the system have
            failed to wake it.
        file: what a Unix socket is bound to, removed when it is closed.
    """

    def __init__(self, sock: _socket.socket, longest_wait: float, file: SocketFile | None = None) -> None:
        self._socket = sock
        self._polled = PolledSocket(sock, longest_wait, file)

    @property
    def socket(self) -> _socket.socket:
        return self._socket

    def receive(self, deadline: float) -> bytes:
        """Waits for the next datagram, which may be empty. One that times out has taken none.

        Raises:
            TimeoutError: nothing came before the deadline.
            OSError: the peer could not be reached (an ICMP error), or the datagram was cut off
                (``EMSGSIZE``).
            ConnectionError: the socket was interrupted.
        """
        data = self._polled.read(deadline, self._socket.recv, LARGEST_DATAGRAM)
        if not data:
            self._polled.check_usable()  # an interruption looks like an empty datagram
        return data

    def send(self, data: bytes, deadline: float) -> None:
        """Sends ``data`` as one datagram.

        Raises:
            TimeoutError: the peer's queue was full until the deadline.
            OSError: the datagram is too long, or the peer could not be reached.
            ConnectionError: the socket was interrupted.
        """
        self._polled.write(deadline, self._socket.send, data)

    def finish(self, *, wait: bool) -> None:
        """There is nothing to wait for: a datagram that was sent has left."""

    def break_off(self) -> None:
        self._polled.interrupt()

    def interrupt(self) -> None:
        self._polled.interrupt()

    def close(self) -> None:
        self._polled.close()
