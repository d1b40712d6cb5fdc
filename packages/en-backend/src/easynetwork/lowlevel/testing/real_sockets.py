# SPDX-License-Identifier: Apache-2.0
"""What a backend's own factories make, in the shapes that the examinations ask for."""

from __future__ import annotations

import itertools
import socket as _socket
from pathlib import Path

from ..api_async.backend.abc import AsyncBackend
from ..datagrams import ControlDatagramEndpoint, ControlDatagramListener, DatagramEndpoint, DatagramListener
from ..socket import INETSocketAttribute, UNIXSocketAttribute
from ..streams import ByteStream, ControlByteStream, StreamListener
from ..tls import TLSOptions, TLSStream

__all__ = ("TCP", "TLS", "UDP", "UnixDatagrams", "UnixStreams")

_HOST = "127.0.0.1"
_BACKLOG = 10


class TCP:
    """Streams and listeners on loopback."""

    def __init__(self, backend: AsyncBackend) -> None:
        self._backend = backend

    async def listen(self, host: str | None = _HOST) -> StreamListener:
        (listener,) = await self._backend.create_tcp_listeners(host, 0, _BACKLOG)
        return listener

    async def connect(self, listener: StreamListener) -> ByteStream:
        address = listener.extra(INETSocketAttribute.sockname)
        return await self._backend.create_tcp_connection(address.host, address.port)

    async def make_pair(self) -> tuple[ByteStream, ByteStream]:
        listener = await self.listen()
        client = await self.connect(listener)
        server = await listener.accept()
        await listener.aclose()
        return client, server

    async def wrap_pair(self) -> tuple[ByteStream, ByteStream]:
        with _socket.create_server((_HOST, 0)) as listener:
            client = _socket.create_connection(listener.getsockname())
            server, _ = listener.accept()
        return await self._backend.wrap_stream_socket(client), await self._backend.wrap_stream_socket(server)


class TLS:
    """Secure streams over those of `TCP`.

    Args:
        client: how the end that connects is secured; it expects the name ``localhost``.
        server: how the other end is.
    """

    def __init__(self, backend: AsyncBackend, *, client: TLSOptions, server: TLSOptions) -> None:
        self._backend = backend
        self._client = client
        self._server = server

    async def make_pair(self) -> tuple[ByteStream, ByteStream]:
        client, server = await TCP(self._backend).make_pair()
        async with self._backend.create_task_group() as tasks:
            handshake = await tasks.start(self._secure_client, client)
            secure_server = await TLSStream.handshake(server, self._server, server_side=True)
        return await handshake.join(), secure_server

    async def _secure_client(self, stream: ByteStream) -> ByteStream:
        return await TLSStream.handshake(stream, self._client, server_side=False, server_hostname="localhost")


class UDP:
    """Endpoints and listeners on loopback."""

    def __init__(self, backend: AsyncBackend) -> None:
        self._backend = backend

    async def listen(self, host: str = _HOST) -> DatagramListener:
        (listener,) = await self._backend.create_udp_listeners(host, 0)
        return listener

    async def connect(self, listener: DatagramListener) -> DatagramEndpoint:
        address = listener.extra(INETSocketAttribute.sockname)
        return await self._backend.create_udp_endpoint(address.host, address.port)

    async def wrap_pair(self) -> tuple[DatagramEndpoint, DatagramEndpoint]:
        ours, theirs = (_socket.socket(type=_socket.SOCK_DGRAM) for _ in range(2))
        for sock in (ours, theirs):
            sock.bind((_HOST, 0))
        ours.connect(theirs.getsockname())
        theirs.connect(ours.getsockname())
        wrap = self._backend.wrap_connected_datagram_socket
        return await wrap(ours), await wrap(theirs)


class _UnixSockets:
    """Sockets whose files are in ``folder``, each with another name."""

    def __init__(self, backend: AsyncBackend, folder: Path) -> None:
        self._backend = backend
        self._paths = (folder / str(number) for number in itertools.count())

    def path(self) -> Path:
        return next(self._paths)


class UnixStreams(_UnixSockets):
    """Streams and listeners."""

    async def listen(self, backlog: int = _BACKLOG) -> StreamListener:
        return await self._backend.create_unix_stream_listener(self.path(), backlog)

    async def connect(self, listener: StreamListener) -> ControlByteStream:
        address = listener.extra(UNIXSocketAttribute.sockname)
        return await self._backend.create_unix_stream_connection(address)

    async def make_pair(self) -> tuple[ControlByteStream, ControlByteStream]:
        listener = await self.listen()
        client = await self.connect(listener)
        server = await listener.accept()
        await listener.aclose()
        return client, _with_control(server)

    async def wrap_pair(self) -> tuple[ControlByteStream, ControlByteStream]:
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        wrap = self._backend.wrap_stream_socket
        return _with_control(await wrap(ours)), _with_control(await wrap(theirs))


class UnixDatagrams(_UnixSockets):
    """Endpoints and listeners."""

    async def listen(self) -> ControlDatagramListener:
        return await self._backend.create_unix_datagram_listener(self.path())

    async def connect(self, listener: DatagramListener) -> ControlDatagramEndpoint:
        address = listener.extra(UNIXSocketAttribute.sockname)
        return await self._backend.create_unix_datagram_endpoint(address, local_path=self.path())

    async def wrap_pair(self) -> tuple[DatagramEndpoint, DatagramEndpoint]:
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_DGRAM)
        wrap = self._backend.wrap_connected_datagram_socket
        return await wrap(ours), await wrap(theirs)


def _with_control(stream: ByteStream) -> ControlByteStream:
    assert isinstance(stream, ControlByteStream), f"{stream!r} passes no control messages, though its socket does"
    return stream
