# SPDX-License-Identifier: Apache-2.0
"""The asynchronous TCP client, plain or with TLS."""

from __future__ import annotations

import socket as _socket
import ssl as _ssl
from typing import TYPE_CHECKING, TypeVar

from easynetwork.lowlevel.api_async.backend.utils import ensure_backend
from easynetwork.lowlevel.streams import ByteStream
from easynetwork.lowlevel.tls import TLSStream

from ._arguments import check_max_recv_size, check_stream_protocol, closed_on_error, inet_address_or_socket
from ._names import HasInetAddresses
from ._stream_async import AsyncStreamClientCore
from ._time_limits import check_seconds
from ._tls_arguments import ClientTLS

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
    from easynetwork.lowlevel.api_async.backend.utils import BuiltinAsyncBackendLiteral
    from easynetwork.protocol import AnyStreamProtocolType

__all__ = ("AsyncTCPNetworkClient",)

_SentT = TypeVar("_SentT")
_ReceivedT = TypeVar("_ReceivedT")


class AsyncTCPNetworkClient(AsyncStreamClientCore[_SentT, _ReceivedT, ByteStream], HasInetAddresses):
    """Speaks a protocol over one TCP connection.

    Args:
        address_or_socket: the server's host and port, or a connected socket, which the client owns
            from now on.
        protocol: turns packets into bytes and back.
        backend: the event loop's adapter or its name; None takes that of the running loop.
        ssl: makes the client speak TLS; True takes `ssl.create_default_context`.
        server_hostname: the name that the server's certificate must have: required with a socket,
            taken from the address otherwise. The empty string switches the check off.
        ssl_handshake_timeout: seconds that the handshake may take (60).
        ssl_shutdown_timeout: seconds to wait for the end of the TLS session when the client is
            closed (30).
        ssl_standard_compatible: whether that end is insisted on, and its absence is a
            `TruncatedStreamError` (True).
        max_recv_size: bytes that one read may bring (64 KiB).
        local_address: host and port to connect from.
        happy_eyeballs_delay: seconds before the next address of the host is tried beside the one
            that does not answer (0.25, RFC 8305).

    Raises:
        TypeError, ValueError: an argument is of the wrong kind or out of range, or an ``ssl_*``
            option came without ``ssl``.
        OSError: the socket is not connected.
        RuntimeError: no backend was named, and no event loop runs.
    """

    def __init__(
        self,
        address_or_socket: tuple[str, int] | _socket.socket,
        /,
        protocol: AnyStreamProtocolType[_SentT, _ReceivedT],
        backend: AsyncBackend | BuiltinAsyncBackendLiteral | None = None,
        *,
        ssl: _ssl.SSLContext | bool | None = None,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        ssl_standard_compatible: bool | None = None,
        max_recv_size: int | None = None,
        local_address: tuple[str, int] | None = None,
        happy_eyeballs_delay: float | None = None,
    ) -> None:
        with closed_on_error(address_or_socket):
            address, sock = inet_address_or_socket(address_or_socket, _socket.SOCK_STREAM)
            check_stream_protocol(protocol)
            if happy_eyeballs_delay is not None:
                check_seconds("happy_eyeballs_delay", happy_eyeballs_delay)
            loop_adapter = ensure_backend(backend)
            tls = ClientTLS.from_arguments(
                ssl,
                server_hostname,
                ssl_handshake_timeout,
                ssl_shutdown_timeout,
                ssl_standard_compatible,
                host=None if address is None else address[0],
            )

            async def connect() -> ByteStream:
                if sock is not None:
                    stream = await loop_adapter.wrap_stream_socket(sock)
                else:
                    assert address is not None
                    stream = await loop_adapter.create_tcp_connection(
                        *address, local_address=local_address, happy_eyeballs_delay=happy_eyeballs_delay
                    )
                if tls is None:
                    return stream
                return await TLSStream.handshake(
                    stream, tls.options, server_side=False, server_hostname=tls.server_hostname
                )

            super().__init__(loop_adapter, connect, sock, protocol, check_max_recv_size(max_recv_size))
