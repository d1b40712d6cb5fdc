# SPDX-License-Identifier: Apache-2.0
"""The blocking client of Unix stream sockets."""

from __future__ import annotations

import socket as _socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from easynetwork.ancillary import CONTROL_BUFSIZE, RawControlMessage, SocketAncillary, raw_control_messages

from ._arguments import (
    UnixPath,
    check_max_recv_size,
    check_stream_protocol,
    closed_on_error,
    unix_address_or_socket,
    unix_local_address,
)
from ._blocking_unix import BlockingUnixStream
from ._control import AncillaryPackets, check_ancillary
from ._names import HasPeerCredentials
from ._stream_blocking import StreamClientCore
from ._time_limits import check_seconds
from ._unix_connect import connect_unix

if TYPE_CHECKING:
    from easynetwork.protocol import AnyStreamProtocolType

__all__ = ("UnixStreamClient",)

_SentT = TypeVar("_SentT")
_ReceivedT = TypeVar("_ReceivedT")


class UnixStreamClient(StreamClientCore[_SentT, _ReceivedT, BlockingUnixStream], HasPeerCredentials):
    """Speaks a protocol over one Unix stream connection, which the constructor makes.

    Packets may bring descriptors along.

    Control data (descriptors and credentials) belongs to the packet that it was sent with. Who
    receives that packet without asking for it has it closed.

    Args:
        address_or_socket: the server's path or name, or a connected socket, which the client owns
            from now on.
        protocol: turns packets into bytes and back.
        max_recv_size: bytes that one read may bring (64 KiB).
        retry_interval: seconds after which a waiting thread looks at the socket without having been
            woken. It matters only where closing the client in one thread does not wake the others
            by itself.
        connect_timeout: seconds until the server's queue must have had room; None waits without
            limit.
        local_path: where to connect from; the empty path takes an abstract name that the system
            chooses (Linux). A socket file is removed when the client is closed, if it is still the
            same.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind or out of range.
        TimeoutError: connecting took too long.
        OSError: no connection could be made, or the socket is not connected.
        UnsupportedOperation: this system has no Unix sockets.
    """

    def __init__(
        self,
        address_or_socket: UnixPath | _socket.socket,
        /,
        protocol: AnyStreamProtocolType[_SentT, _ReceivedT],
        *,
        max_recv_size: int | None = None,
        retry_interval: float = 1.0,
        connect_timeout: float | None = None,
        local_path: UnixPath | None = None,
    ) -> None:
        with closed_on_error(address_or_socket):
            address, sock = unix_address_or_socket(address_or_socket, _socket.SOCK_STREAM)
            check_stream_protocol(protocol)
            max_recv_size = check_max_recv_size(max_recv_size)
            check_seconds("retry_interval", retry_interval, zero=False)
            local_address = unix_local_address(local_path)
            file = None
            if sock is None:
                assert address is not None
                sock, file = connect_unix(
                    address, _socket.SOCK_STREAM, local_address=local_address, timeout=connect_timeout
                )
            stream = BlockingUnixStream(sock, retry_interval, file)
        with closed_on_error(stream):
            super().__init__(stream, protocol, max_recv_size)
        self._packets = AncillaryPackets(self._receiver)
        self._next_packet = self._packets.next_packet
        self._control_bufsize = CONTROL_BUFSIZE
        stream.deliver_control(self._packets.sink, CONTROL_BUFSIZE)

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
            ancillary_data: leaves in one system call with the packet. Descriptors stay the
                caller's, who may close them afterwards.
            timeout: seconds for all of it; None waits without limit.

        Raises:
            OSError: the packet is too long for one system call (``EMSGSIZE``); if a part has left,
                the connection is broken off.
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
        """As `AbstractNetworkClient.recv_packet`, with the control data of the packet if wanted.

        Args:
            ancillary_data: where to put it; the descriptors are the caller's then. The socket is
                read once at most.
            ancillary_bufsize: bytes that control data may have: 8 KiB, or more. A greater one holds
                from then on.
            timeout: seconds for all of it; None waits without limit.

        Raises:
            EOFError: no whole packet has come with that read. Its control data is lost, its bytes
                are not: receive again.
            OSError: control data was cut off (``EMSGSIZE``), and the packet is lost.
            TypeError, ValueError: ``ancillary_data`` cannot be filled, or ``ancillary_bufsize`` is
                no size, or alone.
        """
        bufsize = check_ancillary(ancillary_data, ancillary_bufsize)
        if ancillary_data is None:
            return super().recv_packet(timeout=timeout)
        if bufsize > self._control_bufsize:
            self._control_bufsize = bufsize
            self._transport.deliver_control(self._packets.sink, bufsize)
        return self._receive_through(self._packets.next_packet_into(ancillary_data), timeout)

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._packets.close()

    def _abort(self) -> None:
        super()._abort()
        self._packets.close()
