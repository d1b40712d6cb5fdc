# SPDX-License-Identifier: Apache-2.0
"""The asynchronous UDP client."""

from __future__ import annotations

import socket as _socket
from typing import TYPE_CHECKING, TypeVar

from easynetwork.lowlevel.api_async.backend.utils import ensure_backend
from easynetwork.lowlevel.datagrams import DatagramEndpoint

from ._arguments import check_datagram_protocol, check_inet_family, closed_on_error, inet_address_or_socket
from ._datagram_async import AsyncDatagramClientCore
from ._names import HasInetAddresses

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
    from easynetwork.lowlevel.api_async.backend.utils import BuiltinAsyncBackendLiteral
    from easynetwork.protocol import DatagramProtocol

__all__ = ("AsyncUDPNetworkClient",)

_SentT = TypeVar("_SentT")
_ReceivedT = TypeVar("_ReceivedT")


class AsyncUDPNetworkClient(AsyncDatagramClientCore[_SentT, _ReceivedT, DatagramEndpoint], HasInetAddresses):
    """Exchanges packets with one peer, each in a datagram of its own, which may be lost.

    An empty datagram is a datagram. That the peer could not be reached (``ConnectionRefusedError``
    and the like) is known after sending, and then raised by the next operation, whichever it is;
    the client can be used again.

    Args:
        address_or_socket: the peer's host and port, or a connected socket, which the client owns
            from now on.
        protocol: turns packets into datagrams and back.
        backend: the event loop's adapter or its name; None takes that of the running loop.
        local_address: host and port to send from.
        family: `socket.AF_INET` or `socket.AF_INET6` leaves out the host's other addresses.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind or out of range.
        OSError: the socket is not connected.
        RuntimeError: no backend was named, and no event loop runs.
    """

    def __init__(
        self,
        address_or_socket: tuple[str, int] | _socket.socket,
        /,
        protocol: DatagramProtocol[_SentT, _ReceivedT],
        backend: AsyncBackend | BuiltinAsyncBackendLiteral | None = None,
        *,
        local_address: tuple[str, int] | None = None,
        family: int = _socket.AF_UNSPEC,
    ) -> None:
        with closed_on_error(address_or_socket):
            address, sock = inet_address_or_socket(address_or_socket, _socket.SOCK_DGRAM)
            check_datagram_protocol(protocol)
            check_inet_family(family)
            loop_adapter = ensure_backend(backend)

            async def connect() -> DatagramEndpoint:
                if sock is not None:
                    return await loop_adapter.wrap_connected_datagram_socket(sock)
                assert address is not None
                return await loop_adapter.create_udp_endpoint(*address, local_address=local_address, family=family)

            super().__init__(loop_adapter, connect, sock, protocol)
