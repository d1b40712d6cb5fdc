# SPDX-License-Identifier: Apache-2.0
"""The servers of streams, ours and those written by hand.

Each serves an echo of lines over TCP or a Unix stream, prints its port or path, and runs until it
is killed.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any, NamedTuple

import trio

from easynetwork.lowlevel.api_async.backend.utils import new_builtin_backend
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers.abc import AbstractIncrementalPacketSerializer
from easynetwork.serializers.base_stream import AutoSeparatedPacketSerializer
from easynetwork.servers.async_tcp import AsyncTCPNetworkServer
from easynetwork.servers.async_unix_stream import AsyncUnixStreamServer
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler
from easynetwork.servers.options import ServerLimits


class Place(NamedTuple):
    """Where to serve, and what comes there."""

    transport: str
    path: str
    connections: int
    pipelined: bool
    """Whether several lines come at a time."""

    @property
    def backlog(self) -> int:
        return max(self.connections, 128)

    @property
    def is_unix(self) -> bool:
        return self.transport == "unix-stream"

    def listen(self) -> socket.socket:
        """Returns a listening socket, and announces it."""
        if self.is_unix:
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(self.path)
        else:
            # asyncio asks the protocol by number before it sets TCP_NODELAY.
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        sock.listen(self.backlog)
        announce(self.path if self.is_unix else sock.getsockname()[1])
        return sock


def announce(where: object) -> None:
    print(where, flush=True)


class EchoProtocol(asyncio.Protocol):
    """The least that asyncio asks for: no framing, no flow control."""

    def connection_made(self, transport: Any) -> None:  # a WriteTransport, but uvloop's is none by class
        self.write: Callable[[bytes], None] = transport.write

    def data_received(self, data: bytes) -> None:
        self.write(data)


async def serve_raw(place: Place) -> None:
    server = await asyncio.get_running_loop().create_server(EchoProtocol, sock=place.listen(), backlog=place.backlog)
    await server.serve_forever()


async def echo_lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            writer.write(await reader.readuntil(b"\n"))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def serve_streams(place: Place) -> None:
    start = asyncio.start_unix_server if place.is_unix else asyncio.start_server
    server = await start(echo_lines, sock=place.listen(), backlog=place.backlog)
    await server.serve_forever()


async def echo_chunks(stream: trio.SocketStream) -> None:
    """Answers without framing: one line comes at a time."""
    with suppress(trio.BrokenResourceError):
        async for chunk in stream:
            await stream.send_all(chunk)


async def echo_lines_of_chunks(stream: trio.SocketStream) -> None:
    """Answers each request by itself, also when several came in one chunk."""
    rest = b""
    with suppress(trio.BrokenResourceError):
        async for chunk in stream:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                await stream.send_all(line + b"\n")


async def serve_trio_streams(place: Place) -> None:
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(place.listen()))
    await trio.serve_listeners(echo_lines_of_chunks if place.pipelined else echo_chunks, [listener])


class LineSerializer(AutoSeparatedPacketSerializer[bytes, bytes]):
    """Lines as they are, as asyncio's streams give them."""

    def __init__(self) -> None:
        super().__init__(b"\n", incremental_serialize_check_separator=False)

    def serialize(self, packet: bytes) -> bytes:
        return packet

    def deserialize(self, data: bytes) -> bytes:
        return data


class GeneratorSerializer(AbstractIncrementalPacketSerializer[bytes, bytes]):
    """The same lines, as a user writes it who has read no more than the abstract class."""

    def incremental_serialize(self, packet: bytes) -> Generator[bytes, None, None]:
        yield packet + b"\n"

    def incremental_deserialize(self) -> Generator[None, bytes, tuple[bytes, bytes]]:
        data = yield
        while b"\n" not in data:
            data += yield
        line, _, rest = data.partition(b"\n")
        return line, rest


class EchoHandler(AsyncStreamRequestHandler[bytes, bytes]):
    """A generator for each request: the way that handlers are written first."""

    async def handle(self, client: AsyncStreamClient[bytes]) -> AsyncGenerator[None, bytes]:
        request = yield
        await client.send_packet(request)


class LoopingEchoHandler(AsyncStreamRequestHandler[bytes, bytes]):
    """One generator for the whole connection, with a loop in it, as `echo_lines` has one."""

    async def handle(self, client: AsyncStreamClient[bytes]) -> AsyncGenerator[None, bytes]:
        while True:
            request = yield
            await client.send_packet(request)


async def serve_easynetwork(
    place: Place,
    serializer: AbstractIncrementalPacketSerializer[bytes, bytes],
    handler: AsyncStreamRequestHandler[bytes, bytes],
) -> None:
    protocol = StreamProtocol(serializer)
    limits = ServerLimits(max_connections=None, max_connections_per_address=None)
    if place.is_unix:
        async with AsyncUnixStreamServer(place.path, protocol, handler, backlog=place.backlog, limits=limits) as server:
            announce(place.path)
            await server.serve_forever()
    else:
        async with AsyncTCPNetworkServer(
            "127.0.0.1", 0, protocol, handler, backlog=place.backlog, limits=limits
        ) as server:
            announce(server.get_addresses()[0].port)
            await server.serve_forever()


CONTENDERS: dict[str, Callable[[Place], Coroutine[Any, Any, None]]] = {
    "raw protocol": serve_raw,
    "streams": serve_streams,
    "streams on trio": serve_trio_streams,
    "easynetwork, loop": lambda place: serve_easynetwork(place, LineSerializer(), LoopingEchoHandler()),
    "easynetwork": lambda place: serve_easynetwork(place, LineSerializer(), EchoHandler()),
    "easynetwork, generator": lambda place: serve_easynetwork(place, GeneratorSerializer(), EchoHandler()),
}


def main(transport: str, name: str, loop: str, path: str, connections: str, messages: str) -> None:
    contender = CONTENDERS.get(f"{name} on {loop}", CONTENDERS[name])
    place = Place(transport, path, int(connections), pipelined=int(messages) > 1)
    if loop == "uvloop":
        import uvloop

        backend, options = "asyncio", {"loop_factory": uvloop.new_event_loop}
    else:
        backend, options = loop, {}
    new_builtin_backend(backend).bootstrap(contender, place, runner_options=options)


if __name__ == "__main__":
    main(*sys.argv[1:])
