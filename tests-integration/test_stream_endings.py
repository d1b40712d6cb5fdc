# SPDX-License-Identifier: Apache-2.0
"""How a connection ends, and what the log says of it: the same for the peer on every event loop,
whatever the handler does.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest
import trio
from datagram_peers import PATIENCE, LineSocketPeer
from running_server import running, until
from scopes import Cut, OpenScope, each_scope_or_group
from stream_peers import StreamServer, Transport, peer_of, trouble
from tcp_peers import connected, line_server

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.request_handler import RecvParams
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler
from easynetwork.servers.statistics import CloseReason

pytestmark = pytest.mark.anyio

Client = AsyncStreamClient[str]

FAILED = ["ERROR LookupError()"]


class EchoHandler(AsyncStreamRequestHandler[str, str]):
    """Takes one request and answers; subclasses do something wrong."""

    async def handle(self, client: Client) -> AsyncGenerator[Any, str]:
        request = yield
        await client.send_packet(request)


class FailsOnConnection(EchoHandler):
    async def on_connection(self, client: Client) -> None:
        await client.send_packet("one")
        raise LookupError


class FailsInOnConnection(EchoHandler):
    async def on_connection(self, client: Client) -> AsyncGenerator[None, str]:
        await client.send_packet((yield))
        raise LookupError


class FailsBeforeAsking(EchoHandler):
    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        await client.send_packet("one")
        if client.backend():  # always: but the rest makes this a generator
            raise LookupError
        yield


class FailsAfterwards(EchoHandler):
    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        await client.send_packet((yield))
        raise LookupError


class FailsWithAGroup(EchoHandler):
    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        await client.send_packet((yield))
        raise ExceptionGroup("more", [LookupError(), ConnectionResetError()])


class FailsOnDisconnection(EchoHandler):
    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        await client.send_packet((yield))
        await client.aclose()

    async def on_disconnection(self, client: Client) -> None:
        raise LookupError


class RunsOutOfTime(EchoHandler):
    async def handle(self, client: Client) -> AsyncGenerator[RecvParams | None, str]:
        await client.send_packet((yield None))
        yield None
        yield None
        yield RecvParams(timeout=0)


class Closes(EchoHandler):
    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        await client.send_packet((yield))
        await client.aclose()


class Refuses(EchoHandler):
    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        if client.is_closing():  # never: but it makes this a generator
            yield


class RefusesPolitely(EchoHandler):
    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        await client.send_packet("one")
        if client.is_closing():
            yield


async def how_it_ends(peer: LineSocketPeer) -> tuple[bytes, str]:
    """What comes until the connection ends, and in which way it does."""
    received = b""
    with anyio.fail_after(PATIENCE):
        while True:
            await anyio.wait_readable(peer.sock)
            try:
                data = peer.sock.recv(1000)
            except ConnectionResetError:
                return received, "reset"
            if not data:
                return received, "end"
            received += data


@pytest.mark.parametrize(
    ("handler_class", "log"),
    [
        (FailsOnConnection, FAILED),
        (FailsInOnConnection, FAILED),
        (FailsBeforeAsking, FAILED),
        (FailsAfterwards, FAILED),
        (FailsWithAGroup, FAILED),
        (FailsOnDisconnection, FAILED),
        (RunsOutOfTime, ["ERROR ReceiveTimeoutError('no packet came in time')"]),
        (Closes, []),
        (RefusesPolitely, []),
    ],
)
async def test_a_peer_gets_its_answer_and_an_end_in_order(
    transport: Transport, handler_class: type[EchoHandler], log: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Also if it has sent more than was read."""
    async with transport.serving(handler_class()) as (_, peer):
        peer.send("one", "two", "three")

        assert await how_it_ends(peer) == (b"one\n", "end")

    assert trouble(caplog) == log


async def test_a_peer_that_is_refused_sees_a_reset(transport: Transport, caplog: pytest.LogCaptureFixture) -> None:
    """A Unix socket has no resets but for input that nobody has read."""
    async with transport.serving(Refuses()) as (_, peer):
        received, end = await how_it_ends(peer)

        assert received == b""
        assert end == ("reset" if transport.name == "tcp" else "end")

    assert trouble(caplog) == []


class Relay(AsyncStreamRequestHandler[str, str]):
    """Sends and closes in a task of its own, while the generator waits for requests."""

    PACKET = "x" * 3_000_000
    """More than a socket holds."""

    def __init__(self) -> None:
        self.sent, self.closed = anyio.Event(), anyio.Event()
        self.clients: list[Client] = []

    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        self.clients.append(client)
        async with client.backend().create_task_group() as tasks:
            tasks.start_soon(self._pump, client)
            while True:
                yield

    async def _pump(self, client: Client) -> None:
        await client.send_packet(self.PACKET)
        self.sent.set()
        await client.aclose()
        self.closed.set()

    async def is_read_late(self, receive: Callable[[], Awaitable[bytes]]) -> None:
        """Reads no more than the send needs before the client is closed, and then the rest up to
        the end.
        """
        received = 0
        while not self.sent.is_set():
            received += len(await receive())
        await until(self.clients[0].is_closing)
        for _ in range(100):  # turns in which a close could be cancelled
            await anyio.lowlevel.checkpoint()
        assert received < len(self.PACKET), "the close has something to wait for"
        while data := await receive():
            received += len(data)
        assert received == len(self.PACKET) + 1
        await self.closed.wait()


async def test_close_by_another_task_delivers_everything_before_the_generator_ends(
    transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    handler = Relay()
    async with transport.serving(handler) as (server, peer):

        async def receive() -> bytes:
            await anyio.wait_readable(peer.sock)
            return peer.sock.recv(16384)

        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        with anyio.fail_after(PATIENCE):
            await handler.is_read_late(receive)
            await until(lambda: server.statistics().closed)
        assert server.statistics().closed == {CloseReason.HANDLER_CLOSED: 1}

    assert trouble(caplog) == []


async def test_close_of_tls_by_another_task_delivers_everything_before_the_generator_ends(
    server_context: ssl.SSLContext, client_context: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    handler = Relay()
    server = line_server(handler, ssl=server_context)
    async with running(server), connected(server, client_context) as peer:

        async def receive() -> bytes:
            try:
                return await peer.stream.receive(16384)
            except anyio.EndOfStream:  # with the closing alert; without it, it is a BrokenResourceError
                await peer.stream.aclose()
                return b""

        with anyio.fail_after(PATIENCE):
            await handler.is_read_late(receive)
            await until(lambda: server.statistics().closed)
        assert server.statistics().closed == {CloseReason.HANDLER_CLOSED: 1}

    assert trouble(caplog) == []


@each_scope_or_group
async def test_a_server_in_a_scope_ends_with_it_in_order(
    transport: Transport, open_scope: OpenScope, backend: AsyncBackend, caplog: pytest.LogCaptureFixture
) -> None:
    events: list[str] = []

    class Noting(EchoHandler):
        async def service_init(self, exit_stack: AsyncExitStack, server: Any) -> None:
            exit_stack.callback(events.append, "service undone")

        async def on_disconnection(self, client: Client) -> None:
            events.append("client gone")

    async def serve() -> None:
        async with open_scope(backend) as cut_it:
            cut.append(cut_it)
            await server.serve_forever(is_up_event=is_up)
        events.append("scope left")

    cut: list[Cut] = []
    is_up = anyio.Event()
    server = transport.server(Noting())
    async with server, anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        await is_up.wait()
        with peer_of(server) as peer:
            assert await peer.ask("x") == "x"
            cut[0]()
            assert await how_it_ends(peer) == (b"", "end")

    assert events == ["client gone", "service undone", "scope left"]
    assert trouble(caplog) == []


async def test_peers_of_a_server_that_is_shut_down_see_an_end_in_order(
    transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    async with transport.serving(EchoHandler()) as (server, peer):
        assert await peer.ask("x") == "x"
        await server.shutdown()

        assert await how_it_ends(peer) == (b"", "end")

    assert trouble(caplog) == []


def test_a_trio_program_whose_time_is_up_has_closed_its_server(transport: Transport) -> None:
    servers: list[StreamServer] = []

    async def main() -> None:
        servers.append(transport.server(EchoHandler()))
        with trio.fail_after(0.05):
            async with servers[0] as server:
                await server.serve_forever()

    with pytest.raises(trio.TooSlowError):
        trio.run(main)

    assert not servers[0].is_serving()
    assert not servers[0].is_listening()
