# SPDX-License-Identifier: Apache-2.0
"""Both servers answer plain sockets, in the clear and with TLS.

What else holds of them needs clients, and is in ``tests-integration``.
"""

from __future__ import annotations

import functools
import socket
import ssl
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import anyio.to_thread
import pytest

from easynetwork.lowlevel.api_async.backend.utils import BuiltinAsyncBackendLiteral
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers.async_tcp import AsyncTCPNetworkServer
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler
from easynetwork.servers.standalone_tcp import StandaloneTCPNetworkServer
from easynetwork.servers.threads_helper import NetworkServerThread

PATIENCE = 10.0

AsyncServer = AsyncTCPNetworkServer[str, str]
StandaloneServer = StandaloneTCPNetworkServer[str, str]

EventLoop = tuple[BuiltinAsyncBackendLiteral, dict[str, Any]]


class Shouting(AsyncStreamRequestHandler[str, str]):
    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
        request = yield
        await client.send_packet(request.upper())


def lines() -> StreamProtocol[str, str]:
    return StreamProtocol(StringLineSerializer())


def ask(server: AsyncServer | StandaloneServer, request: str, context: ssl.SSLContext | None = None) -> str:
    (address,) = server.get_addresses()
    with socket.create_connection(address.for_connection(), timeout=PATIENCE) as sock:
        if context is None:
            return _ask(sock, request)
        with context.wrap_socket(sock, server_hostname="localhost") as secure:
            return _ask(secure, request)


def _ask(sock: socket.socket, request: str) -> str:
    sock.sendall(f"{request}\n".encode())
    with sock.makefile() as answers:
        return answers.readline().rstrip()


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
    server: AsyncServer = AsyncTCPNetworkServer("127.0.0.1", 0, lines(), Shouting())
    async with running(server):
        assert await anyio.to_thread.run_sync(ask, server, "hello") == "HELLO"


@pytest.mark.anyio
async def test_asynchronous_server_answers_over_tls(
    server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    server: AsyncServer = AsyncTCPNetworkServer("127.0.0.1", 0, lines(), Shouting(), ssl=server_context)
    async with running(server):
        assert await anyio.to_thread.run_sync(ask, server, "hello", client_context) == "HELLO"


def test_standalone_server_answers(anyio_backend: EventLoop) -> None:
    backend, options = anyio_backend
    server: StandaloneServer = StandaloneTCPNetworkServer(
        "127.0.0.1", 0, lines(), Shouting(), backend, runner_options=options
    )
    with running_in_a_thread(server):
        assert ask(server, "hello") == "HELLO"


def test_standalone_server_answers_over_tls(
    anyio_backend: EventLoop, server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    backend, options = anyio_backend
    server: StandaloneServer = StandaloneTCPNetworkServer(
        "127.0.0.1", 0, lines(), Shouting(), backend, runner_options=options, ssl=server_context
    )
    with running_in_a_thread(server):
        assert ask(server, "hello", client_context) == "HELLO"
