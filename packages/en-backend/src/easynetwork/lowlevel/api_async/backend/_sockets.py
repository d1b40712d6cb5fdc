# SPDX-License-Identifier: Apache-2.0
"""Where a backend's streams and datagram sockets come from: one small interface for each kind."""

from __future__ import annotations

import os
import socket as _socket
from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from easynetwork.exceptions import UnsupportedOperation

from ._operations import Threads

if TYPE_CHECKING:
    from ...datagrams import ControlDatagramEndpoint, ControlDatagramListener, DatagramEndpoint, DatagramListener
    from ...socket import UnixSocketAddress
    from ...streams import ByteStream, ControlByteStream, StreamListener

    UnixPath = str | bytes | os.PathLike[str] | os.PathLike[bytes] | UnixSocketAddress

__all__ = ("DatagramSockets", "NameResolution", "StreamSockets", "UnixSockets")


class NameResolution(Threads):
    """Names and addresses, as the `socket` module knows them."""

    async def getaddrinfo(
        self,
        host: str | bytes | None,
        port: str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[tuple[Any, Any, int, str, Any]]:
        """Like `socket.getaddrinfo`, in a worker thread, which a cancelled call leaves behind.

        Numeric addresses need no thread.

        Raises:
            OSError: the name cannot be resolved (`socket.gaierror`).
        """
        numeric = flags | _socket.AI_NUMERICHOST | _socket.AI_NUMERICSERV
        try:
            return _socket.getaddrinfo(host, port, family, type, proto, numeric)
        except _socket.gaierror:
            return await self.run_in_thread(
                _socket.getaddrinfo, host, port, family, type, proto, flags, abandon_on_cancel=True
            )

    async def getnameinfo(
        self, sockaddr: tuple[str, int] | tuple[str, int, int, int], flags: int = 0
    ) -> tuple[str, str]:
        """Like `socket.getnameinfo`, in a worker thread, which a cancelled call leaves behind.

        Raises:
            OSError: the address cannot be resolved (`socket.gaierror`).
        """
        return await self.run_in_thread(_socket.getnameinfo, sockaddr, flags, abandon_on_cancel=True)


class StreamSockets(metaclass=ABCMeta):
    """TCP."""

    @abstractmethod
    async def create_tcp_connection(
        self,
        host: str,
        port: int,
        *,
        local_address: tuple[str, int] | None = None,
        happy_eyeballs_delay: float | None = None,
    ) -> ByteStream:
        """Connects to ``host``, trying its addresses one after another with overlap (RFC 8305).

        Args:
            host: name or address.
            port: port number.
            local_address: host and port to connect from.
            happy_eyeballs_delay: seconds before the next address is tried while one is pending;
                None is the RFC's 0.25.

        Raises:
            OSError: no address could be connected; the message names each.
        """

    @abstractmethod
    async def create_tcp_listeners(
        self,
        host: str | Sequence[str] | None,
        port: int,
        backlog: int,
        *,
        reuse_port: bool = False,
    ) -> Sequence[StreamListener]:
        """Listens on every address of ``host``, or on none if one fails.

        None or an empty name means all interfaces.

        Args:
            host: name or address, or several.
            port: port number; 0 lets the system choose.
            backlog: number of connections that the kernel keeps for `StreamListener.accept`.
            reuse_port: sets ``SO_REUSEPORT``.

        Raises:
            OSError: an address cannot be resolved or bound.
        """

    @abstractmethod
    async def wrap_stream_socket(self, socket: _socket.socket) -> ByteStream:
        """Makes a stream of a connected TCP or Unix socket (`ControlByteStream`), which belongs to
        the stream from then on.

        Raises:
            ValueError: it is not a stream socket.
            OSError: it is not connected.
        """


class DatagramSockets(metaclass=ABCMeta):
    """UDP."""

    @abstractmethod
    async def create_udp_endpoint(
        self,
        remote_host: str,
        remote_port: int,
        *,
        local_address: tuple[str, int] | None = None,
        family: int = _socket.AF_UNSPEC,
    ) -> DatagramEndpoint:
        """Makes a socket that exchanges datagrams with one peer, at the first address of
        ``remote_host`` that works.

        Raises:
            OSError: no address works.
        """

    @abstractmethod
    async def create_udp_listeners(
        self,
        host: str | Sequence[str] | None,
        port: int,
        *,
        reuse_port: bool = False,
    ) -> Sequence[DatagramListener]:
        """Binds every address of ``host``, like `StreamSockets.create_tcp_listeners`.

        ``::`` alone takes IPv4 datagrams as well.

        Raises:
            OSError: an address cannot be resolved or bound.
        """

    @abstractmethod
    async def wrap_connected_datagram_socket(self, socket: _socket.socket) -> DatagramEndpoint:
        """Makes an endpoint of a connected UDP or Unix socket (`ControlDatagramEndpoint`), which
        belongs to the endpoint from then on.

        Raises:
            ValueError: it is not a datagram socket.
            OSError: it is not connected.
        """


class UnixSockets:
    """Unix sockets, which a backend need not have.

    Paths are file names, or addresses; the empty one lets the system choose an abstract name
    (Linux). Socket files that were made here are removed when their sockets are closed, if they are
    still the same.
    """

    async def create_unix_stream_connection(
        self, path: UnixPath, *, local_path: UnixPath | None = None
    ) -> ControlByteStream:
        """Connects to ``path``, from ``local_path`` if given.

        Raises:
            OSError: nobody listens there.
            UnsupportedOperation: there are no Unix sockets here.
        """
        self._no_unix_sockets()

    async def create_unix_stream_listener(
        self, path: UnixPath, backlog: int, *, mode: int | None = None
    ) -> StreamListener:
        """Listens on ``path``; the streams are `ControlByteStream`.

        A socket file whose server is gone is replaced; that of a living server, and any other file,
        is left alone.

        Args:
            path: where to listen.
            backlog: number of connections that the kernel keeps for `StreamListener.accept`.
            mode: permissions of the socket file, which never has wider ones; None leaves them to
                the umask.

        Raises:
            OSError: the path cannot be bound.
            ValueError: abstract names and automatic binding exist on Linux only.
            UnsupportedOperation: there are no Unix sockets here.
        """
        self._no_unix_sockets()

    async def create_unix_datagram_endpoint(
        self, path: UnixPath, *, local_path: UnixPath | None = None
    ) -> ControlDatagramEndpoint:
        """Makes a socket that exchanges datagrams with ``path``; without a ``local_path`` it gets
        no answers.

        Raises:
            OSError: nobody is bound there.
            UnsupportedOperation: there are no Unix sockets here.
        """
        self._no_unix_sockets()

    async def create_unix_datagram_listener(
        self, path: UnixPath, *, mode: int | None = None
    ) -> ControlDatagramListener:
        """Binds ``path``, with ``mode`` as in `create_unix_stream_listener`.

        Unnamed senders have the address None or an empty one.

        Raises:
            OSError: the path cannot be bound.
            ValueError: abstract names and automatic binding exist on Linux only.
            UnsupportedOperation: there are no Unix sockets here.
        """
        self._no_unix_sockets()

    def _no_unix_sockets(self) -> NoReturn:
        raise UnsupportedOperation(f"{type(self).__name__} has no Unix sockets")
