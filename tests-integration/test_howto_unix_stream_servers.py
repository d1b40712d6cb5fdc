# SPDX-License-Identifier: Apache-2.0
"""What "Unix stream servers" prints does what the page says."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from datagram_peers import LineSocketPeer, Pipe, unix_stream_peer
from pages import Page
from programs import serving_program
from running_server import running
from stream_peers import trouble
from tcp_peers import line_protocol

from easynetwork.lowlevel.request_handler import RecvAncillaryDataParams, RecvParams
from easynetwork.lowlevel.socket import SocketAncillary
from easynetwork.servers.async_unix_stream import AsyncUnixStreamServer
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler

PAGE = Page("howto/unix-stream-servers.md")
CODE = PAGE.run()

in_event_loop = pytest.mark.anyio


@asynccontextmanager
async def serving(handler: Any, path: Path, **options: Any) -> AsyncGenerator[LineSocketPeer]:
    """A running server with one peer."""
    server: AsyncUnixStreamServer[str, str] = AsyncUnixStreamServer(
        path / "spooler.sock", line_protocol(), handler, **options
    )
    async with running(server):
        with unix_stream_peer(server) as peer:
            yield peer


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


# The program


def test_the_program_serves_at_the_path_and_removes_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)

    with serving_program(folder / "spooler.py", PAGE.programs()["spooler.py"]) as (process, address):
        assert address == "spooler.sock"
        assert (folder / address).stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(address)
            sock.sendall(b"thesis\n")
            assert sock.recv(100) == b"thesis is in the queue\n"
        process.send_signal(signal.SIGINT)
        process.wait(20)

    assert not (folder / address).exists()


# Where it listens


@in_event_loop
async def test_mode_lets_a_group_in_and_nobody_else(folder: Path) -> None:
    async with running(CODE["spooler_for_a_group"](folder / "spooler.sock")):
        assert (folder / "spooler.sock").stat().st_mode & 0o777 == 0o660


@in_event_loop
async def test_an_abstract_name_needs_no_file() -> None:
    name = f"easynetwork-howto-{os.getpid()}"

    async with running(server := CODE["spooler_without_a_file"](name)):
        assert str(server.get_addresses()[0]) == f"@{name}"
        with unix_stream_peer(server) as peer:
            assert await peer.ask("thesis") == "thesis is in the queue"


@in_event_loop
async def test_an_empty_path_lets_the_system_choose() -> None:
    server: AsyncUnixStreamServer[str, str] = AsyncUnixStreamServer("", line_protocol(), CODE["Spooler"]())

    async with running(server):
        assert server.get_addresses()[0].as_abstract_name()


@in_event_loop
async def test_a_path_has_room_for_107_bytes(folder: Path) -> None:
    fits = folder / ("x" * (106 - len(str(folder))))
    too_long = Path(f"{fits}x")

    async with running(CODE["spooler_for_a_group"](fits)):
        assert len(str(fits)) == 107
    with pytest.raises(OSError, match="too long"):
        await CODE["spooler_for_a_group"](too_long).server_activate()


@in_event_loop
async def test_the_file_of_a_dead_server_is_replaced_and_others_are_left_alone(folder: Path) -> None:
    path = folder / "spooler.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    async with running(CODE["spooler_for_a_group"](path)):
        with pytest.raises(OSError, match="in use"):
            await CODE["spooler_for_a_group"](path).server_activate()
    (folder / "letter").write_text("dear server")
    with pytest.raises(OSError, match="in use"):
        await CODE["spooler_for_a_group"](folder / "letter").server_activate()

    assert (folder / "letter").read_text() == "dear server"


# Who is there


@in_event_loop
async def test_the_kernel_tells_who_may_print(folder: Path) -> None:
    async with serving(CODE["PrivateSpooler"](), folder) as peer:
        assert await peer.receive() == f"welcome, process {os.getpid()}"
        assert await peer.ask("thesis") == "thesis is in the queue"


@in_event_loop
async def test_other_users_are_sent_away(folder: Path) -> None:
    handler = CODE["PrivateSpooler"]()
    handler.allowed_users = frozenset({os.getuid() + 1})

    async with serving(handler, folder) as peer:
        assert await peer.receive() == f"user {os.getuid()} may not print"
        assert await peer.is_closed()


# Receive open files


@pytest.fixture
def thesis(folder: Path) -> Iterator[int]:
    """A descriptor of a file of 1234 bytes."""
    (folder / "thesis").write_text("x" * 1234)
    with open(folder / "thesis") as file:
        yield file.fileno()


@in_event_loop
async def test_files_are_received_with_their_packet_and_closed(folder: Path, thesis: int) -> None:
    async with serving(CODE["FileSpooler"](), folder) as peer:
        assert await peer.ask("nothing") == "nothing: nothing to print"
        before = open_descriptors()
        with Pipe() as pipe:
            peer.send_with_fds("thesis", [thesis, pipe.fd])
            assert await peer.receive() == "thesis: 1234, 0 to print"
        assert await peer.ask("nothing") == "nothing: nothing to print"

        assert open_descriptors() == before


@in_event_loop
async def test_files_that_nobody_asked_for_are_closed(folder: Path) -> None:
    async with serving(CODE["Spooler"](), folder) as peer:
        with Pipe() as pipe:
            peer.send_with_fds("thesis", [pipe.fd])
            assert await peer.receive() == "thesis is in the queue"

            assert await pipe.read() == ""


class Refusing(AsyncStreamRequestHandler[str, str]):
    """Fails to take what it asked for."""

    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[RecvParams, str]:
        def refuse(messages: Any) -> None:
            raise LookupError

        try:
            yield RecvParams(recv_with_ancillary=RecvAncillaryDataParams(refuse))
        except RuntimeError:
            await client.send_packet("refused")


@in_event_loop
async def test_a_function_that_raises_is_a_runtime_error_and_files_are_closed(folder: Path) -> None:
    async with serving(Refusing(), folder) as peer:
        with Pipe() as pipe:
            peer.send_with_fds("thesis", [pipe.fd])
            assert await peer.receive() == "refused"

            assert await pipe.read() == ""


# Send open files


@in_event_loop
async def test_a_client_gets_a_file_of_its_own(folder: Path) -> None:
    async with serving(CODE["Archive"](), folder) as peer:
        peer.send("bees")
        title, control = await peer.receive_with_control()

    assert title == "bees\n"
    with os.fdopen(next(control.iter_fds())) as document:
        assert document.read() == "all about bees"


# Who sent this packet


@in_event_loop
async def test_each_packet_tells_its_sender(folder: Path) -> None:
    async with serving(CODE["AuditedSpooler"](), folder) as peer:
        assert await peer.ask("thesis") == f"thesis of user {os.getuid()}"
        with Pipe() as pipe:
            peer.send_with_fds("thesis", [pipe.fd])
            assert await peer.receive() == f"thesis of user {os.getuid()}"

            assert await pipe.read() == ""


# Limits


class Strict(AsyncStreamRequestHandler[str, str]):
    """Says what went wrong with the control messages."""

    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[RecvParams, str]:
        received = SocketAncillary()
        try:
            yield RecvParams(recv_with_ancillary=RecvAncillaryDataParams(received.update_from_raw))
        except OSError as exc:
            await client.send_packet(os.strerror(exc.errno or 0))


@in_event_loop
async def test_too_many_files_at_once_are_an_error_and_closed(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(Strict(), folder, ancillary_bufsize=64) as peer:
        with Pipe() as pipe:
            peer.send_with_fds("much", [pipe.fd] * 100)
            assert await peer.receive() == "Message too long"

            assert await pipe.read() == ""

    assert trouble(caplog) == []


def test_one_send_takes_253_files() -> None:
    SocketAncillary().add_fds([0] * 253)
    with pytest.raises(ValueError, match="253"):
        SocketAncillary().add_fds([0] * 254)
