# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack

from easynetwork.lowlevel.api_async.backend.utils import ensure_backend
from easynetwork.lowlevel.datagrams import DatagramListener
from easynetwork.lowlevel.socket import INETSocketAttribute, IPv4SocketAddress, IPv6SocketAddress, new_socket_address
from easynetwork.protocol import DatagramProtocol
from easynetwork.servers.engine.arguments import check_host, check_names, check_options, check_range, check_type
from easynetwork.servers.engine.datagram_reader import DatagramReader
from easynetwork.servers.engine.datagram_service import DatagramService
from easynetwork.servers.engine.datagram_source import DatagramSource
from easynetwork.servers.engine.server import BaseAsyncNetworkServer
from easynetwork.servers.engine.settings import DatagramSettings
from easynetwork.servers.handlers import AsyncDatagramRequestHandler, INETClientAttribute
from easynetwork.servers.options import ServerOptions

from .packet_info import Flow, answering_from_local_address

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
    from easynetwork.lowlevel.api_async.backend.utils import BuiltinAsyncBackendLiteral

__all__ = ("AsyncUDPNetworkServer", "UDPServerOptions")

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")


class UDPServerOptions(ServerOptions, total=False):
    """Keyword arguments of the UDP servers."""

    reuse_port: bool
    """Lets several servers share the port (``SO_REUSEPORT``); False by default."""


class AsyncUDPNetworkServer(
    BaseAsyncNetworkServer[DatagramSource[bytes], IPv4SocketAddress | IPv6SocketAddress], Generic[_RequestT, _ResponseT]
):
    """Serves a protocol over UDP.

    A server that is bound to all interfaces answers each datagram from the address that it was sent
    to (on Linux). A peer is then a remote address together with the local one that its datagrams
    were sent to.

    Args:
        host: the address to bind, a sequence of them, or None (or an empty string) for all
            interfaces. ``::`` alone takes IPv4 as well.
        port: 0 takes one free port for all addresses.
        protocol: turns datagrams into requests, and responses into datagrams.
        request_handler: what to do with them.
        backend: the event loop's adapter or its name; None takes that of the running loop.
        options: those of `UDPServerOptions`, by name.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind or out of range.
        RuntimeError: no backend was named, and no event loop runs.
    """

    def __init__(
        self,
        host: str | Sequence[str] | None,
        port: int,
        protocol: DatagramProtocol[_ResponseT, _RequestT],
        request_handler: AsyncDatagramRequestHandler[_RequestT, _ResponseT],
        backend: AsyncBackend | BuiltinAsyncBackendLiteral | None = None,
        **options: Unpack[UDPServerOptions],
    ) -> None:
        check_names(self, options, UDPServerOptions)
        check_host(host)
        check_range("port", port, 0, 65535)
        check_type("protocol", protocol, DatagramProtocol)
        check_type("request_handler", request_handler, AsyncDatagramRequestHandler)
        limits, timeouts, logger = check_options(options, __package__)
        backend = ensure_backend(backend)
        reuse_port = options.get("reuse_port", False)

        async def open_listeners() -> Sequence[DatagramSource[bytes]]:
            listeners = await backend.create_udp_listeners(host, port, reuse_port=reuse_port)
            return [answering_from_local_address(listener) for listener in listeners]

        settings: DatagramSettings[bytes, _RequestT, _ResponseT] = DatagramSettings(
            backend=backend,
            protocol=protocol,
            handler=request_handler,
            logger=logger,
            peer_name=_remote_address,
            describe_peer=_describe_peer,
            reader=DatagramReader(protocol),
            limits=limits,
            timeouts=timeouts,
        )
        super().__init__(backend, DatagramService(settings), open_listeners, logger)


def _remote_address(listener: DatagramListener, address: Any) -> IPv4SocketAddress | IPv6SocketAddress:
    remote = address.remote if isinstance(address, Flow) else address
    return new_socket_address(remote, listener.extra(INETSocketAttribute.family))  # type: ignore[return-value]  # no Unix here


def _local_address(listener: DatagramListener, address: Any) -> IPv4SocketAddress | IPv6SocketAddress:
    bound = listener.extra(INETSocketAttribute.sockname)
    if isinstance(address, Flow) and address.local is not None:
        return bound._replace(host=address.local)
    return bound


def _describe_peer(listener: DatagramListener, address: Any) -> Mapping[Any, Callable[[], Any]]:
    return {
        INETClientAttribute.socket: lambda: listener.extra(INETSocketAttribute.socket),
        INETClientAttribute.local_address: lambda: _local_address(listener, address),
        INETClientAttribute.remote_address: lambda: _remote_address(listener, address),
    }
