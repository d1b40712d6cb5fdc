# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ssl as _ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack

from easynetwork.lowlevel.api_async.backend.utils import ensure_backend
from easynetwork.lowlevel.socket import INETSocketAttribute, IPv4SocketAddress, IPv6SocketAddress
from easynetwork.lowlevel.streams import ByteStream, StreamListener
from easynetwork.lowlevel.tls import TLSOptions, TLSStream
from easynetwork.servers.engine.arguments import check_host, check_names, check_range, get_backlog, stream_settings
from easynetwork.servers.engine.server import BaseAsyncNetworkServer
from easynetwork.servers.engine.settings import Established, PeerAttributes, no_tls
from easynetwork.servers.engine.stream_service import StreamService
from easynetwork.servers.handlers import AsyncStreamRequestHandler, INETClientAttribute
from easynetwork.servers.options import ServerTimeouts, StreamServerOptions

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
    from easynetwork.lowlevel.api_async.backend.utils import BuiltinAsyncBackendLiteral
    from easynetwork.protocol import AnyStreamProtocolType

__all__ = ("AsyncTCPNetworkServer", "TCPServerOptions")

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")


class TCPServerOptions(StreamServerOptions, total=False):
    """Keyword arguments of the TCP servers. None is the default of each."""

    ssl: _ssl.SSLContext | None
    """Makes the server speak TLS."""

    ssl_handshake_timeout: float | None
    """Seconds that a handshake may take; by default as in ``timeouts``."""

    ssl_shutdown_timeout: float | None
    """Seconds to wait for the end of the TLS session when a connection is closed; by default as in
    ``timeouts``."""

    ssl_standard_compatible: bool | None
    """Whether that end is insisted on, and its absence is a lost connection (True)."""

    reuse_port: bool
    """Lets several servers share the port (``SO_REUSEPORT``); False by default."""


class AsyncTCPNetworkServer(
    BaseAsyncNetworkServer[StreamListener, IPv4SocketAddress | IPv6SocketAddress], Generic[_RequestT, _ResponseT]
):
    """Serves a protocol over TCP.

    Args:
        host: the address to bind, a sequence of them, or None (or an empty string) for all
            interfaces.
        port: 0 takes one free port for all addresses.
        protocol: turns the peers' bytes into requests, and responses into bytes.
        request_handler: what to do with them.
        backend: the event loop's adapter or its name; None takes that of the running loop.
        options: those of `TCPServerOptions`, by name.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind or out of range, or an ``ssl_*``
            option came without ``ssl``.
        RuntimeError: no backend was named, and no event loop runs.
    """

    def __init__(
        self,
        host: str | Sequence[str] | None,
        port: int,
        protocol: AnyStreamProtocolType[_ResponseT, _RequestT],
        request_handler: AsyncStreamRequestHandler[_RequestT, _ResponseT],
        backend: AsyncBackend | BuiltinAsyncBackendLiteral | None = None,
        **options: Unpack[TCPServerOptions],
    ) -> None:
        check_names(self, options, TCPServerOptions)
        check_host(host)
        check_range("port", port, 0, 65535)
        backlog, reuse_port = get_backlog(options), options.get("reuse_port", False)
        backend = ensure_backend(backend)
        settings = stream_settings(
            protocol,
            request_handler,
            backend,
            options,
            module=__package__,
            describe_peer=_describe_peer,
            establish=_establish(options),
        )

        async def open_listeners() -> Sequence[StreamListener]:
            return await backend.create_tcp_listeners(host, port, backlog, reuse_port=reuse_port)

        super().__init__(backend, StreamService(settings), open_listeners, settings.logger)


def _establish(options: TCPServerOptions) -> Callable[[ByteStream], Awaitable[Established]]:
    context, timeouts = options.get("ssl"), options.get("timeouts") or ServerTimeouts()
    handshake_timeout, shutdown_timeout = options.get("ssl_handshake_timeout"), options.get("ssl_shutdown_timeout")
    if context is not None:
        handshake_timeout = timeouts.handshake if handshake_timeout is None else handshake_timeout
        shutdown_timeout = timeouts.shutdown if shutdown_timeout is None else shutdown_timeout
    tls = TLSOptions.from_arguments(
        context, handshake_timeout, shutdown_timeout, options.get("ssl_standard_compatible")
    )
    if tls is None:
        return no_tls

    async def establish(stream: ByteStream) -> Established:
        return Established(stream=await TLSStream.handshake(stream, tls, server_side=True))

    return establish


def _describe_peer(stream: ByteStream) -> tuple[object, PeerAttributes]:
    # Asked for now, because a connection that is gone has no addresses any more.
    remote_address = stream.extra(INETSocketAttribute.peername)
    return remote_address, partial(_attributes, stream, stream.extra(INETSocketAttribute.sockname), remote_address)


def _attributes(
    stream: ByteStream,
    local_address: IPv4SocketAddress | IPv6SocketAddress,
    remote_address: IPv4SocketAddress | IPv6SocketAddress,
) -> Mapping[Any, Callable[[], Any]]:
    return {
        INETClientAttribute.socket: lambda: stream.extra(INETSocketAttribute.socket),
        INETClientAttribute.local_address: lambda: local_address,
        INETClientAttribute.remote_address: lambda: remote_address,
    }
