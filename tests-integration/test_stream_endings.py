# SPDX-License-Identifier: Apache-2.0
"""How a connection ends, and what the log says of it: the same for the peer on every event loop, whatever the handler does."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest
import trio
from datagram_peers import PATIENCE, LineSocketPeer
from scopes import Cut, OpenScope, each_scope_or_group
from stream_peers import StreamServer, Transport, peer_of, trouble

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.request_handler import RecvParams
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler

pytestmark = pytest.mark.anyio

Client = AsyncStreamClient[str]

FAILED = ["ERROR LookupError()"]


class Clerk(AsyncStreamRequestHandler[str, str]):
    """Takes one request and answers; subclasses do something wrong."""

    async def handle(self, client: Client) -> AsyncGenerator[Any, str]:
        request = yield
        await client.send_packet(request)


class FailsToGreet(Clerk):
    async def on_connection(self, client: Client) -> None:
        await client.send_packet("one")
        raise LookupError


class FailsInItsGreeting(Clerk):
    async def on_connection(self, client: Client) -> AsyncGenerator[None, str]:
        await client.send_packet((yield))
        raise LookupError


class FailsBeforeAsking(Clerk):
    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        await client.send_packet("one")
        if client.backend():  # always: but the rest makes this a generator
            raise LookupError
        yield


class FailsAfterwards(Clerk):
    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        await client.send_packet((yield))
        raise LookupError


class FailsWithAGroup(Clerk):
    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        await client.send_packet((yield))
        raise ExceptionGroup("more", [LookupError(), ConnectionResetError()])


class FailsToSayGoodbye(Clerk):
    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        await client.send_packet((yield))
        await client.aclose()

    async def on_disconnection(self, client: Client) -> None:
        raise LookupError


class RunsOutOfTime(Clerk):
    async def handle(self, client: Client) -> AsyncGenerator[RecvParams | None, str]:
        await client.send_packet((yield None))
        yield None
        yield None
        yield RecvParams(timeout=0)


class Closes(Clerk):
    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        await client.send_packet((yield))
        await client.aclose()


class Refuses(Clerk):
    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        if client.is_closing():  # never: but it makes this a generator
            yield


class RefusesPolitely(Clerk):
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
        (FailsToGreet, FAILED),
        (FailsInItsGreeting, FAILED),
        (FailsBeforeAsking, FAILED),
        (FailsAfterwards, FAILED),
        (FailsWithAGroup, FAILED),
        (FailsToSayGoodbye, FAILED),
        (RunsOutOfTime, ["ERROR TimeoutError('no data has come yet')"]),
        (Closes, []),
        (RefusesPolitely, []),
    ],
)
async def test_a_peer_gets_its_answer_and_an_end_in_order(
    transport: Transport, handler_class: type[Clerk], log: list[str], caplog: pytest.LogCaptureFixture
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


@each_scope_or_group
async def test_a_server_in_a_scope_ends_with_it_in_order(
    transport: Transport, open_scope: OpenScope, backend: AsyncBackend, caplog: pytest.LogCaptureFixture
) -> None:
    events: list[str] = []

    class Noting(Clerk):
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
    async with transport.serving(Clerk()) as (server, peer):
        assert await peer.ask("x") == "x"
        await server.shutdown()

        assert await how_it_ends(peer) == (b"", "end")

    assert trouble(caplog) == []


def test_a_trio_program_whose_time_is_up_has_closed_its_server(transport: Transport) -> None:
    servers: list[StreamServer] = []

    async def main() -> None:
        servers.append(transport.server(Clerk()))
        with trio.fail_after(0.05):
            async with servers[0] as server:
                await server.serve_forever()

    with pytest.raises(trio.TooSlowError):
        trio.run(main)

    assert not servers[0].is_serving()
    assert not servers[0].is_listening()
