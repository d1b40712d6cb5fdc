# SPDX-License-Identifier: Apache-2.0
"""The blocking TCP client, plain or with TLS."""

from __future__ import annotations

import contextlib
import socket as _socket
import ssl as _ssl
from typing import TYPE_CHECKING, TypeVar

from easynetwork.lowlevel.socket import set_tcp_keepalive, set_tcp_nodelay

from ._arguments import check_max_recv_size, check_stream_protocol, closed_on_error, inet_address_or_socket
from ._blocking_connect import connect_tcp
from ._blocking_stream import BlockingByteStream, BlockingSocketStream
from ._blocking_tls import BlockingTLSStream
from ._names import HasInetAddresses
from ._stream_blocking import StreamClientCore
from ._time_limits import check_seconds
from ._tls_arguments import ClientTLS

if TYPE_CHECKING:
    from easynetwork.protocol import AnyStreamProtocolType

__all__ = ("TCPNetworkClient",)

_SentT = TypeVar("_SentT")
_ReceivedT = TypeVar("_ReceivedT")


class TCPNetworkClient(StreamClientCore[_SentT, _ReceivedT, BlockingByteStream], HasInetAddresses):
    """Speaks a protocol over one TCP connection, which the constructor makes.

    Args:
        address_or_socket: the server's host and port, or a connected socket, which the client owns
            from now on.
        protocol: turns packets into bytes and back.
        ssl: makes the client speak TLS; True takes `ssl.create_default_context`.
        server_hostname: the name that the server's certificate must have: required with a socket,
            taken from the address otherwise. The empty string switches the check off.
        ssl_handshake_timeout: seconds that the handshake may take (60).
        ssl_shutdown_timeout: seconds to wait for the end of the TLS session when the client is
            closed (30).
        ssl_standard_compatible: whether that end is insisted on, and its absence is a
            `TruncatedStreamError` (True).
        max_recv_size: bytes that one read may bring (64 KiB).
        retry_interval: seconds after which a waiting thread looks at the socket without having been
            woken. It matters only where closing the client in one thread does not wake the others
            by itself.
        connect_timeout: seconds until one address of the host must have answered; None waits as
            long as the system does.
        local_address: host and port to connect from.
        happy_eyeballs_delay: seconds before the next address of the host is tried beside the one
            that does not answer (0.25, RFC 8305).

    Raises:
        TypeError, ValueError: an argument is of the wrong kind or out of range, or an ``ssl_*``
            option came without ``ssl``.
        TimeoutError: connecting, or the handshake, took too long.
        ssl.SSLError: the peers could not agree, or the certificate was refused.
        OSError: no connection could be made, or the socket is not connected.
    """

    def __init__(
        self,
        address_or_socket: tuple[str, int] | _socket.socket,
        /,
        protocol: AnyStreamProtocolType[_SentT, _ReceivedT],
        *,
        ssl: _ssl.SSLContext | bool | None = None,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        ssl_standard_compatible: bool | None = None,
        max_recv_size: int | None = None,
        retry_interval: float = 1.0,
        connect_timeout: float | None = None,
        local_address: tuple[str, int] | None = None,
        happy_eyeballs_delay: float | None = None,
    ) -> None:
        with closed_on_error(address_or_socket):
            address, sock = inet_address_or_socket(address_or_socket, _socket.SOCK_STREAM)
            check_stream_protocol(protocol)
            max_recv_size = check_max_recv_size(max_recv_size)
            check_seconds("retry_interval", retry_interval, zero=False)
            if connect_timeout is not None:
                check_seconds("connect_timeout", connect_timeout)
            if happy_eyeballs_delay is not None:
                check_seconds("happy_eyeballs_delay", happy_eyeballs_delay)
            tls = ClientTLS.from_arguments(
                ssl,
                server_hostname,
                ssl_handshake_timeout,
                ssl_shutdown_timeout,
                ssl_standard_compatible,
                host=None if address is None else address[0],
            )
            if sock is None:
                assert address is not None
                sock = connect_tcp(
                    *address,
                    timeout=connect_timeout,
                    local_address=local_address,
                    happy_eyeballs_delay=happy_eyeballs_delay,
                )
        with closed_on_error(sock):
            super().__init__(_open_stream(sock, tls, retry_interval), protocol, max_recv_size)


def _open_stream(sock: _socket.socket, tls: ClientTLS | None, longest_wait: float) -> BlockingByteStream:
    for set_option in (set_tcp_nodelay, set_tcp_keepalive):
        with contextlib.suppress(OSError):
            set_option(sock, True)
    stream = BlockingSocketStream(sock, longest_wait)
    if tls is None:
        return stream
    return BlockingTLSStream.handshake(stream, tls.options, tls.server_hostname)
