# SPDX-License-Identifier: Apache-2.0
"""The blocking client of Unix datagram sockets."""

from __future__ import annotations

import socket as _socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from easynetwork.ancillary import RawControlMessage, SocketAncillary, raw_control_messages

from ._arguments import (
    UnixPath,
    check_datagram_protocol,
    closed_on_error,
    unix_address_or_socket,
    unix_answer_address,
)
from ._blocking_unix import BlockingUnixDatagramSocket
from ._control import check_ancillary, open_message
from ._datagram_blocking import DatagramClientCore
from ._names import HasUnixNames
from ._time_limits import check_seconds
from ._unix_connect import connect_unix

if TYPE_CHECKING:
    from easynetwork.protocol import DatagramProtocol

__all__ = ("UnixDatagramClient",)

_SentT = TypeVar("_SentT")
_ReceivedT = TypeVar("_ReceivedT")


class UnixDatagramClient(DatagramClientCore[_SentT, _ReceivedT, BlockingUnixDatagramSocket], HasUnixNames):
    """Exchanges packets with one peer, each in a datagram of its own.

    Packets may bring descriptors along.

    Unix datagrams are neither lost nor shuffled: while the peer's queue is full, `send_packet`
    waits.

    Args:
        address_or_socket: the peer's path or name, or a connected socket, which the client owns
            from now on.
        protocol: turns packets into datagrams and back.
        retry_interval: seconds after which a waiting thread looks at the socket without having been
            woken. It matters only where closing the client in one thread does not wake the others
            by itself.
        local_path: what the client is bound to, so that the peer can answer. By default the system
            chooses an abstract name; that exists on Linux only, elsewhere a path is required. A
            socket file is removed when the client is closed, if it is still the same.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind or out of range, or ``local_path``
            is missing.
        OSError: there is no such peer, or the socket is not connected.
        UnsupportedOperation: this system has no Unix sockets.
    """

    def __init__(
        self,
        address_or_socket: UnixPath | _socket.socket,
        /,
        protocol: DatagramProtocol[_SentT, _ReceivedT],
        *,
        retry_interval: float = 1.0,
        local_path: UnixPath | None = None,
    ) -> None:
        with closed_on_error(address_or_socket):
            address, sock = unix_address_or_socket(address_or_socket, _socket.SOCK_DGRAM)
            check_datagram_protocol(protocol)
            check_seconds("retry_interval", retry_interval, zero=False)
            file = None
            if sock is None:
                assert address is not None
                sock, file = connect_unix(address, _socket.SOCK_DGRAM, local_address=unix_answer_address(local_path))
            datagrams = BlockingUnixDatagramSocket(sock, retry_interval, file)
        with closed_on_error(datagrams):
            super().__init__(datagrams, protocol)

    def send_packet(
        self,
        packet: _SentT,
        *,
        ancillary_data: SocketAncillary | Iterable[RawControlMessage] | None = None,
        timeout: float | None = None,
    ) -> None:
        """As `AbstractNetworkClient.send_packet`, with control data if wanted.

        Args:
            packet: what to send.
            ancillary_data: goes with the packet. Descriptors stay the caller's, who may close them
                afterwards.
            timeout: seconds for all of it; None waits without limit.

        Raises:
            TimeoutError: the peer's queue was full all the time.
            OSError: the datagram is too long (``EMSGSIZE``), or the peer is gone.
            TypeError: ``ancillary_data`` is no control data.
        """
        if ancillary_data is None:
            return super().send_packet(packet, timeout=timeout)
        messages = raw_control_messages(ancillary_data)
        return self._send_through(
            lambda data, deadline: self._transport.send_message(data, messages, deadline), packet, timeout
        )

    def recv_packet(
        self,
        *,
        ancillary_data: SocketAncillary | None = None,
        ancillary_bufsize: int | None = None,
        timeout: float | None = None,
    ) -> _ReceivedT:
        """As `AbstractNetworkClient.recv_packet`, with the control data of the datagram if wanted;
        otherwise the system throws it away.

        Args:
            ancillary_data: where to put it; the descriptors are the caller's then.
            ancillary_bufsize: bytes that control data may have (8 KiB).
            timeout: seconds for all of it; None waits without limit.

        Raises:
            OSError: the datagram or its control data was cut off (``EMSGSIZE``), and is lost.
            TypeError, ValueError: ``ancillary_data`` cannot be filled, or ``ancillary_bufsize`` is
                no size, or alone.
        """
        bufsize = check_ancillary(ancillary_data, ancillary_bufsize)
        if ancillary_data is None:
            return super().recv_packet(timeout=timeout)
        message = self._receive_through(lambda deadline: self._transport.receive_message(bufsize, deadline), timeout)
        return open_message(message, self._decode, ancillary_data)
