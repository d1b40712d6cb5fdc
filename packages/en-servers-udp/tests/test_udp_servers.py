# SPDX-License-Identifier: Apache-2.0
"""Both servers answer plain sockets.

What else holds of them needs clients, and is in ``tests-integration``.
"""

from __future__ import annotations

import functools
import socket
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import anyio.to_thread
import pytest

from easynetwork.lowlevel.api_async.backend.utils import BuiltinAsyncBackendLiteral
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers.async_udp import AsyncUDPNetworkServer
from easynetwork.servers.handlers import AsyncDatagramClient, AsyncDatagramRequestHandler
from easynetwork.servers.standalone_udp import StandaloneUDPNetworkServer
from easynetwork.servers.threads_helper import NetworkServerThread

PATIENCE = 10.0

AsyncServer = AsyncUDPNetworkServer[str, str]
StandaloneServer = StandaloneUDPNetworkServer[str, str]

EventLoop = tuple[BuiltinAsyncBackendLiteral, dict[str, Any]]


class Shouting(AsyncDatagramRequestHandler[str, str]):
    async def handle(self, client: AsyncDatagramClient[str]) -> AsyncGenerator[None, str]:
        request = yield
        await client.send_packet(request.upper())


def words() -> DatagramProtocol[str, str]:
    return DatagramProtocol(StringLineSerializer())


def ask(server: AsyncServer | StandaloneServer, request: str, host: str = "127.0.0.1") -> str:
    """Asks from a connected socket, which hears answers that leave from ``host`` only."""
    address = server.get_addresses()[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect((host, address.port))
        sock.send(request.encode())
        return sock.recv(100).decode()


@asynccontextmanager
async def running(server: AsyncServer) -> AsyncGenerator[None, None]:
    """Serves while the block runs."""
    async with server, anyio.create_task_group() as tasks:
        is_up = anyio.Event()
        tasks.start_soon(functools.partial(server.serve_forever, is_up_event=is_up))
        await is_up.wait()
        yield
        await server.shutdown()


@contextmanager
def running_in_a_thread(server: StandaloneServer) -> Generator[None, None, None]:
    """The same for a server that runs its event loop itself."""
    with server:
        thread = NetworkServerThread(server)
        thread.start()
        try:
            yield
        finally:
            thread.join(PATIENCE)


@pytest.mark.anyio
async def test_asynchronous_server_answers() -> None:
    server: AsyncServer = AsyncUDPNetworkServer("127.0.0.1", 0, words(), Shouting())
    async with running(server):
        assert await anyio.to_thread.run_sync(ask, server, "hello") == "HELLO"


@pytest.mark.anyio
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8, and tells which one was asked")
async def test_answer_leaves_from_the_address_that_was_asked() -> None:
    server: AsyncServer = AsyncUDPNetworkServer("0.0.0.0", 0, words(), Shouting())
    async with running(server):
        assert await anyio.to_thread.run_sync(ask, server, "hello", "127.0.0.9") == "HELLO"


def test_standalone_server_answers(anyio_backend: EventLoop) -> None:
    backend, options = anyio_backend
    server: StandaloneServer = StandaloneUDPNetworkServer(
        "127.0.0.1", 0, words(), Shouting(), backend, runner_options=options
    )
    with running_in_a_thread(server):
        assert ask(server, "hello") == "HELLO"
