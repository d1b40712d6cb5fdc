# SPDX-License-Identifier: Apache-2.0
"""The asynchronous client of Unix stream sockets."""

from __future__ import annotations

import socket as _socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from easynetwork.ancillary import CONTROL_BUFSIZE, RawControlMessage, SocketAncillary, raw_control_messages
from easynetwork.lowlevel.api_async.backend.utils import ensure_backend
from easynetwork.lowlevel.streams import ControlByteStream

from ._arguments import (
    UnixPath,
    check_max_recv_size,
    check_stream_protocol,
    closed_on_error,
    unix_address_or_socket,
    unix_local_address,
)
from ._control import AncillaryPackets, check_ancillary
from ._names import HasPeerCredentials
from ._stream_async import AsyncStreamClientCore

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
    from easynetwork.lowlevel.api_async.backend.utils import BuiltinAsyncBackendLiteral
    from easynetwork.protocol import AnyStreamProtocolType

__all__ = ("AsyncUnixStreamClient",)

_SentT = TypeVar("_SentT")
_ReceivedT = TypeVar("_ReceivedT")


class AsyncUnixStreamClient(AsyncStreamClientCore[_SentT, _ReceivedT, ControlByteStream], HasPeerCredentials):
    """Speaks a protocol over one Unix stream connection. Packets may bring descriptors along.

    Control data (descriptors and credentials) belongs to the packet that it was sent with. Who
    receives that packet without asking for it has it closed.

    Args:
        address_or_socket: the server's path or name, or a connected socket, which the client owns
            from now on.
        protocol: turns packets into bytes and back.
        backend: the event loop's adapter or its name; None takes that of the running loop.
        max_recv_size: bytes that one read may bring (64 KiB).
        local_path: where to connect from; the empty path takes an abstract name that the system
            chooses (Linux). A socket file is removed when the client is closed, if it is still the
            same.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind or out of range.
        OSError: the socket is not connected.
        RuntimeError: no backend was named, and no event loop runs.
        UnsupportedOperation: this system has no Unix sockets.
    """

    def __init__(
        self,
        address_or_socket: UnixPath | _socket.socket,
        /,
        protocol: AnyStreamProtocolType[_SentT, _ReceivedT],
        backend: AsyncBackend | BuiltinAsyncBackendLiteral | None = None,
        *,
        max_recv_size: int | None = None,
        local_path: UnixPath | None = None,
    ) -> None:
        with closed_on_error(address_or_socket):
            address, sock = unix_address_or_socket(address_or_socket, _socket.SOCK_STREAM)
            check_stream_protocol(protocol)
            local_address = unix_local_address(local_path)
            loop_adapter = ensure_backend(backend)

            async def connect() -> ControlByteStream:
                if sock is None:
                    assert address is not None
                    stream = await loop_adapter.create_unix_stream_connection(address, local_path=local_address)
                else:
                    wrapped = await loop_adapter.wrap_stream_socket(sock)
                    assert isinstance(wrapped, ControlByteStream)  # because the socket is a Unix socket
                    stream = wrapped
                stream.deliver_control(self._packets.sink, self._control_bufsize)
                return stream

            super().__init__(loop_adapter, connect, sock, protocol, check_max_recv_size(max_recv_size))
        self._packets = AncillaryPackets(self._receiver)
        self._next_packet = self._packets.next_packet
        self._control_bufsize = CONTROL_BUFSIZE

    async def send_packet(
        self, packet: _SentT, *, ancillary_data: SocketAncillary | Iterable[RawControlMessage] | None = None
    ) -> None:
        """As `AbstractAsyncNetworkClient.send_packet`, with control data if wanted.

        Args:
            packet: what to send.
            ancillary_data: leaves in one system call with the packet. Descriptors stay the
                caller's, who may close them afterwards.

        Raises:
            OSError: the packet is too long for one system call (``EMSGSIZE``); if a part has left,
                the connection is broken off.
            TypeError: ``ancillary_data`` is no control data.
        """
        if ancillary_data is None:
            return await super().send_packet(packet)
        messages = raw_control_messages(ancillary_data)
        stream = await self._connected()
        return await self._send_through(lambda data: stream.send_message(data, messages), packet)

    async def recv_packet(
        self, *, ancillary_data: SocketAncillary | None = None, ancillary_bufsize: int | None = None
    ) -> _ReceivedT:
        """As `AbstractAsyncNetworkClient.recv_packet`, with the control data of the packet if
        wanted.

        Args:
            ancillary_data: where to put it; the descriptors are the caller's then. The socket is
                read once at most.
            ancillary_bufsize: bytes that control data may have: 8 KiB, or more. A greater one holds
                from then on.

        Raises:
            EOFError: no whole packet has come with that read. Its control data is lost, its bytes
                are not: receive again.
            OSError: control data was cut off (``EMSGSIZE``), and the packet is lost.
            TypeError, ValueError: ``ancillary_data`` cannot be filled, or ``ancillary_bufsize`` is
                no size, or alone.
        """
        bufsize = check_ancillary(ancillary_data, ancillary_bufsize)
        if ancillary_data is None:
            return await super().recv_packet()
        if bufsize > self._control_bufsize:
            self._control_bufsize = bufsize
            if self._transport is not None:
                self._transport.deliver_control(self._packets.sink, bufsize)
        return await self._receive_through(self._packets.next_packet_into(ancillary_data), None)

    async def _close(self, transport: ControlByteStream) -> None:
        try:
            await super()._close(transport)
        finally:
            self._packets.close()

    def _abort(self, transport: ControlByteStream) -> None:
        super()._abort(transport)
        self._packets.close()
