# SPDX-License-Identifier: Apache-2.0
"""The contenders: each serves an echo of lines on a free loopback port, prints the port, and runs until it is killed."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from typing import Any

import trio

from easynetwork.lowlevel.api_async.backend.utils import new_builtin_backend
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers.base_stream import AutoSeparatedPacketSerializer
from easynetwork.servers.async_tcp import AsyncTCPNetworkServer
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler


class EchoProtocol(asyncio.Protocol):
    """The least that asyncio asks for: no framing, no flow control."""

    def connection_made(self, transport: Any) -> None:  # a WriteTransport, but uvloop's is none by class
        self.write: Callable[[bytes], None] = transport.write

    def data_received(self, data: bytes) -> None:
        self.write(data)


async def serve_raw() -> None:
    server = await asyncio.get_running_loop().create_server(EchoProtocol, "127.0.0.1", 0)
    announce(server.sockets[0])
    await server.serve_forever()


async def echo_lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            writer.write(await reader.readuntil(b"\n"))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def serve_streams() -> None:
    server = await asyncio.start_server(echo_lines, "127.0.0.1", 0)
    announce(server.sockets[0])
    await server.serve_forever()


async def echo_chunks(stream: trio.SocketStream) -> None:
    with suppress(trio.BrokenResourceError):
        async for chunk in stream:
            await stream.send_all(chunk)


async def serve_trio_streams() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    print(listeners[0].socket.getsockname()[1], flush=True)
    await trio.serve_listeners(echo_chunks, listeners)


class LineSerializer(AutoSeparatedPacketSerializer[bytes, bytes]):
    """Lines as they are, as asyncio's streams give them."""

    def __init__(self) -> None:
        super().__init__(b"\n", incremental_serialize_check_separator=False)

    def serialize(self, packet: bytes) -> bytes:
        return packet

    def deserialize(self, data: bytes) -> bytes:
        return data


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


async def serve_easynetwork(handler: AsyncStreamRequestHandler[bytes, bytes]) -> None:
    server = AsyncTCPNetworkServer("127.0.0.1", 0, StreamProtocol(LineSerializer()), handler)
    async with server:
        print(server.get_addresses()[0].port, flush=True)
        await server.serve_forever()


def announce(sock: socket.socket) -> None:
    print(sock.getsockname()[1], flush=True)


CONTENDERS: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
    "raw protocol": serve_raw,
    "streams": serve_streams,
    "streams on trio": serve_trio_streams,
    "easynetwork, loop": lambda: serve_easynetwork(LoopingEchoHandler()),
    "easynetwork": lambda: serve_easynetwork(EchoHandler()),
}


def main(_kind: str, name: str, loop: str, _path: str) -> None:
    contender = CONTENDERS.get(f"{name} on {loop}", CONTENDERS[name])
    if loop == "uvloop":
        import uvloop

        new_builtin_backend("asyncio").bootstrap(contender, runner_options={"loop_factory": uvloop.new_event_loop})
    else:
        new_builtin_backend(loop).bootstrap(contender)


if __name__ == "__main__":
    main(*sys.argv[1:])
