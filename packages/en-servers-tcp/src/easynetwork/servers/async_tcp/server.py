# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import ssl as _ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from easynetwork.lowlevel.api_async.backend.utils import ensure_backend
from easynetwork.lowlevel.socket import INETSocketAttribute, IPv4SocketAddress, IPv6SocketAddress
from easynetwork.lowlevel.streams import ByteStream, StreamListener
from easynetwork.lowlevel.tls import TLSOptions, TLSStream
from easynetwork.protocol import BufferedStreamProtocol, StreamProtocol
from easynetwork.servers.engine.admission import network_of
from easynetwork.servers.engine.arguments import check_host, check_options, check_range, check_type
from easynetwork.servers.engine.server import BaseAsyncNetworkServer
from easynetwork.servers.engine.stream_service import BACKLOG, MAX_RECV_SIZE, StreamService, as_it_is
from easynetwork.servers.handlers import AsyncStreamRequestHandler, INETClientAttribute
from easynetwork.servers.options import ServerLimits, ServerTimeouts

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
    from easynetwork.lowlevel.api_async.backend.utils import BuiltinAsyncBackendLiteral
    from easynetwork.protocol import AnyStreamProtocolType

__all__ = ("AsyncTCPNetworkServer",)

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")


class AsyncTCPNetworkServer(
    BaseAsyncNetworkServer[StreamListener, IPv4SocketAddress | IPv6SocketAddress], Generic[_RequestT, _ResponseT]
):
    """Serves a protocol over TCP.

    Args:
        host: the address to bind, a sequence of them, or None (or an empty string) for all interfaces.
        port: 0 takes one free port for all addresses.
        protocol: turns the peers' bytes into requests, and responses into bytes.
        request_handler: what to do with them.
        backend: the event loop's adapter or its name; None takes that of the running loop.
        ssl: makes the server speak TLS.
        ssl_handshake_timeout: seconds that a handshake may take; by default as in ``timeouts``.
        ssl_shutdown_timeout: seconds to wait for the end of the TLS session when a connection is closed; by default as in ``timeouts``.
        ssl_standard_compatible: whether that end is insisted on, and its absence is a lost connection (True).
        backlog: connections that may wait to be accepted (512).
        reuse_port: lets several servers share the port (``SO_REUSEPORT``).
        max_recv_size: bytes that one read may bring (64 KiB).
        limits: how much of the server its peers may take at most.
        timeouts: how long the server waits for its peers.
        log_client_connection: whether the coming and going of clients is logged as INFO (the default) or as DEBUG.
        logger: where to log; by default the logger of this module.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind or out of range, or an ``ssl_*`` option came without ``ssl``.
        RuntimeError: no backend was named, and no event loop runs.
    """

    def __init__(
        self,
        host: str | Sequence[str] | None,
        port: int,
        protocol: AnyStreamProtocolType[_ResponseT, _RequestT],
        request_handler: AsyncStreamRequestHandler[_RequestT, _ResponseT],
        backend: AsyncBackend | BuiltinAsyncBackendLiteral | None = None,
        *,
        ssl: _ssl.SSLContext | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        ssl_standard_compatible: bool | None = None,
        backlog: int | None = None,
        reuse_port: bool = False,
        max_recv_size: int | None = None,
        limits: ServerLimits | None = None,
        timeouts: ServerTimeouts | None = None,
        log_client_connection: bool | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        check_host(host)
        check_range("port", port, 0, 65535)
        check_type("protocol", protocol, StreamProtocol, BufferedStreamProtocol)
        check_type("request_handler", request_handler, AsyncStreamRequestHandler)
        backlog = BACKLOG if backlog is None else check_range("backlog", backlog, 1)
        max_recv_size = MAX_RECV_SIZE if max_recv_size is None else check_range("max_recv_size", max_recv_size, 1)
        limits, timeouts = check_options(limits, timeouts)
        if ssl is not None:
            ssl_handshake_timeout = timeouts.handshake if ssl_handshake_timeout is None else ssl_handshake_timeout
            ssl_shutdown_timeout = timeouts.shutdown if ssl_shutdown_timeout is None else ssl_shutdown_timeout
        tls = TLSOptions.from_arguments(ssl, ssl_handshake_timeout, ssl_shutdown_timeout, ssl_standard_compatible)
        backend = ensure_backend(backend)
        logger = logger or logging.getLogger(__package__)

        async def open_listeners() -> Sequence[StreamListener]:
            return await backend.create_tcp_listeners(host, port, backlog, reuse_port=reuse_port)

        service = StreamService(
            open_listeners=open_listeners,
            client_attributes=_client_attributes,
            protocol=protocol,
            handler=request_handler,
            logger=logger,
            limits=limits,
            timeouts=timeouts,
            max_recv_size=max_recv_size,
            network_of=network_of,
            connection_log_level=logging.DEBUG if log_client_connection is False else logging.INFO,
            secure=as_it_is if tls is None else _securing(tls),
        )
        super().__init__(backend, service, logger)


def _securing(options: TLSOptions) -> Callable[[ByteStream], Awaitable[ByteStream]]:
    async def secure(stream: ByteStream) -> ByteStream:
        return await TLSStream.handshake(stream, options, server_side=True)

    return secure


def _client_attributes(stream: ByteStream) -> tuple[object, Mapping[Any, Callable[[], Any]]]:
    # Asked for now, because a connection that is gone has no addresses any more.
    remote_address = stream.extra(INETSocketAttribute.peername)
    local_address = stream.extra(INETSocketAttribute.sockname)
    return remote_address, {
        INETClientAttribute.socket: lambda: stream.extra(INETSocketAttribute.socket),
        INETClientAttribute.local_address: lambda: local_address,
        INETClientAttribute.remote_address: lambda: remote_address,
    }
