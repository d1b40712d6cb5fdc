# SPDX-License-Identifier: Apache-2.0
"""What is peculiar to a Unix datagram server: peers without a name, addresses of its own, and
descriptors that must not get lost.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from datagram_handlers import Request, Response, ServerProtocol, Shouting
from datagram_peers import Pipe, SocketPeer, name_of, unix_peer, write_and_close
from running_server import running

from easynetwork.exceptions import DatagramProtocolParseError
from easynetwork.lowlevel.request_handler import RecvAncillaryDataParams, RecvParams
from easynetwork.lowlevel.socket import SocketAncillary, UnixSocketAddress
from easynetwork.servers.async_unix_datagram import AsyncUnixDatagramServer
from easynetwork.servers.handlers import AsyncDatagramClient, AsyncDatagramRequestHandler, UNIXClientAttribute
from easynetwork.servers.options import ServerLimits

pytestmark = pytest.mark.anyio

Server = AsyncUnixDatagramServer[Request, Response]
Handler = AsyncDatagramRequestHandler[Request, Response]
Client = AsyncDatagramClient[Response]


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


# peers, as only Unix sockets have them


class TellName(Handler):
    """Answers with the peer's name, and says what came of it."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.errors: list[int | None] = []
        self.answered = anyio.Event()

    async def handle(self, client: AsyncDatagramClient[Response]) -> AsyncGenerator[None, Request]:
        request = yield
        self.requests.append(request.text)
        peer_name = client.extra(UNIXClientAttribute.peer_name)
        try:
            await client.send_packet(Response(str(peer_name)))
        except OSError as exc:
            self.errors.append(exc.errno)
            with pytest.raises(OSError, match="no address"):
                await client.send_packet_with_ancillary(Response(), [])
        self.answered.set()


@pytest.mark.parametrize("behaviour", [None, "ignore", "warn"])
async def test_unnamed_peers_are_dropped(path: Path, behaviour: Any, caplog: pytest.LogCaptureFixture) -> None:
    handler = TellName()

    async with serving(path, handler, unnamed_addresses_behavior=behaviour) as (server, peer):
        with unix_peer(server, bound_to=None) as unnamed:
            unnamed.send("one", "two")
            assert await peer.ask("three") == name_of(peer)

    assert handler.requests == ["three"]
    warning = ("WARNING", "A datagram received from an unbound UNIX datagram socket has been dropped.")
    logged = [(r.levelname, r.getMessage()) for r in caplog.records if r.levelno >= logging.WARNING]
    assert logged == ([warning] if behaviour == "warn" else [])  # one a second at most


async def test_unnamed_peers_may_be_handled_but_not_answered(path: Path) -> None:
    handler = TellName()

    async with serving(path, handler, unnamed_addresses_behavior="handle") as (server, peer):
        with unix_peer(server, bound_to=None) as unnamed:
            unnamed.send("one")
            await handler.answered.wait()
            assert await peer.ask("two") == name_of(peer)

    assert handler.requests == ["one", "two"]
    assert handler.errors == [errno.EINVAL]


async def test_an_answer_to_a_peer_that_is_gone_is_an_oserror_of_its_own(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(path, Shouting()) as (server, peer):
        with unix_peer(server, bound_to=str(tmp_path / "gone.sock")) as gone:
            gone.send("x")
        assert await peer.ask("y") == "Y"

    (record,) = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert record.getMessage() == f"Exception occurred during processing of request from {tmp_path / 'gone.sock'}"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], OSError)


# the server's own address


async def test_abstract_names() -> None:
    name = UnixSocketAddress.from_abstract_name(f"easynetwork test {os.getpid()}")

    async with serving(name, Shouting()) as (server, peer):
        assert server.get_addresses() == (name,)
        assert await peer.ask("x") == "X"


async def test_automatic_binding() -> None:
    async with serving("", Shouting()) as (server, peer):
        (address,) = server.get_addresses()
        assert address.as_abstract_name()
        assert await peer.ask("x") == "X"


@pytest.mark.parametrize("form", [str, os.fsencode, Path, UnixSocketAddress.from_pathname])
async def test_a_path_has_many_forms(path: Path, form: Any) -> None:
    async with serving(form(path), Shouting()) as (server, peer):
        assert server.get_addresses() == (UnixSocketAddress.from_pathname(path),)
        assert await peer.ask("x") == "X"


async def test_mode_gives_the_socket_file_its_permissions(path: Path) -> None:
    async with serving(path, Shouting(), mode=0o600):
        assert os.stat(path).st_mode & 0o777 == 0o600


async def test_a_socket_file_that_is_another_one_s_by_now_stays(path: Path) -> None:
    async with serving(path, Shouting()):
        os.unlink(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.bind(str(path))

    assert path.name in os.listdir(path.parent)


async def test_a_socket_file_that_cannot_be_removed_is_an_error_in_the_log(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise PermissionError(errno.EPERM, "not permitted")

    async with serving(path, Shouting()):
        monkeypatch.setattr(os, "unlink", refuse)

    monkeypatch.undo()
    (record,) = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert record.getMessage().startswith(f"Unable to clean up listening Unix socket '{path}': ")


# descriptors


class Receiving(Handler):
    """Asks for control messages, except with the first datagram after "plain"; writes into what it
    gets, and says what went wrong.
    """

    async def handle(self, client: Client) -> AsyncGenerator[RecvParams | None, Request]:
        ancillary = SocketAncillary()
        with_control = RecvParams(recv_with_ancillary=RecvAncillaryDataParams(ancillary.update_from_raw))
        params: RecvParams | None = with_control
        while True:
            try:
                request = yield params
            except (OSError, RuntimeError, DatagramProtocolParseError) as exc:
                await client.send_packet(Response(f"{type(exc).__name__}: {exc}"))
                return
            for fd in ancillary.iter_fds():
                write_and_close(fd, "+")
            ancillary.clear()
            await client.send_packet(Response(request.text))
            params = None if request.text == "plain" else with_control


async def test_descriptors_that_nobody_asked_for_are_closed_and_their_neighbours_arrive(path: Path) -> None:
    async with serving(path, Receiving(), receive_ancillary_data=True) as (_, peer):
        with Pipe() as one, Pipe() as two, Pipe() as three:
            peer.send_with_fds("plain", [one.fd])
            peer.send_with_fds("x", [two.fd])
            peer.send_with_fds("y", [three.fd, three.fd])
            assert [await peer.receive() for _ in range(3)] == ["plain", "x", "y"]
            assert [await pipe.read() for pipe in (one, two, three)] == ["+", "", "++"]


async def test_descriptors_of_a_bad_datagram_are_closed(path: Path) -> None:
    async with serving(path, Receiving(), receive_ancillary_data=True) as (_, peer):
        with Pipe() as pipe:
            peer.send_with_fds("bad", [pipe.fd])
            assert (await peer.receive()).startswith("DatagramProtocolParseError")
            assert await pipe.read() == ""


@pytest.mark.parametrize("when", ["refused", "raised"])
async def test_descriptors_of_a_datagram_that_nobody_read_are_closed(path: Path, when: str) -> None:
    class Unwilling(Handler):
        async def handle(self, client: Client) -> AsyncGenerator[None, Request]:
            if when == "raised":
                raise LookupError
            if client.is_closing():  # never: but it makes this a generator
                yield

    async with serving(path, Unwilling(), receive_ancillary_data=True) as (_, peer):
        with Pipe() as pipe:
            peer.send_with_fds("x", [pipe.fd])
            assert await pipe.read() == ""


async def test_descriptors_that_wait_are_closed_with_the_service(path: Path) -> None:
    class Busy(Handler):
        async def handle(self, client: Client) -> AsyncGenerator[None, Request]:
            request = yield
            await client.send_packet(Response(request.text))
            if request.text == "work":
                await anyio.sleep_forever()

    with Pipe() as pipe:
        async with serving(path, Busy(), receive_ancillary_data=True) as (server, peer):
            assert await peer.ask("work") == "work"
            peer.send_with_fds("more work", [pipe.fd])
            peer.send_with_fds("more work", [pipe.fd])
            with unix_peer(server) as other:
                assert await other.ask("what came before has been read") != ""
        assert await pipe.read() == ""


async def test_descriptors_that_found_no_room_are_closed(path: Path) -> None:
    busy = anyio.Event()
    released = anyio.Event()

    class Slow(Handler):
        async def handle(self, client: Client) -> AsyncGenerator[RecvParams | None, Request]:
            yield None
            busy.set()
            await released.wait()
            await client.send_packet(Response("that was the first"))

    async with serving(path, Slow(), receive_ancillary_data=True, limits=ServerLimits(max_pending_datagrams=1)) as (
        _,
        peer,
    ):
        with Pipe() as pipe:
            peer.send("first")
            await busy.wait()
            peer.send("second")
            peer.send_with_fds("third", [pipe.fd])
            assert await pipe.read() == ""
            released.set()
            assert [await peer.receive(), await peer.receive()] == ["that was the first"] * 2


@pytest.mark.parametrize("behaviour", ["ignore", "warn"])
async def test_descriptors_of_unnamed_peers_are_closed(path: Path, behaviour: Any) -> None:
    options = {"receive_ancillary_data": True, "unnamed_addresses_behavior": behaviour}
    async with serving(path, Receiving(), **options) as (server, _):
        with Pipe() as pipe, unix_peer(server, bound_to=None) as unnamed:
            unnamed.send_with_fds("x", [pipe.fd])
            assert await pipe.read() == ""


async def test_a_control_callback_that_raises_is_a_runtime_error_and_owns_nothing(path: Path) -> None:
    class Raising(Handler):
        async def handle(self, client: Client) -> AsyncGenerator[RecvParams | None, Request]:
            def fail(_: object) -> None:
                raise ZeroDivisionError

            with pytest.raises(RuntimeError) as caught:
                yield RecvParams(recv_with_ancillary=RecvAncillaryDataParams(fail))
            assert isinstance(caught.value.__cause__, ZeroDivisionError)
            await client.send_packet(Response(str(caught.value)))

    async with serving(path, Raising(), receive_ancillary_data=True) as (_, peer):
        with Pipe() as pipe:
            peer.send_with_fds("x", [pipe.fd])
            assert await peer.receive() == "RecvAncillaryDataParams.data_received() crashed"
            assert await pipe.read() == ""


async def test_control_messages_that_are_cut_off_are_an_error_and_the_server_goes_on(path: Path) -> None:
    """``MSG_CTRUNC``: what did arrive is closed."""
    options = {"receive_ancillary_data": True, "ancillary_bufsize": socket.CMSG_LEN(4)}
    async with serving(path, Receiving(), **options) as (_, peer):
        with Pipe() as pipe, Pipe() as other:
            peer.send_with_fds("too many", [pipe.fd] * 3)
            peer.send_with_fds("one", [other.fd])
            answer = await peer.receive()
            assert answer.startswith("OSError: [Errno 90]")
            assert "ancillary_bufsize is too small" in answer
            assert await peer.receive() == "one"
            assert await pipe.read() == ""
            assert await other.read() == "+"


async def test_who_does_not_ask_is_not_troubled_by_control_messages_that_are_cut_off(path: Path) -> None:
    options = {"receive_ancillary_data": True, "ancillary_bufsize": socket.CMSG_LEN(4)}
    async with serving(path, Shouting(), **options) as (_, peer):
        with Pipe() as pipe:
            peer.send_with_fds("too many", [pipe.fd] * 3)
            assert await peer.receive() == "TOO MANY"
            assert await pipe.read() == ""


SO_SNDBUFFORCE = 32  # asm-generic/socket.h; Python does not name it


@pytest.mark.parametrize("receives_control", [False, True])
async def test_a_datagram_that_is_cut_off_is_an_error_and_the_server_goes_on(
    path: Path, receives_control: bool
) -> None:
    """``MSG_TRUNC``: what did arrive is no packet."""

    class Careful(Handler):
        async def handle(self, client: Client) -> AsyncGenerator[None, Request]:
            try:
                request = yield
            except OSError as exc:
                await client.send_packet(Response(str(exc)))
            else:
                await client.send_packet(Response(str(len(request.text))))

    async with serving(path, Careful(), receive_ancillary_data=receives_control) as (_, peer):
        try:
            peer.sock.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 2_000_000)
        except PermissionError:
            pytest.skip("a datagram of more than 512 KiB can be sent with CAP_NET_ADMIN only")
        with Pipe() as pipe:
            peer.send_with_fds("x" * 600_000, [pipe.fd])
            peer.send("y" * 500_000)
            assert "cut off" in await peer.receive()
            assert await peer.receive() == "500000"
            assert await pipe.read() == ""
