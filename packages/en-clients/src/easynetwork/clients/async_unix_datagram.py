# SPDX-License-Identifier: Apache-2.0
"""The asynchronous client of Unix datagram sockets."""

from __future__ import annotations

import socket as _socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from easynetwork.ancillary import RawControlMessage, SocketAncillary, raw_control_messages
from easynetwork.lowlevel.api_async.backend.utils import ensure_backend
from easynetwork.lowlevel.datagrams import ControlDatagramEndpoint

from ._arguments import (
    UnixPath,
    check_datagram_protocol,
    closed_on_error,
    unix_address_or_socket,
    unix_answer_address,
)
from ._control import check_ancillary, open_message
from ._datagram_async import AsyncDatagramClientCore
from ._names import HasUnixNames

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
    from easynetwork.lowlevel.api_async.backend.utils import BuiltinAsyncBackendLiteral
    from easynetwork.protocol import DatagramProtocol

__all__ = ("AsyncUnixDatagramClient",)

_SentT = TypeVar("_SentT")
_ReceivedT = TypeVar("_ReceivedT")


class AsyncUnixDatagramClient(AsyncDatagramClientCore[_SentT, _ReceivedT, ControlDatagramEndpoint], HasUnixNames):
    """Exchanges packets with one peer, each in a datagram of its own.

    Packets may bring descriptors along.

    Unix datagrams are neither lost nor shuffled: while the peer's queue is full, `send_packet`
    waits, but gives the peer up after `easynetwork.lowlevel.datagrams.SEND_TIMEOUT` seconds.

    Args:
        address_or_socket: the peer's path or name, or a connected socket, which the client owns
            from now on.
        protocol: turns packets into datagrams and back.
        backend: the event loop's adapter or its name; None takes that of the running loop.
        local_path: what the client is bound to, so that the peer can answer. By default the system
            chooses an abstract name; that exists on Linux only, elsewhere a path is required. A
            socket file is removed when the client is closed, if it is still the same.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind or out of range, or ``local_path``
            is missing.
        OSError: the socket is not connected.
        RuntimeError: no backend was named, and no event loop runs.
        UnsupportedOperation: this system has no Unix sockets.
    """

    def __init__(
        self,
        address_or_socket: UnixPath | _socket.socket,
        /,
        protocol: DatagramProtocol[_SentT, _ReceivedT],
        backend: AsyncBackend | BuiltinAsyncBackendLiteral | None = None,
        *,
        local_path: UnixPath | None = None,
    ) -> None:
        with closed_on_error(address_or_socket):
            address, sock = unix_address_or_socket(address_or_socket, _socket.SOCK_DGRAM)
            check_datagram_protocol(protocol)
            local_address = unix_answer_address(local_path) if sock is None else None
            loop_adapter = ensure_backend(backend)

            async def connect() -> ControlDatagramEndpoint:
                if sock is None:
                    assert address is not None
                    return await loop_adapter.create_unix_datagram_endpoint(address, local_path=local_address)
                endpoint = await loop_adapter.wrap_connected_datagram_socket(sock)
                assert isinstance(endpoint, ControlDatagramEndpoint)  # because the socket is a Unix socket
                return endpoint

            super().__init__(loop_adapter, connect, sock, protocol)

    async def send_packet(
        self, packet: _SentT, *, ancillary_data: SocketAncillary | Iterable[RawControlMessage] | None = None
    ) -> None:
        """As `AbstractAsyncNetworkClient.send_packet`, with control data if wanted.

        Args:
            packet: what to send.
            ancillary_data: goes with the packet. Descriptors stay the caller's, who may close them
                afterwards.

        Raises:
            OSError: the datagram is too long (``EMSGSIZE``), the peer is gone, or its queue stays
                full (``ENOBUFS``).
            TypeError: ``ancillary_data`` is no control data.
        """
        if ancillary_data is None:
            return await super().send_packet(packet)
        messages = raw_control_messages(ancillary_data)
        endpoint = await self._connected()
        return await self._send_through(lambda data: endpoint.send_message(data, messages), packet)

    async def recv_packet(
        self, *, ancillary_data: SocketAncillary | None = None, ancillary_bufsize: int | None = None
    ) -> _ReceivedT:
        """As `AbstractAsyncNetworkClient.recv_packet`, with the control data of the datagram if
        wanted; otherwise the system throws it away.

        Args:
            ancillary_data: where to put it; the descriptors are the caller's then.
            ancillary_bufsize: bytes that control data may have (8 KiB).

        Raises:
            OSError: the datagram or its control data was cut off (``EMSGSIZE``), and is lost.
            TypeError, ValueError: ``ancillary_data`` cannot be filled, or ``ancillary_bufsize`` is
                no size, or alone.
        """
        bufsize = check_ancillary(ancillary_data, ancillary_bufsize)
        if ancillary_data is None:
            return await super().recv_packet()
        message = await self._receive_through(lambda endpoint: endpoint.receive_message(bufsize), None)
        return open_message(message, self._decode, ancillary_data)
