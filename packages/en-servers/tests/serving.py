# SPDX-License-Identifier: Apache-2.0
"""A server of lines in memory, and what its peers do."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.request_handler import RecvParams
from easynetwork.lowlevel.socket import INETSocketAttribute
from easynetwork.lowlevel.streams import ByteStream, StreamListener
from easynetwork.lowlevel.testing import MemoryBackend
from easynetwork.servers.engine.server import BaseAsyncNetworkServer
from easynetwork.servers.engine.settings import PeerAttributes, StreamSettings
from easynetwork.servers.engine.stream_service import StreamService
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler

__all__ = (
    "PORT",
    "Echo",
    "LineClient",
    "Requests",
    "Server",
    "ask",
    "connect",
    "ending",
    "running",
    "serving",
    "stream_settings",
)

PORT = 9000

LineClient = AsyncStreamClient[str]
Requests = AsyncGenerator[RecvParams | float | None, str]
Server = BaseAsyncNetworkServer[Any, Any]


class Echo(AsyncStreamRequestHandler[str, str]):
    async def handle(self, client: LineClient) -> Requests:
        request = yield None
        await client.send_packet(request)


def by_port(stream: ByteStream) -> tuple[object, PeerAttributes]:
    return f"port {stream.extra(INETSocketAttribute.peername).port}", dict


def stream_settings(
    backend: AsyncBackend,
    handler: AsyncStreamRequestHandler[str, str],
    describe_peer: Callable[[ByteStream], tuple[object, PeerAttributes]] = by_port,
    **options: Any,
) -> StreamSettings[str, str]:
    """Settings of a server that calls its peers by their ports, unless told otherwise."""
    return StreamSettings(backend=backend, handler=handler, describe_peer=describe_peer, **options)


@contextlib.asynccontextmanager
async def serving(
    backend: MemoryBackend, handler: AsyncStreamRequestHandler[str, str] | None = None, **options: Any
) -> AsyncGenerator[Server]:
    """Serves while the block runs; ``options`` are those of `StreamSettings`."""

    async def listen() -> Sequence[StreamListener]:
        return await backend.create_tcp_listeners("127.0.0.1", PORT, 10)

    service = StreamService(stream_settings(backend, handler or Echo(), **options))
    server: Server = BaseAsyncNetworkServer(backend, service, listen, options["logger"])
    async with running(server):
        yield server


@contextlib.asynccontextmanager
async def running(server: Server) -> AsyncGenerator[None]:
    """Serves in a task of its own; shuts down and closes at the end."""
    backend = server.backend()
    is_up = backend.create_event()

    async def serve() -> None:
        await server.serve_forever(is_up_event=is_up)

    async with server, backend.create_task_group() as tasks:
        tasks.start_soon(serve)
        await is_up.wait()
        yield
        await server.shutdown()


async def connect(server: Server) -> ByteStream:
    return await server.backend().create_tcp_connection("127.0.0.1", PORT)


async def ask(peer: ByteStream, request: str) -> str:
    await peer.send(request.encode() + b"\n")
    return (await peer.receive(1000)).decode().rstrip("\n")


async def ending(peer: ByteStream) -> str:
    """Reads what is left, and tells how it ended."""
    try:
        while await peer.receive(65536):
            pass
    except ConnectionResetError:
        return "reset"
    return "end"
