# SPDX-License-Identifier: Apache-2.0
"""What request handlers of Unix datagrams may do."""

from __future__ import annotations

import array
import contextlib
import contextvars
import logging
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from socket import CMSG_LEN, SCM_RIGHTS, SO_PASSCRED, SOL_SOCKET
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
from datagram_peers import Pipe, SocketPeer, name_of, unix_peer, write_and_close
from running_server import running

from easynetwork.exceptions import TypedAttributeLookupError, UnsupportedOperation
from easynetwork.lowlevel.request_handler import RecvAncillaryDataParams, RecvParams
from easynetwork.lowlevel.socket import (
    SCMCredentials,
    SCMRights,
    SocketAncillary,
    SocketCredential,
    UnixSocketAddress,
)
from easynetwork.servers.async_unix_datagram import AsyncUnixDatagramServer
from easynetwork.servers.handlers import AsyncDatagramClient, AsyncDatagramRequestHandler, UNIXClientAttribute

Server = AsyncUnixDatagramServer[Request, Response]
Handler = AsyncDatagramRequestHandler[Request, Response]

in_event_loop = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.sock"


@asynccontextmanager
async def serving(path: Any, handler: Handler, **options: Any) -> AsyncGenerator[tuple[Server, SocketPeer]]:
    """A running server with one peer."""
    server: Server = AsyncUnixDatagramServer(path, ServerProtocol(), handler, **options)
    async with running(server):
        with unix_peer(server) as peer:
            yield server, peer


# Request Handler Objects


@in_event_loop
async def test_simple_request_handler(path: Path) -> None:
    async with serving(path, Shouting()) as (_, peer):
        assert await peer.ask("hello") == "HELLO"
        assert await peer.ask("world") == "WORLD"


# Using handle() Generator


@in_event_loop
async def test_one_active_generator_per_client_and_pending_datagrams_are_queued(path: Path) -> None:
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

    async with serving(path, Slow()) as (server, peer):
        peer.send("1", "2", "3")
        with unix_peer(server) as other:
            assert await other.ask("0") == "0"
        assert await peer.hears_nothing()
        released.set()
        assert [await peer.receive() for _ in range(3)] == ["1", "2", "3"]


# Minimum Requirements


@in_event_loop
async def test_minimum_requirements(path: Path) -> None:
    handler = Noting()

    async with serving(path, handler) as (_, peer):
        peer.send("bad")
        assert await peer.ask("one") == "response"
        assert await peer.ask("two") == "response"

    assert handler.events == ["before yield"] * 2 + ["one", "before yield", "two"]


# Refuse datagrams


@in_event_loop
async def test_refuse_datagrams(path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    allowed = tmp_path / "friend.sock"
    handler = Choosy(UNIXClientAttribute.peer_name, UnixSocketAddress.from_pathname(allowed))

    async with serving(path, handler) as (server, stranger):
        with unix_peer(server, bound_to=str(allowed)) as peer:
            stranger.send("let", "me", "in", "bad")
            assert await peer.ask("hello") == "hello"
            assert await stranger.hears_nothing()

    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


# Error Handling


@in_event_loop
async def test_error_handling(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(path, Apologizing()) as (_, peer):
        assert await peer.ask("good") == "good"
        assert await peer.ask("bad") == "bad request"
        assert capsys.readouterr().err == ""
        assert await peer.ask("crash") == "internal error"
        assert await peer.ask("still here") == "still here"

    assert "RuntimeError: protocol.build_packet_from_datagram() crashed" in capsys.readouterr().err


# Having Multiple yield Statements


@in_event_loop
async def test_having_multiple_yield_statements(path: Path) -> None:
    async with serving(path, FollowingUp()) as (server, peer):
        assert await peer.ask("that is all") == "that is all"
        assert await peer.ask("more to come") == "more to come"
        with unix_peer(server) as other:
            assert await other.ask("data") == "data"
        assert await peer.ask("data") == "additional data"
        assert await peer.ask("data") == "data"


# Cancellation And Timeouts


@in_event_loop
@timeout_handlers
async def test_cancellation_and_timeouts(path: Path, kind: type[Patient]) -> None:
    async with serving(path, kind(delay=0.03)) as (_, peer):
        for _ in range(2):
            assert await peer.ask("first") == "first"
            assert await peer.receive() == "timed out"


@in_event_loop
@timeout_handlers
async def test_cancellation_and_timeouts_with_a_datagram_in_time(path: Path, kind: type[Patient]) -> None:
    async with serving(path, kind(delay=30)) as (_, peer):
        assert await peer.ask("first") == "first"
        assert await peer.ask("second") == "another second"
        peer.send("third", "fourth")
        assert [await peer.receive(), await peer.receive()] == ["third", "another fourth"]


@in_event_loop
async def test_a_yielded_number_is_a_deprecated_timeout(path: Path) -> None:
    async with serving(path, YieldingANumber(delay=0.03)) as (_, peer):
        with pytest.warns(DeprecationWarning, match="RecvParams"):
            assert await peer.ask("first") == "first"
        assert await peer.receive() == "timed out"


# Sending Packets with socket control messages


@in_event_loop
async def test_sending_packets_with_socket_control_messages(path: Path) -> None:
    class SCMSendRequestHandler(Handler):
        async def handle(
            self,
            client: AsyncDatagramClient[Response],
        ) -> AsyncGenerator[None, Request]:
            request: Request = yield

            ancillary = SocketAncillary()
            ancillary.add_fds([pipe.fd])
            await client.send_packet_with_ancillary(Response(request.text), ancillary)

    with Pipe() as pipe:
        async with serving(path, SCMSendRequestHandler()) as (_, peer):
            peer.send("with a descriptor")
            packet, control = await peer.receive_with_control()
            (fd,) = control.iter_fds()
            write_and_close(fd, "it works")

        assert packet == "with a descriptor"
        assert await pipe.read() == "it works"


@in_event_loop
async def test_raw_control_messages_may_be_sent_as_well(path: Path) -> None:
    class Raw(Handler):
        async def handle(self, client: AsyncDatagramClient[Response]) -> AsyncGenerator[None, Request]:
            yield
            rights = (SOL_SOCKET, SCM_RIGHTS, array.array("i", [pipe.fd, pipe.fd]).tobytes())
            await client.send_packet_with_ancillary(Response(), [rights])

    with Pipe() as pipe:
        async with serving(path, Raw()) as (_, peer):
            peer.send("x")
            _, control = await peer.receive_with_control()

        first, second = control.iter_fds()
        write_and_close(first, "1")
        write_and_close(second, "2")
        assert await pipe.read() == "12"


# Receiving Packets with socket control messages


class SCMRecvRequestHandler(AsyncDatagramRequestHandler[Request, Response]):
    async def handle(
        self,
        client: AsyncDatagramClient[Response],
    ) -> AsyncGenerator[RecvParams | None, Request]:
        ancillary = SocketAncillary()
        request: Request = yield RecvParams(recv_with_ancillary=RecvAncillaryDataParams(ancillary.update_from_raw))

        for message in ancillary.messages():
            match message:
                case SCMRights(fds):
                    for fd in fds:
                        print(f"Received file descriptor: {fd}")
                        assert not os.get_inheritable(fd)
                        write_and_close(fd, "+")
                case SCMCredentials(credentials):
                    for ucred in credentials:
                        print(f"Received unix credential: {ucred}")

        await client.send_packet(Response(request.text))


@in_event_loop
async def test_receiving_packets_with_socket_control_messages(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(path, SCMRecvRequestHandler(), receive_ancillary_data=True) as (_, peer):
        with Pipe() as pipe:
            peer.send_with_fds("two", [pipe.fd, pipe.fd])
            assert await peer.receive() == "two"
            assert await pipe.read() == "++"
        assert await peer.ask("none") == "none"

    printed = capsys.readouterr().out.splitlines()
    assert [line.rpartition(" ")[0] for line in printed] == ["Received file descriptor:"] * 2


@in_event_loop
async def test_the_buffer_size_may_be_customized(path: Path) -> None:
    max_fds = 128
    options = {"receive_ancillary_data": True, "ancillary_bufsize": CMSG_LEN(max_fds * 4)}
    async with serving(path, SCMRecvRequestHandler(), **options) as (_, peer):
        with Pipe() as pipe:
            peer.send_with_fds("many", [pipe.fd] * max_fds)
            assert await peer.receive() == "many"
            assert await pipe.read() == "+" * max_fds


@in_event_loop
async def test_the_feature_must_be_enabled_in_the_server_configuration(path: Path) -> None:
    class Trying(Handler):
        async def handle(self, client: AsyncDatagramClient[Response]) -> AsyncGenerator[RecvParams | None, Request]:
            ancillary = SocketAncillary()
            with pytest.raises(UnsupportedOperation, match="receive_ancillary_data"):
                yield RecvParams(recv_with_ancillary=RecvAncillaryDataParams(ancillary.update_from_raw))
            request = yield None  # the datagram waits
            await client.send_packet(Response(request.text))

    async with serving(path, Trying()) as (_, peer):
        with Pipe() as pipe:
            peer.send_with_fds("x", [pipe.fd])
            assert await peer.receive() == "x"
            assert await pipe.read() == ""


# Client Metadata


@in_event_loop
async def test_client_metadata(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class ClientExtraAttributesRequestHandler(Handler):
        async def handle(
            self,
            client: AsyncDatagramClient[Response],
        ) -> AsyncGenerator[None, Request]:
            client_address = client.extra(UNIXClientAttribute.peer_name)

            request: Request = yield

            print(f"{client_address} sent {request}")

            assert client.extra(UNIXClientAttribute.local_name) == UnixSocketAddress.from_pathname(path)
            assert client.extra(UNIXClientAttribute.socket).getsockname() == str(path)
            with pytest.raises(TypedAttributeLookupError):
                client.extra(UNIXClientAttribute.peer_credentials)

            await client.send_packet(Response())

    async with serving(path, ClientExtraAttributesRequestHandler()) as (_, peer):
        assert await peer.ask("hello") == "response"
        assert capsys.readouterr().out == f"{name_of(peer)} sent Request(text='hello')\n"


# Service Initialization


@in_event_loop
@service_handlers
async def test_service_initialization(path: Path, kind: type[Service], capsys: pytest.CaptureFixture[str]) -> None:
    handler = kind()

    async with serving(path, handler) as (_, peer):
        assert await peer.ask("x") == "X"
        with anyio.fail_after(10):
            while not handler.actions:
                await anyio.lowlevel.checkpoint()
        assert capsys.readouterr().out == ""

    assert capsys.readouterr().out == "Service stopped\n"


# Low-Level Socket Operations


@in_event_loop
async def test_low_level_socket_operations(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class PassCredentials(SCMRecvRequestHandler):
        async def service_init(
            self,
            exit_stack: contextlib.AsyncExitStack,
            server: AsyncUnixDatagramServer[Request, Response],
        ) -> None:
            for sock in server.get_sockets():
                # Enable SO_PASSCRED in order to use SCMCredentials
                sock.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)

    async with serving(path, PassCredentials(), receive_ancillary_data=True) as (_, peer):
        assert await peer.ask("who am I") == "who am I"

    credential = SocketCredential(os.getpid(), os.getuid(), os.getgid())
    assert capsys.readouterr().out == f"Received unix credential: {credential}\n"


# Per-client variables (contextvars integration)


@in_event_loop
async def test_per_client_variables(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    handler = Remembering(UNIXClientAttribute.peer_name)
    async with serving(path, handler) as (server, peer):
        with unix_peer(server) as other:
            assert await peer.ask("one") == "response"
            assert await other.ask("two") == "response"
            names = [name_of(peer), name_of(other)]

    assert [r.getMessage() for r in caplog.records if r.name == "datagram_handlers"] == [
        f"{names[0]}: one",
        f"{names[1]}: two",
    ]


who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


@in_event_loop
@pytest.mark.parametrize("waits", [False, True])
async def test_the_context_of_service_init_is_copied_for_each_generator(path: Path, waits: bool) -> None:
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

    async with serving(path, Recalling()) as (server, peer):
        with unix_peer(server) as other:
            peer.send("one", "two")
            other.send("three")
            assert [await peer.receive(), await peer.receive()] == ["service one", "service two"]
            assert await other.receive() == "service three"
