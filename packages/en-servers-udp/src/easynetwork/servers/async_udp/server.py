# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from easynetwork.lowlevel.api_async.backend.utils import ensure_backend
from easynetwork.lowlevel.datagrams import DatagramListener
from easynetwork.lowlevel.socket import INETSocketAttribute, IPv4SocketAddress, IPv6SocketAddress, new_socket_address
from easynetwork.protocol import DatagramProtocol
from easynetwork.servers.engine.arguments import check_host, check_options, check_range, check_type
from easynetwork.servers.engine.datagram_reader import DatagramReader
from easynetwork.servers.engine.datagram_service import DatagramService
from easynetwork.servers.engine.datagram_source import DatagramSource
from easynetwork.servers.engine.server import BaseAsyncNetworkServer
from easynetwork.servers.handlers import AsyncDatagramRequestHandler, INETClientAttribute
from easynetwork.servers.options import ServerLimits, ServerTimeouts

from .asked_address import Flow, answering_from_asked_address

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
    from easynetwork.lowlevel.api_async.backend.utils import BuiltinAsyncBackendLiteral

__all__ = ("AsyncUDPNetworkServer",)

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")


class AsyncUDPNetworkServer(
    BaseAsyncNetworkServer[DatagramSource[bytes], IPv4SocketAddress | IPv6SocketAddress], Generic[_RequestT, _ResponseT]
):
    """Serves a protocol over UDP.

    A server that is bound to all interfaces answers each datagram from the address that it was sent to (on Linux). A peer is then a remote address
    together with the local one that it talks to.

    Args:
        host: the address to bind, a sequence of them, or None (or an empty string) for all interfaces. ``::`` alone takes IPv4 as well.
        port: 0 takes one free port for all addresses.
        protocol: turns datagrams into requests, and responses into datagrams.
        request_handler: what to do with them.
        backend: the event loop's adapter or its name; None takes that of the running loop.
        reuse_port: lets several servers share the port (``SO_REUSEPORT``).
        limits: how much of the server its peers may take at most.
        timeouts: how long the server waits for its peers.
        logger: where to log; by default the logger of this module.

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
        *,
        reuse_port: bool = False,
        limits: ServerLimits | None = None,
        timeouts: ServerTimeouts | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        check_host(host)
        check_range("port", port, 0, 65535)
        check_type("protocol", protocol, DatagramProtocol)
        check_type("request_handler", request_handler, AsyncDatagramRequestHandler)
        limits, timeouts = check_options(limits, timeouts)
        backend = ensure_backend(backend)
        logger = logger or logging.getLogger(__package__)

        async def open_listeners() -> Sequence[DatagramSource[bytes]]:
            listeners = await backend.create_udp_listeners(host, port, reuse_port=reuse_port)
            return [answering_from_asked_address(listener) for listener in listeners]

        service = DatagramService(
            open_listeners=open_listeners,
            peer_name=_remote_address,
            client_attributes=_client_attributes,
            protocol=protocol,
            handler=request_handler,
            logger=logger,
            reader=DatagramReader(protocol),
            limits=limits,
            timeouts=timeouts,
        )
        super().__init__(backend, service, logger)


def _remote_address(listener: DatagramListener, address: Any) -> IPv4SocketAddress | IPv6SocketAddress:
    remote = address.remote if isinstance(address, Flow) else address
    return new_socket_address(remote, listener.extra(INETSocketAttribute.family))  # type: ignore[return-value]  # no Unix here


def _local_address(listener: DatagramListener, address: Any) -> IPv4SocketAddress | IPv6SocketAddress:
    bound = listener.extra(INETSocketAttribute.sockname)
    if isinstance(address, Flow) and address.local is not None:
        return bound._replace(host=address.local)
    return bound


def _client_attributes(listener: DatagramListener, address: Any) -> Mapping[Any, Callable[[], Any]]:
    return {
        INETClientAttribute.socket: lambda: listener.extra(INETSocketAttribute.socket),
        INETClientAttribute.local_address: lambda: _local_address(listener, address),
        INETClientAttribute.remote_address: lambda: _remote_address(listener, address),
    }
