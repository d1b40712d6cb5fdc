# SPDX-License-Identifier: Apache-2.0
"""The four kinds of servers, for what is one rule of all of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from datagram_peers import SocketPeer, tcp_peer, udp_peer, unix_peer, unix_stream_peer

from easynetwork.clients.tcp import TCPNetworkClient
from easynetwork.clients.udp import UDPNetworkClient
from easynetwork.clients.unix_datagram import UnixDatagramClient
from easynetwork.clients.unix_stream import UnixStreamClient
from easynetwork.lowlevel.socket import IPv4SocketAddress, UnixSocketAddress
from easynetwork.protocol import DatagramProtocol, StreamProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers.async_tcp import AsyncTCPNetworkServer
from easynetwork.servers.async_udp import AsyncUDPNetworkServer
from easynetwork.servers.async_unix_datagram import AsyncUnixDatagramServer
from easynetwork.servers.async_unix_stream import AsyncUnixStreamServer
from easynetwork.servers.handlers import (
    AsyncBaseClientInterface,
    AsyncDatagramRequestHandler,
    AsyncStreamRequestHandler,
)
from easynetwork.servers.standalone_tcp import StandaloneTCPNetworkServer
from easynetwork.servers.standalone_udp import StandaloneUDPNetworkServer
from easynetwork.servers.standalone_unix_datagram import StandaloneUnixDatagramServer
from easynetwork.servers.standalone_unix_stream import StandaloneUnixStreamServer

Client = AsyncBaseClientInterface[str]

KINDS = ("tcp", "udp", "unix_datagram", "unix_stream")

_ASYNC: dict[str, Callable[..., Any]] = {
    "tcp": AsyncTCPNetworkServer,
    "udp": AsyncUDPNetworkServer,
    "unix_datagram": AsyncUnixDatagramServer,
    "unix_stream": AsyncUnixStreamServer,
}

_STANDALONE: dict[str, Callable[..., Any]] = {
    "tcp": StandaloneTCPNetworkServer,
    "udp": StandaloneUDPNetworkServer,
    "unix_datagram": StandaloneUnixDatagramServer,
    "unix_stream": StandaloneUnixStreamServer,
}

_PEERS: dict[str, Callable[[Any], AbstractContextManager[SocketPeer]]] = {
    "tcp": tcp_peer,
    "udp": udp_peer,
    "unix_datagram": unix_peer,
    "unix_stream": unix_stream_peer,
}

_BLOCKING_CLIENTS: dict[str, Callable[..., Any]] = {
    "tcp": TCPNetworkClient,
    "udp": UDPNetworkClient,
    "unix_datagram": UnixDatagramClient,
    "unix_stream": UnixStreamClient,
}


class Echo(AsyncStreamRequestHandler[str, str], AsyncDatagramRequestHandler[str, str]):
    """Handles whatever a server is made of."""

    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        request = yield
        await client.send_packet(request)


class Kind:
    """The servers of one transport, and what talks to them."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.path = folder / "server.sock"
        self.is_stream = name in ("tcp", "unix_stream")
        self.is_unix = name.startswith("unix")
        self.logger = f"easynetwork.servers.async_{name}"
        self.server_class = _ASYNC[name]
        self.standalone_class = _STANDALONE[name]
        self.peer = _PEERS[name]

    def protocol(self) -> Any:
        return (StreamProtocol if self.is_stream else DatagramProtocol)(StringLineSerializer())

    def arguments(self, handler: Any) -> dict[str, Any]:
        common = {"protocol": self.protocol(), "request_handler": handler}
        where = {"host": "127.0.0.1", "port": 0} if not self.is_unix else {"path": self.path}
        return where | common

    def server(self, handler: Any = None, **options: Any) -> Any:
        return self.server_class(**self.arguments(handler or Echo()), **options)

    def standalone(self, handler: Any = None, **options: Any) -> Any:
        return self.standalone_class(**self.arguments(handler or Echo()), **options)

    def blocking_client(self, server: Any) -> Any:
        (address,) = server.get_addresses()
        where = address.as_raw() if self.is_unix else address.for_connection()
        return _BLOCKING_CLIENTS[self.name](where, self.protocol())

    def peer_name(self, peer: SocketPeer) -> str:
        """What the log calls a peer."""
        name = peer.sock.getsockname()
        return str(UnixSocketAddress.from_raw(name) if self.is_unix else IPv4SocketAddress(*name))
