# SPDX-License-Identifier: Apache-2.0
"""The blocking UDP client."""

from __future__ import annotations

import socket as _socket
from typing import TYPE_CHECKING, TypeVar

from ._arguments import check_datagram_protocol, check_inet_family, closed_on_error, inet_address_or_socket
from ._blocking_connect import connect_udp
from ._blocking_datagram import BlockingDatagramSocket
from ._datagram_blocking import DatagramClientCore
from ._names import HasInetAddresses
from ._time_limits import check_seconds

if TYPE_CHECKING:
    from easynetwork.protocol import DatagramProtocol

__all__ = ("UDPNetworkClient",)

_SentT = TypeVar("_SentT")
_ReceivedT = TypeVar("_ReceivedT")


class UDPNetworkClient(DatagramClientCore[_SentT, _ReceivedT, BlockingDatagramSocket], HasInetAddresses):
    """Exchanges packets with one peer, each in a datagram of its own, which may be lost.

    An empty datagram is a datagram. That the peer could not be reached (``ConnectionRefusedError``
    and the like) is known after sending, and then raised by the next operation, whichever it is;
    the client can be used again.

    Args:
        address_or_socket: the peer's host and port, or a connected socket, which the client owns
            from now on.
        protocol: turns packets into datagrams and back.
        retry_interval: seconds after which a waiting thread looks at the socket without having been
            woken. It matters only where closing the client in one thread does not wake the others
            by itself.
        local_address: host and port to send from.
        family: `socket.AF_INET` or `socket.AF_INET6` leaves out the host's other addresses.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind or out of range.
        OSError: the host is unknown or cannot be sent to, or the socket is not connected.
    """

    def __init__(
        self,
        address_or_socket: tuple[str, int] | _socket.socket,
        /,
        protocol: DatagramProtocol[_SentT, _ReceivedT],
        *,
        retry_interval: float = 1.0,
        local_address: tuple[str, int] | None = None,
        family: int = _socket.AF_UNSPEC,
    ) -> None:
        with closed_on_error(address_or_socket):
            address, sock = inet_address_or_socket(address_or_socket, _socket.SOCK_DGRAM)
            check_datagram_protocol(protocol)
            check_seconds("retry_interval", retry_interval, zero=False)
            check_inet_family(family)
            if sock is None:
                assert address is not None
                sock = connect_udp(*address, local_address=local_address, family=family)
        with closed_on_error(sock):
            super().__init__(BlockingDatagramSocket(sock, retry_interval), protocol)
