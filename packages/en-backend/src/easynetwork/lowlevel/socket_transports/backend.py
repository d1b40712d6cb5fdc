# SPDX-License-Identifier: Apache-2.0
"""A backend that needs nothing more than how programs run, and how sockets are watched."""

from __future__ import annotations

import socket as _socket
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..api_async.backend.anyio_backend import AnyIOBackend
from .tcp import connect_tcp, open_tcp_listeners, wrap_stream_socket
from .udp import connect_udp, open_udp_listeners, wrap_datagram_socket
from .unix import (
    connect_unix_datagram,
    connect_unix_stream,
    open_unix_datagram_listener,
    open_unix_stream_listener,
)

if TYPE_CHECKING:
    from ..datagrams import ControlDatagramEndpoint, ControlDatagramListener, DatagramEndpoint, DatagramListener
    from ..streams import ByteStream, ControlByteStream, StreamListener
    from ..unix_files import UnixPath
    from .watch import SocketWatch

__all__ = ("SocketBackend",)


class SocketBackend(AnyIOBackend):
    """The part of a backend that is the same on every event loop that can watch sockets."""

    @abstractmethod
    def watch_socket(self, socket: _socket.socket) -> SocketWatch:
        """Watches a non-blocking socket in the running event loop."""

    def check_sockets_can_be_watched(self) -> None:
        """Called before a socket is opened or taken over.

        Raises:
            UnsupportedOperation: the running event loop has no means to watch sockets.
        """
        return

    async def create_tcp_connection(
        self,
        host: str,
        port: int,
        *,
        local_address: tuple[str, int] | None = None,
        happy_eyeballs_delay: float | None = None,
    ) -> ByteStream:
        self.check_sockets_can_be_watched()
        return await connect_tcp(
            self, host, port, local_address=local_address, happy_eyeballs_delay=happy_eyeballs_delay
        )

    async def create_tcp_listeners(
        self,
        host: str | Sequence[str] | None,
        port: int,
        backlog: int,
        *,
        reuse_port: bool = False,
    ) -> Sequence[StreamListener]:
        self.check_sockets_can_be_watched()
        return await open_tcp_listeners(self, host, port, backlog, reuse_port=reuse_port)

    async def wrap_stream_socket(self, socket: _socket.socket) -> ByteStream:
        self.check_sockets_can_be_watched()
        return wrap_stream_socket(self, socket)

    async def create_udp_endpoint(
        self,
        remote_host: str,
        remote_port: int,
        *,
        local_address: tuple[str, int] | None = None,
        family: int = _socket.AF_UNSPEC,
    ) -> DatagramEndpoint:
        self.check_sockets_can_be_watched()
        return await connect_udp(self, remote_host, remote_port, local_address=local_address, family=family)

    async def create_udp_listeners(
        self,
        host: str | Sequence[str] | None,
        port: int,
        *,
        reuse_port: bool = False,
    ) -> Sequence[DatagramListener]:
        self.check_sockets_can_be_watched()
        return await open_udp_listeners(self, host, port, reuse_port=reuse_port)

    async def wrap_connected_datagram_socket(self, socket: _socket.socket) -> DatagramEndpoint:
        self.check_sockets_can_be_watched()
        return wrap_datagram_socket(self, socket)

    async def create_unix_stream_connection(
        self, path: UnixPath, *, local_path: UnixPath | None = None
    ) -> ControlByteStream:
        self.check_sockets_can_be_watched()
        return await connect_unix_stream(self, path, local_path=local_path)

    async def create_unix_stream_listener(
        self, path: UnixPath, backlog: int, *, mode: int | None = None
    ) -> StreamListener:
        self.check_sockets_can_be_watched()
        return await open_unix_stream_listener(self, path, backlog, mode=mode)

    async def create_unix_datagram_endpoint(
        self, path: UnixPath, *, local_path: UnixPath | None = None
    ) -> ControlDatagramEndpoint:
        self.check_sockets_can_be_watched()
        return await connect_unix_datagram(self, path, local_path=local_path)

    async def create_unix_datagram_listener(
        self, path: UnixPath, *, mode: int | None = None
    ) -> ControlDatagramListener:
        self.check_sockets_can_be_watched()
        return await open_unix_datagram_listener(self, path, mode=mode)
