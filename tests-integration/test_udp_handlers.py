# SPDX-License-Identifier: Apache-2.0
"""What request handlers of UDP may do."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from datagram_handlers import (
    Apologizing,
    Choosy,
    FollowingUp,
    Noting,
    Remembering,
    Request,
    Response,
    ServerProtocol,
    Shouting,
)
from datagram_loop_handlers import (
    Patient,
    Service,
    YieldingANumber,
    service_handlers,
    timeout_handlers,
)
from datagram_peers import SocketPeer, udp_peer
from running_server import running

from easynetwork.exceptions import TypedAttributeLookupError, UnsupportedOperation
from easynetwork.lowlevel.request_handler import RecvAncillaryDataParams, RecvParams
from easynetwork.lowlevel.socket import IPv4SocketAddress
from easynetwork.servers.async_udp import AsyncUDPNetworkServer
from easynetwork.servers.handlers import AsyncDatagramClient, AsyncDatagramRequestHandler, INETClientAttribute

Server = AsyncUDPNetworkServer[Request, Response]
Handler = AsyncDatagramRequestHandler[Request, Response]

in_event_loop = pytest.mark.anyio


@asynccontextmanager
async def serving(handler: Handler, **options: Any) -> AsyncGenerator[tuple[Server, SocketPeer]]:
    """A running server with one peer."""
    server: Server = AsyncUDPNetworkServer("127.0.0.1", 0, ServerProtocol(), handler, **options)
    async with running(server):
        with udp_peer(server) as peer:
            yield server, peer


# Request Handler Objects


@in_event_loop
async def test_simple_request_handler() -> None:
    async with serving(Shouting()) as (_, peer):
        assert await peer.ask("hello") == "HELLO"
        assert await peer.ask("world") == "WORLD"


@in_event_loop
async def test_there_is_only_one_request_handler_for_the_entire_service() -> None:
    handlers: set[object] = set()

    class Telling(Shouting):
        async def handle(self, client: AsyncDatagramClient[Response]) -> AsyncGenerator[None, Request]:
            handlers.add(self)
            yield
            await client.send_packet(Response())

    handler = Telling()
    async with serving(handler) as (server, one):
        await one.ask("x")
        with udp_peer(server) as other:
            await other.ask("x")

    assert handlers == {handler}


# Using handle() Generator


@in_event_loop
async def test_one_active_generator_per_client_and_pending_datagrams_are_queued() -> None:
    """The first of them waits meanwhile; the generator of another client does not care."""
    active: dict[AsyncDatagramClient[Response], int] = {}
    released = anyio.Event()

    class Slow(Handler):
        async def handle(self, client: AsyncDatagramClient[Response]) -> AsyncGenerator[None, Request]:
            active[client] = active.get(client, 0) + 1
            assert active[client] == 1
            request = yield
            if request.text == "1":
                await released.wait()
            await client.send_packet(Response(request.text))
            active[client] -= 1

    async with serving(Slow()) as (server, peer):
        peer.send("1", "2", "3")
        with udp_peer(server) as other:
            assert await other.ask("0") == "0"
        assert await peer.hears_nothing()
        released.set()
        assert [await peer.receive() for _ in range(3)] == ["1", "2", "3"]


# Minimum Requirements


@in_event_loop
async def test_minimum_requirements() -> None:
    handler = Noting()

    async with serving(handler) as (_, peer):
        assert await peer.ask("one") == "response"
        assert await peer.ask("two") == "response"

    assert handler.events == ["before yield", "one", "before yield", "two"]


@in_event_loop
async def test_the_generator_starts_when_the_datagram_is_received_but_not_parsed_yet() -> None:
    handler = Noting()

    async with serving(handler) as (_, peer):
        peer.send("bad")
        assert await peer.ask("good") == "response"

    assert handler.events == ["before yield", "before yield", "good"]


# Refuse datagrams


@in_event_loop
async def test_refuse_datagrams(caplog: pytest.LogCaptureFixture) -> None:
    handler = Choosy(INETClientAttribute.remote_address, None)

    async with serving(handler) as (server, peer):
        handler._allowed = IPv4SocketAddress(*peer.sock.getsockname())  # pyright: ignore[reportPrivateUsage]  # known only now
        with udp_peer(server, bound_to="127.0.0.2") as stranger:
            stranger.send("let", "me", "in", "bad")
            assert await peer.ask("hello") == "hello"
            assert await stranger.hears_nothing()

    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


# Error Handling


@in_event_loop
async def test_error_handling(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(Apologizing()) as (_, peer):
        assert await peer.ask("good") == "good"
        assert await peer.ask("bad") == "bad request"
        assert capsys.readouterr().err == ""
        assert await peer.ask("crash") == "internal error"
        assert await peer.ask("still here") == "still here"

    printed = capsys.readouterr().err
    assert "RuntimeError: protocol.build_packet_from_datagram() crashed" in printed
    assert "ZeroDivisionError" in printed


@in_event_loop
@pytest.mark.parametrize(
    ("datagram", "error"), [("bad", "DatagramProtocolParseError"), ("crash", "RuntimeError"), ("good", "LookupError")]
)
async def test_an_exception_that_leaves_the_generator_is_logged_and_ends_only_that(
    datagram: str, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Careless(Shouting):
        async def handle(self, client: AsyncDatagramClient[Response]) -> AsyncGenerator[None, Request]:
            request = yield
            if request.text == "good":
                raise LookupError
            await client.send_packet(Response(request.text))

    async with serving(Careless()) as (_, peer):
        peer.send(datagram)
        assert await peer.ask("next") == "next"
        name = IPv4SocketAddress(*peer.sock.getsockname())

    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.levelname == "ERROR"
    assert record.getMessage() == f"Exception occurred during processing of request from {name}"
    assert record.exc_info is not None
    assert type(record.exc_info[1]).__name__ == error


@in_event_loop
async def test_a_response_that_cannot_be_serialized_is_a_runtime_error() -> None:
    class Foreign(Handler):
        async def handle(self, client: AsyncDatagramClient[Response]) -> AsyncGenerator[None, Request]:
            yield
            with pytest.raises(RuntimeError, match=r"^protocol.make_datagram\(\) crashed$") as caught:
                await client.send_packet(Response("\N{SNOWMAN}"))  # not ASCII
            assert isinstance(caught.value.__cause__, UnicodeEncodeError)
            await client.send_packet(Response("fine"))

    async with serving(Foreign()) as (_, peer):
        assert await peer.ask("x") == "fine"


# Having Multiple yield Statements


@in_event_loop
async def test_having_multiple_yield_statements() -> None:
    async with serving(FollowingUp()) as (server, peer):
        assert await peer.ask("that is all") == "that is all"
        assert await peer.ask("more to come") == "more to come"
        with udp_peer(server) as other:
            assert await other.ask("data") == "data"
        assert await peer.ask("data") == "additional data"
        assert await peer.ask("data") == "data"


# Cancellation And Timeouts


@in_event_loop
@timeout_handlers
async def test_cancellation_and_timeouts(kind: type[Patient]) -> None:
    async with serving(kind(delay=0.03)) as (_, peer):
        for _ in range(2):
            assert await peer.ask("first") == "first"
            assert await peer.receive() == "timed out"


@in_event_loop
@timeout_handlers
async def test_cancellation_and_timeouts_with_a_datagram_in_time(kind: type[Patient]) -> None:
    async with serving(kind(delay=30)) as (_, peer):
        assert await peer.ask("first") == "first"
        assert await peer.ask("second") == "another second"
        peer.send("third", "fourth")
        assert [await peer.receive(), await peer.receive()] == ["third", "another fourth"]


@in_event_loop
async def test_a_yielded_number_is_a_deprecated_timeout() -> None:
    async with serving(YieldingANumber(delay=0.03)) as (_, peer):
        with pytest.warns(DeprecationWarning, match="RecvParams"):
            assert await peer.ask("first") == "first"
        assert await peer.receive() == "timed out"

    async with serving(YieldingANumber(delay=30)) as (_, peer):
        with pytest.warns(DeprecationWarning, match="RecvParams"):
            assert await peer.ask("first") == "first"
        assert await peer.ask("second") == "another second"


@in_event_loop
async def test_a_timeout_for_the_first_datagram_is_ignored() -> None:
    class Hasty(Handler):
        async def handle(self, client: AsyncDatagramClient[Response]) -> AsyncGenerator[RecvParams, Request]:
            request = yield RecvParams(timeout=0)
            await client.send_packet(Response(request.text))

    async with serving(Hasty()) as (_, peer):
        assert await peer.ask("x") == "x"


@in_event_loop
@pytest.mark.parametrize(
    ("params", "error"),
    [
        ("soon", TypeError),
        (True, TypeError),
        (-1, ValueError),
        (float("nan"), ValueError),
        (RecvParams(recv_with_ancillary=RecvAncillaryDataParams(print)), UnsupportedOperation),
    ],
)
@pytest.mark.filterwarnings("ignore:yielding a number:DeprecationWarning")
async def test_receive_parameters_that_make_no_sense_are_thrown_in_and_the_datagram_waits(
    params: Any, error: type[Exception]
) -> None:
    class Wishful(Handler):
        async def handle(self, client: AsyncDatagramClient[Response]) -> AsyncGenerator[Any, Request]:
            with pytest.raises(error):
                yield params
            request = yield None
            await client.send_packet(Response(request.text))

    async with serving(Wishful()) as (_, peer):
        assert await peer.ask("x") == "x"


# Client Metadata


@in_event_loop
async def test_client_metadata() -> None:
    class ClientExtraAttributesRequestHandler(Handler):
        async def handle(
            self,
            client: AsyncDatagramClient[Response],
        ) -> AsyncGenerator[None, Request]:
            client_address = client.extra(INETClientAttribute.remote_address)

            request: Request = yield

            assert client.extra(INETClientAttribute.socket).getsockname() == tuple(server.get_addresses()[0])
            assert client.extra(INETClientAttribute.local_address) == server.get_addresses()[0]
            with pytest.raises(TypedAttributeLookupError):
                client.extra(RecvParams)
            await client.send_packet(Response(f"{client_address} sent {request.text}"))

    async with serving(ClientExtraAttributesRequestHandler()) as (server, peer):
        assert await peer.ask("hello") == f"{IPv4SocketAddress(*peer.sock.getsockname())} sent hello"


@in_event_loop
async def test_clients_are_equal_for_the_same_peer_and_one_object_while_held() -> None:
    held: list[AsyncDatagramClient[Response]] = []

    class Holding(Handler):
        async def handle(self, client: AsyncDatagramClient[Response]) -> AsyncGenerator[None, Request]:
            held.append(client)
            yield
            await client.send_packet(Response())

    async with serving(Holding()) as (server, peer):
        await peer.ask("x")
        await peer.ask("x")
        with udp_peer(server) as other:
            await other.ask("x")

    assert held[0] is held[1]
    assert len(set(held)) == 2
    assert held[0].is_closing()


@in_event_loop
async def test_control_messages_are_not_for_udp() -> None:
    class Controlling(Handler):
        async def handle(self, client: AsyncDatagramClient[Response]) -> AsyncGenerator[None, Request]:
            yield
            with pytest.raises(UnsupportedOperation):
                await client.send_packet_with_ancillary(Response(), [])
            await client.send_packet(Response("refused"))

    async with serving(Controlling()) as (_, peer):
        assert await peer.ask("x") == "refused"


# Service Initialization


@in_event_loop
@service_handlers
async def test_service_initialization(kind: type[Service], capsys: pytest.CaptureFixture[str]) -> None:
    handler = kind()

    async with serving(handler) as (_, peer):
        assert await peer.ask("x") == "X"
        with anyio.fail_after(10):
            while not handler.actions:
                await anyio.lowlevel.checkpoint()
        assert capsys.readouterr().out == ""

    assert capsys.readouterr().out == "Service stopped\n"


@in_event_loop
async def test_what_service_init_pushes_is_undone_after_the_last_client_and_may_not_send_then() -> None:
    events: list[str] = []

    class Service(Handler):
        async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any) -> None:
            events.append(f"init, serving: {server.is_serving()}")
            exit_stack.callback(events.append, "undone")

        async def handle(self, client: AsyncDatagramClient[Response]) -> AsyncGenerator[None, Request]:
            request = yield
            await client.send_packet(Response(request.text))
            try:
                yield
            finally:
                events.append("client ended")

    async with serving(Service()) as (_, peer):
        assert await peer.ask("x") == "x"

    assert events == ["init, serving: False", "client ended", "undone"]


# Low-Level Socket Operations


@in_event_loop
async def test_low_level_socket_operations() -> None:
    class Options(Shouting):
        async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Server) -> None:
            for sock in server.get_sockets():
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 7)

    async with serving(Options()) as (server, _):
        assert [sock.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) for sock in server.get_sockets()] == [7]


# Per-client variables (contextvars integration)


@in_event_loop
async def test_per_client_variables(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    handler = Remembering(INETClientAttribute.remote_address)
    async with serving(handler) as (server, peer):
        assert await peer.ask("one") == "response"
        with udp_peer(server) as other:
            assert await other.ask("two") == "response"
            names = [IPv4SocketAddress(*each.sock.getsockname()) for each in (peer, other)]

    assert [r.getMessage() for r in caplog.records if r.name == "datagram_handlers"] == [
        f"{names[0]}: one",
        f"{names[1]}: two",
    ]
    with pytest.raises(LookupError):
        handler.peer.get()


who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


@in_event_loop
@pytest.mark.parametrize("waits", [False, True])
async def test_the_context_of_service_init_is_copied_for_each_generator(waits: bool) -> None:
    class Recalling(Handler):
        async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any) -> None:
            who.set("service")

        async def handle(self, client: AsyncDatagramClient[Response]) -> AsyncGenerator[None, Request]:
            request = yield
            before = who.get()
            who.set(request.text)
            if waits:
                await anyio.lowlevel.checkpoint()  # another generator runs meanwhile
            await client.send_packet(Response(f"{before} {who.get()}"))

    async with serving(Recalling()) as (server, peer):
        with udp_peer(server) as other:
            peer.send("one", "two")
            other.send("three")
            assert [await peer.receive(), await peer.receive()] == ["service one", "service two"]
            assert await other.receive() == "service three"
