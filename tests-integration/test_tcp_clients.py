# SPDX-License-Identifier: Apache-2.0
"""Both colours of TCP client against the real server, plain and with TLS."""

from __future__ import annotations

import functools
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest
from anyio import to_thread
from running_server import running
from tcp_peers import line_server

from easynetwork.clients import AsyncTCPNetworkClient, TCPNetworkClient
from easynetwork.exceptions import ClientClosedError, StreamProtocolParseError
from easynetwork.lowlevel.socket import IPv4SocketAddress
from easynetwork.protocol import BufferedStreamProtocol, StreamProtocol
from easynetwork.serializers import JSONSerializer
from easynetwork.servers.async_tcp import AsyncTCPNetworkServer
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler

pytestmark = pytest.mark.anyio

BlockingClient = TCPNetworkClient[Any, Any]
AsyncClient = AsyncTCPNetworkClient[Any, Any]

LARGE = "x" * 1_000_000


class Obedient(AsyncStreamRequestHandler[Any, Any]):
    """Answers with what it got; a few words are commands."""

    def __init__(self) -> None:
        self.gone = anyio.Event()

    async def handle(self, client: AsyncStreamClient[Any]) -> AsyncGenerator[None, Any]:
        request = yield
        match request:
            case "close":
                await client.aclose()
            case int(count):
                for number in range(count):
                    await client.send_packet(number)
            case _:
                await client.send_packet(request)

    async def on_disconnection(self, client: AsyncStreamClient[Any]) -> None:
        self.gone.set()


@pytest.fixture(params=["plain", "tls"])
def contexts(
    request: pytest.FixtureRequest, server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
    return (None, None) if request.param == "plain" else (server_context, client_context)


@pytest.fixture
def handler() -> Obedient:
    return Obedient()


@pytest.fixture
async def server(
    handler: Obedient, contexts: tuple[ssl.SSLContext | None, ssl.SSLContext | None]
) -> AsyncIterator[AsyncTCPNetworkServer[Any, Any]]:
    protocol: StreamProtocol[Any, Any] = StreamProtocol(JSONSerializer(limit=2 * len(LARGE)))
    server = line_server(handler, protocol, ssl=contexts[0])
    async with running(server):
        yield server


@pytest.fixture
def address(server: AsyncTCPNetworkServer[Any, Any]) -> tuple[str, int]:
    address = server.get_addresses()[0]
    assert isinstance(address, IPv4SocketAddress)
    return "localhost", address.port


@pytest.fixture(params=[StreamProtocol, BufferedStreamProtocol])
def connect(
    request: pytest.FixtureRequest,
    address: tuple[str, int],
    contexts: tuple[ssl.SSLContext | None, ssl.SSLContext | None],
) -> Callable[[], AsyncClient]:
    protocol = request.param(JSONSerializer(limit=2 * len(LARGE)))
    return functools.partial(AsyncTCPNetworkClient, address, protocol, ssl=contexts[1])


@pytest.fixture(params=[StreamProtocol, BufferedStreamProtocol])
def connect_blocking(
    request: pytest.FixtureRequest,
    address: tuple[str, int],
    contexts: tuple[ssl.SSLContext | None, ssl.SSLContext | None],
) -> Callable[[], BlockingClient]:
    protocol = request.param(JSONSerializer(limit=2 * len(LARGE)))
    return functools.partial(TCPNetworkClient, address, protocol, ssl=contexts[1])


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as executor:
        yield executor


# asynchronous


async def test_an_asynchronous_client_is_answered(connect: Callable[[], AsyncClient], handler: Obedient) -> None:
    async with connect() as client:
        for packet in ("hello", {"a": [1, 2]}, LARGE):
            await client.send_packet(packet)
            assert await client.recv_packet() == packet

    await handler.gone.wait()


async def test_an_asynchronous_client_sends_and_receives_at_the_same_time(connect: Callable[[], AsyncClient]) -> None:
    """More than all buffers hold, so neither direction can wait for the other."""
    async with connect() as client:

        async def send_all() -> None:
            for _ in range(10):
                await client.send_packet(LARGE)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send_all)
            for _ in range(10):
                assert await client.recv_packet() == LARGE


async def test_an_asynchronous_iteration_ends_with_the_connection(connect: Callable[[], AsyncClient]) -> None:
    async with connect() as client:
        await client.send_packet(5)
        await client.send_packet("close")

        assert [packet async for packet in client.iter_received_packets(timeout=None)] == [0, 1, 2, 3, 4]
        with pytest.raises(ConnectionAbortedError):
            await client.recv_packet()


async def test_an_asynchronous_client_closes_while_it_receives(
    connect: Callable[[], AsyncClient], handler: Obedient
) -> None:
    async with connect() as client:
        await client.send_packet("hello")
        assert await client.recv_packet() == "hello"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.aclose)
            with pytest.raises(ClientClosedError):
                await client.recv_packet()

    await handler.gone.wait()


# blocking


async def test_a_blocking_client_is_answered(connect_blocking: Callable[[], BlockingClient], handler: Obedient) -> None:
    def exchange() -> None:
        with connect_blocking() as client:
            for packet in ("hello", {"a": [1, 2]}, LARGE):
                client.send_packet(packet)
                assert client.recv_packet() == packet

    await to_thread.run_sync(exchange)
    await handler.gone.wait()


async def test_a_blocking_client_sends_and_receives_at_the_same_time(
    connect_blocking: Callable[[], BlockingClient], threads: ThreadPoolExecutor
) -> None:
    def send_all(client: BlockingClient) -> None:
        for _ in range(10):
            client.send_packet(LARGE)

    def exchange() -> None:
        with connect_blocking() as client:
            sending = threads.submit(send_all, client)
            for _ in range(10):
                assert client.recv_packet() == LARGE
            sending.result()

    await to_thread.run_sync(exchange)


async def test_a_blocking_iteration_ends_with_the_connection(
    connect_blocking: Callable[[], BlockingClient],
) -> None:
    def exchange() -> None:
        with connect_blocking() as client:
            client.send_packet(5)
            client.send_packet("close")

            assert list(client.iter_received_packets(timeout=None)) == [0, 1, 2, 3, 4]
            with pytest.raises(ConnectionAbortedError):
                client.recv_packet()

    await to_thread.run_sync(exchange)


async def test_a_blocking_client_closes_while_it_receives(
    connect_blocking: Callable[[], BlockingClient], threads: ThreadPoolExecutor, handler: Obedient
) -> None:
    def exchange() -> None:
        with connect_blocking() as client:
            client.send_packet("hello")
            assert client.recv_packet() == "hello"
            receiving = threads.submit(client.recv_packet)
            client.close()
            assert isinstance(receiving.exception(), ClientClosedError)

    await to_thread.run_sync(exchange)
    await handler.gone.wait()


# one rule for both


async def test_a_client_survives_an_answer_that_it_cannot_read(address: tuple[str, int], contexts: Any) -> None:
    protocol: StreamProtocol[Any, Any] = StreamProtocol(JSONSerializer(limit=100))

    async with AsyncTCPNetworkClient(address, protocol, ssl=contexts[1]) as client:
        await client.send_packet("x" * 200)
        with pytest.raises(StreamProtocolParseError):
            await client.recv_packet()
        await client.send_packet("short")
        assert await client.recv_packet() == "short"
