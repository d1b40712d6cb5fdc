# SPDX-License-Identifier: Apache-2.0
"""What the page "Unix datagram clients" says, section by section."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import anyio
import pytest
from anyio import to_thread
from datagram_peers import PATIENCE
from loops import each_where_it_works
from page_servers import replayed_beside
from pages import Page
from running_server import running

from easynetwork.clients.async_unix_datagram import AsyncUnixDatagramClient
from easynetwork.clients.unix_datagram import UnixDatagramClient
from easynetwork.lowlevel.request_handler import RecvAncillaryDataParams, RecvParams
from easynetwork.lowlevel.socket import SocketAncillary, UnixSocketAddress
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers.async_unix_datagram import AsyncUnixDatagramServer
from easynetwork.servers.handlers import AsyncDatagramClient, AsyncDatagramRequestHandler, UNIXClientAttribute

PAGE = Page("howto/unix-datagram-clients.md")
ON_PAGE = PAGE.run()

T = TypeVar("T")
Client = UnixDatagramClient[str, str]

in_event_loop = pytest.mark.anyio


class Protocol(DatagramProtocol[str, str]):
    def __init__(self) -> None:
        super().__init__(StringLineSerializer())


class Library(AsyncDatagramRequestHandler[str, str]):
    """Lends and takes books, which are files, and says who has asked.

    About "nothing" it says nothing.
    """

    def __init__(self, *books: IO[bytes]) -> None:
        self.books = books
        self.donations: list[bytes] = []

    async def handle(self, client: AsyncDatagramClient[str]) -> AsyncGenerator[RecvParams | None, str]:
        donated = SocketAncillary()
        title = yield RecvParams(recv_with_ancillary=RecvAncillaryDataParams(donated.update_from_raw))
        for fd in donated.iter_fds():
            self.donations.append(os.pread(fd, 100, 0))
            os.close(fd)
        lent = SocketAncillary()
        if title == "Emma":
            lent.add_fds(book.fileno() for book in self.books)
        if title != "nothing":
            reader = client.extra(UNIXClientAttribute.peer_name)
            await client.send_packet_with_ancillary(f"{title} for {reader}", lent)


@asynccontextmanager
async def serving(path: Path, library: Library | None = None) -> AsyncGenerator[None]:
    server = AsyncUnixDatagramServer(path, Protocol(), library or Library(), receive_ancillary_data=True)
    async with running(server):
        yield


def async_client(path: Path) -> AsyncUnixDatagramClient[str, str]:
    return AsyncUnixDatagramClient(path, Protocol())


async def in_thread(path: Path, function: Callable[[Client], T]) -> T:
    """The result of a function with a blocking client."""

    def with_client() -> T:
        with UnixDatagramClient(path, Protocol()) as client:
            return function(client)

    return await to_thread.run_sync(with_client)


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "library.sock"


@pytest.fixture
def book(tmp_path: Path) -> Iterator[IO[bytes]]:
    path = tmp_path / "emma.txt"
    path.write_text("handsome, clever, and rich")
    with path.open("rb") as file:
        yield file


# The smallest client


def test_both_clients_are_answered_by_the_library(folder: Path) -> None:
    for shown, printed in replayed_beside("library.py", PAGE, folder):
        assert printed == shown


# Choose names


@in_event_loop
async def test_the_server_knows_a_client_by_its_name_whose_file_goes_with_it(path: Path) -> None:
    def talk() -> None:
        with ON_PAGE["reader"]("anna", path) as client:
            assert client.get_local_name() == UnixSocketAddress.from_pathname(path.with_name("anna.sock"))
            assert client.get_peer_name() == UnixSocketAddress.from_pathname(path)
            client.send_packet("Emma")
            assert client.recv_packet(timeout=PATIENCE) == f"Emma for {path.parent}/anna.sock"
            with pytest.raises(OSError, match="in use") as taken:
                ON_PAGE["reader"]("anna", path)
            assert taken.value.errno == errno.EADDRINUSE
        assert not path.with_name("anna.sock").exists()

    async with serving(path):
        await to_thread.run_sync(talk)


def test_a_name_that_a_dead_process_has_left_is_taken(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as library:
        library.bind(str(path))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
            dead.bind(str(path.with_name("anna.sock")))
        with ON_PAGE["reader"]("anna", path) as client:
            client.send_packet("Emma")
            assert library.recvfrom(100) == (b"Emma", f"{path.parent}/anna.sock")


@in_event_loop
async def test_the_system_chooses_an_abstract_name(path: Path) -> None:
    async with serving(path), async_client(path) as client:
        await client.send_packet("Emma")
        name = str(client.get_local_name())
        assert name.startswith("@")
        assert await client.recv_packet() == f"Emma for {name}"


def test_the_ends_of_a_pair_need_no_names() -> None:
    one, other = ON_PAGE["two_ends"]()
    with one, other:
        assert one.get_local_name().is_unnamed()
        for sender, receiver in ((one, other), (other, one)):
            sender.send_packet("Emma")
            assert receiver.recv_packet(timeout=PATIENCE) == "Emma"


# Limit the time


@in_event_loop
@each_where_it_works(
    "receive",
    anywhere=[ON_PAGE["next_packet"]],
    asyncio=[ON_PAGE["next_packet_asyncio"]],
    trio=[ON_PAGE["next_packet_trio"]],
)
async def test_a_receive_that_is_timed_out_loses_no_packet(path: Path, receive: Any) -> None:
    async with serving(path), async_client(path) as client:
        await client.send_packet("nothing")
        assert await receive(client, 0.01) is None
        await client.send_packet("Emma")
        assert await receive(client, PATIENCE) == f"Emma for {client.get_local_name()}"


def test_sending_waits_while_the_server_s_queue_is_full(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as library:
        library.bind(str(path))
        with UnixDatagramClient(path, Protocol()) as client:
            with pytest.raises(TimeoutError):
                while True:
                    client.send_packet("Emma", timeout=0.01)
            library.recv(100)
            client.send_packet("Emma", timeout=PATIENCE)


# Take what comes


@in_event_loop
async def test_answers_are_collected_until_all_are_there_or_time_is_up(path: Path) -> None:
    known, unknown = ["Emma", "Persuasion"], ["Emma", "nothing", "Persuasion"]

    def titles(answers: list[str]) -> list[str]:
        return [answer.partition(" ")[0] for answer in answers]

    async with serving(path), async_client(path) as client:
        assert titles(await in_thread(path, lambda client: ON_PAGE["find_all"](client, known, PATIENCE))) == known
        assert titles(await in_thread(path, lambda client: ON_PAGE["find_all"](client, unknown, 0.05))) == known
        assert titles(await ON_PAGE["find_all_async"](client, known, PATIENCE)) == known
        assert titles(await ON_PAGE["find_all_async"](client, unknown, 0.05)) == known


# Send open files


@in_event_loop
async def test_a_file_goes_to_the_server_and_stays_open_here(path: Path, book: IO[bytes]) -> None:
    library = Library()

    def donate(client: Client) -> None:
        ON_PAGE["donate"](client, "Emma", book)
        client.recv_packet(timeout=PATIENCE)

    async with serving(path, library), async_client(path) as client:
        await in_thread(path, donate)
        await ON_PAGE["donate_async"](client, "Emma", book)
        await client.recv_packet()

    assert library.donations == [b"handsome, clever, and rich"] * 2
    assert book.read() == b"handsome, clever, and rich"


# Receive open files


@in_event_loop
async def test_a_file_comes_from_the_server(path: Path, book: IO[bytes]) -> None:
    def size_of(file: IO[bytes]) -> int:
        with file:
            return os.fstat(file.fileno()).st_size

    async with serving(path, Library(book)), async_client(path) as client:
        assert size_of(await in_thread(path, lambda client: ON_PAGE["borrow"](client, "Emma"))) == 26
        assert size_of(await ON_PAGE["borrow_async"](client, "Emma")) == 26


@in_event_loop
@pytest.mark.parametrize("number", [0, 2])
async def test_files_that_are_not_wanted_are_closed(path: Path, book: IO[bytes], number: int) -> None:
    """That they are is found out by the fixture that counts descriptors."""
    async with serving(path, Library(*[book] * number)), async_client(path) as client:
        with pytest.raises(LookupError, match=f"expected one file, got {number}"):
            await in_thread(path, lambda client: ON_PAGE["borrow"](client, "Emma"))
        with pytest.raises(LookupError, match=f"expected one file, got {number}"):
            await ON_PAGE["borrow_async"](client, "Emma")
        await client.send_packet("Emma")
        assert await client.recv_packet() == f"Emma for {client.get_local_name()}"


@in_event_loop
async def test_more_files_than_fit_are_closed_and_the_next_packet_can_be_received(path: Path, book: IO[bytes]) -> None:
    def talk(client: Client) -> None:
        received = SocketAncillary()
        client.send_packet("Emma")
        with pytest.raises(OSError, match="cut off") as cut:
            client.recv_packet(ancillary_data=received, ancillary_bufsize=socket.CMSG_SPACE(2 * 4), timeout=PATIENCE)
        assert cut.value.errno == errno.EMSGSIZE
        assert list(received.iter_fds()) == []
        client.send_packet("Persuasion")
        assert client.recv_packet(timeout=PATIENCE).startswith("Persuasion")

    async with serving(path, Library(*[book] * 9)):
        await in_thread(path, talk)


# Use one client from several threads or tasks


@in_event_loop
async def test_a_thread_listens_until_another_closes_the_client(path: Path) -> None:
    heard: list[str] = []
    something_heard = threading.Event()

    def report(answer: str) -> None:
        heard.append(answer.partition(" ")[0])
        something_heard.set()

    def talk(client: Client) -> None:
        listener = threading.Thread(target=ON_PAGE["listen"], args=(client, report))
        listener.start()
        client.send_packet("Emma")
        assert something_heard.wait(PATIENCE)
        client.close()
        listener.join(PATIENCE)
        assert not listener.is_alive()

    async with serving(path):
        await in_thread(path, talk)
    assert heard == ["Emma"]


@in_event_loop
async def test_a_task_listens_until_another_closes_the_client(path: Path) -> None:
    heard: list[str] = []
    something_heard = anyio.Event()

    def report(answer: str) -> None:
        heard.append(answer.partition(" ")[0])
        something_heard.set()

    client = async_client(path)
    with pytest.raises(OSError, match="not connected") as unconnected:
        client.get_local_name()
    assert unconnected.value.errno == errno.ENOTCONN
    async with serving(path):
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ON_PAGE["listen_async"], client, report)
                await client.send_packet("Emma")
                await something_heard.wait()
                await client.aclose()

    assert heard == ["Emma"]


# Handle errors


@in_event_loop
async def test_an_asynchronous_client_can_try_to_connect_again(path: Path) -> None:
    client = async_client(path)
    with pytest.raises(FileNotFoundError):
        await client.wait_connected()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(path))
    with pytest.raises(ConnectionRefusedError):
        await client.wait_connected()
    async with serving(path):
        await client.send_packet("Emma")
        assert await client.recv_packet() == f"Emma for {client.get_local_name()}"
        await client.aclose()


def test_a_client_is_of_no_use_when_its_server_is_gone(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as library:
        library.bind(str(path))
        client: Client = UnixDatagramClient(path, Protocol())
    path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as library, client:
        library.bind(str(path))
        with pytest.raises(TimeoutError):
            client.recv_packet(timeout=0.01)
        with pytest.raises(ConnectionRefusedError):
            client.send_packet("Emma")
        with pytest.raises(OSError, match="not connected") as lost:
            client.send_packet("Emma")
        assert lost.value.errno == errno.ENOTCONN


@in_event_loop
async def test_a_question_after_a_lost_one_connects_to_the_new_server(path: Path) -> None:
    line = ON_PAGE["Line"](path)
    for _ in range(2):
        async with serving(path):
            assert (await to_thread.run_sync(line.ask, "Emma")).startswith("Emma for ")
        with pytest.raises(ConnectionRefusedError):
            await to_thread.run_sync(line.ask, "Emma")
        with pytest.raises(FileNotFoundError):
            await to_thread.run_sync(line.ask, "Emma")
    line.close()


def test_packets_that_cannot_be_sent_leave_the_client_usable() -> None:
    one, other = ON_PAGE["two_ends"]()
    with one, other:
        with pytest.raises(OSError, match="too long") as too_long:
            one.send_packet("x" * (1 << 22))
        assert too_long.value.errno == errno.EMSGSIZE
        with pytest.raises(RuntimeError, match=r"make_datagram\(\) crashed"):
            one.send_packet("\N{SNOWMAN}")
        one.send_packet("x" * 200_000)
        assert other.recv_packet(timeout=PATIENCE) == "x" * 200_000
