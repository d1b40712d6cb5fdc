# SPDX-License-Identifier: Apache-2.0
"""What "Unix stream clients" prints does what the page says."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import socket
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from anyio.to_thread import run_sync
from datagram_peers import Pipe
from loops import each_where_it_works
from page_sessions import replayed, write_programs
from pages import Page
from programs import serving_program
from running_server import running
from tcp_peers import line_protocol

from easynetwork.clients.unix_stream import UnixStreamClient
from easynetwork.lowlevel.socket import SocketAncillary, UnixSocketAddress
from easynetwork.servers.async_unix_stream import AsyncUnixStreamServer
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler, UNIXClientAttribute

PAGE = Page("howto/unix-stream-clients.md")
CODE = PAGE.run()
SERVERS_PAGE = Page("howto/unix-stream-servers.md")
SERVERS = SERVERS_PAGE.run()

in_event_loop = pytest.mark.anyio

PATIENCE = 10.0
"""Seconds after which what should come counts as lost."""


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "spooler.sock"


@asynccontextmanager
async def serving(path: Path | UnixSocketAddress, handler: Any) -> AsyncGenerator[None]:
    server: AsyncUnixStreamServer[str, str] = AsyncUnixStreamServer(path, line_protocol(), handler)
    async with running(server):
        yield


# The program


def test_the_program_prints_what_the_page_shows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    write_programs(PAGE, folder)

    with serving_program(folder / "spooler.py", SERVERS_PAGE.programs()["spooler.py"]):
        ((shown, printed),) = replayed(PAGE, folder)

    assert printed == shown


# Connect


@in_event_loop
@each_where_it_works("submit", asyncio=[CODE["submit_on_asyncio"]], trio=[CODE["submit_on_trio"]])
async def test_an_asynchronous_client_is_answered(submit: Any, path: Path) -> None:
    async with serving(path, SERVERS["Spooler"]()):
        assert await submit(path, "thesis") == "thesis is in the queue"


@in_event_loop
async def test_a_client_finds_a_name_that_is_no_file() -> None:
    name = f"easynetwork-howto-client-{os.getpid()}"

    async with serving(UnixSocketAddress.from_abstract_name(name), SERVERS["Spooler"]()):
        assert await CODE["submit_anywhere"](name, "thesis") == "thesis is in the queue"


def test_each_reason_not_to_connect_has_its_own_error(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        UnixStreamClient(path, line_protocol())
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(ConnectionRefusedError):
        UnixStreamClient(path, line_protocol())
    with pytest.raises(OSError, match="too long") as caught:
        UnixStreamClient(f"{path}{'x' * 108}", line_protocol())
    assert caught.value.errno == errno.ENAMETOOLONG


def test_a_server_with_a_full_queue_is_given_up(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server, contextlib.ExitStack() as clients:
        server.bind(str(path))
        server.listen(1)
        with pytest.raises(TimeoutError):
            while True:
                clients.enter_context(UnixStreamClient(path, line_protocol(), connect_timeout=0.02))


# Who answers


@in_event_loop
async def test_a_client_can_trust_one_user_alone(path: Path) -> None:
    async with serving(path, SERVERS["Spooler"]()):
        ask = CODE["submit_in_private"]
        assert await run_sync(ask, path, "thesis", os.getuid()) == "thesis is in the queue"
        with pytest.raises(PermissionError):
            await run_sync(ask, path, "thesis", os.getuid() + 1)


# Send open files


@pytest.fixture
def thesis(folder: Path) -> Iterator[int]:
    """A descriptor of a file of 1234 bytes."""
    (folder / "thesis").write_text("x" * 1234)
    with open(folder / "thesis") as file:
        yield file.fileno()


@in_event_loop
async def test_files_are_sent_with_their_packet(path: Path, folder: Path, thesis: int) -> None:
    async with serving(path, SERVERS["FileSpooler"]()):
        assert await run_sync(CODE["submit_file"], path, folder / "thesis") == "thesis: 1234 to print"
        assert await CODE["submit_descriptor"](path, "again", thesis) == "again: 1234 to print"


def test_a_packet_that_is_too_long_for_one_call_is_an_error() -> None:
    client, other = CODE["pair"]()
    with client, other, Pipe() as pipe:
        attached = SocketAncillary()
        attached.add_fds([pipe.fd])
        with pytest.raises(OSError, match="too long to leave in one call") as caught:
            client.send_packet("x" * 10_000_000, ancillary_data=attached, timeout=PATIENCE)

    assert caught.value.errno == errno.EMSGSIZE


# Receive open files


@in_event_loop
async def test_files_are_received_with_their_packet(path: Path) -> None:
    async with serving(path, SERVERS["Archive"]()):
        assert await run_sync(CODE["fetch"], path, "bees") == "all about bees"
        assert await CODE["fetch_async"](path, "ants") == "all about ants"


@in_event_loop
async def test_files_that_nobody_asked_for_are_closed() -> None:
    ours, theirs = CODE["pair"]()
    with ours, theirs, Pipe() as pipe:
        attached = SocketAncillary()
        attached.add_fds([pipe.fd])
        ours.send_packet("thesis", ancillary_data=attached)
        assert theirs.recv_packet(timeout=PATIENCE) == "thesis"

        assert await pipe.read() == ""


def test_half_a_packet_is_an_eof_error_and_is_completed_by_the_next_call() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with theirs, UnixStreamClient(ours, line_protocol()) as client:
        theirs.sendall(b"half of it, ")
        with pytest.raises(EOFError):
            client.recv_packet(ancillary_data=SocketAncillary(), timeout=PATIENCE)
        theirs.sendall(b"the rest\n")

        assert client.recv_packet(ancillary_data=SocketAncillary(), timeout=PATIENCE) == "half of it, the rest"


@contextlib.contextmanager
def few_descriptors_left() -> Generator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as lowest_free:
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free.fileno() + 1, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_packet_whose_files_were_cut_off_is_lost_and_the_next_one_is_not() -> None:
    ours, theirs = CODE["pair"]()
    with ours, theirs, Pipe() as pipe:
        attached = SocketAncillary()
        attached.add_fds([pipe.fd] * 250)
        ours.send_packet("much", ancillary_data=attached)
        ours.send_packet("next")
        received = SocketAncillary()
        with few_descriptors_left(), pytest.raises(OSError, match="cut off") as caught:
            theirs.recv_packet(ancillary_data=received, timeout=PATIENCE)
        assert theirs.recv_packet(timeout=PATIENCE) == "next"

    assert caught.value.errno == errno.EMSGSIZE
    assert list(received.iter_fds()) == []


# Both ends in one program


def test_a_pair_of_sockets_needs_no_address() -> None:
    ours, theirs = CODE["pair"]()
    with ours, theirs:
        ours.send_packet("hello")

        assert theirs.recv_packet(timeout=PATIENCE) == "hello"
        assert theirs.get_peer_name().is_unnamed()


# A name for the client


class Naming(AsyncStreamRequestHandler[str, str]):
    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
        yield
        await client.send_packet(str(client.extra(UNIXClientAttribute.peer_name)))


@in_event_loop
async def test_a_client_may_have_a_name_which_goes_with_it(path: Path, folder: Path) -> None:
    name = folder / "me.sock"

    async with serving(path, Naming()):
        assert await run_sync(CODE["submit_as"], name, path, "thesis") == str(name)

    assert not name.exists()
