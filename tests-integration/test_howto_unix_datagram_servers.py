# SPDX-License-Identifier: Apache-2.0
"""What the page "Unix datagram servers" says, section by section."""

from __future__ import annotations

import errno
import logging
import os
import socket
import stat
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any

import anyio
import pytest
from datagram_peers import Pipe, SocketPeer, name_of, unix_peer
from loops import each_where_it_works
from page_servers import replayed_beside
from pages import Page
from running_server import running

from easynetwork.exceptions import TypedAttributeLookupError, UnsupportedOperation
from easynetwork.lowlevel.request_handler import RecvAncillaryDataParams, RecvParams
from easynetwork.lowlevel.socket import UnixSocketAddress
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers.async_unix_datagram import AsyncUnixDatagramServer
from easynetwork.servers.handlers import AsyncDatagramClient, AsyncDatagramRequestHandler, UNIXClientAttribute
from easynetwork.servers.options import ServerLimits

PAGE = Page("howto/unix-datagram-servers.md")
ON_PAGE = PAGE.run()
Printer: Any = ON_PAGE["Printer"]
Spooler: Any = ON_PAGE["Spooler"]

in_event_loop = pytest.mark.anyio
on_linux = pytest.mark.skipif(not hasattr(socket, "SO_PASSCRED"), reason="abstract names and credentials are Linux's")


class Protocol(DatagramProtocol[str, str]):
    """That of the page, with one word for which it has a bug."""

    def __init__(self) -> None:
        super().__init__(StringLineSerializer())

    def build_packet_from_datagram(self, datagram: bytes) -> str:
        if datagram == b"bug":
            raise ZeroDivisionError
        return super().build_packet_from_datagram(datagram)


def new_server(
    path: Any, handler: AsyncDatagramRequestHandler[str, str], **options: Any
) -> AsyncUnixDatagramServer[str, str]:
    return AsyncUnixDatagramServer(path, Protocol(), handler, **options)


@asynccontextmanager
async def serving(
    path: Any, handler: AsyncDatagramRequestHandler[str, str], **options: Any
) -> AsyncGenerator[tuple[AsyncUnixDatagramServer[str, str], SocketPeer]]:
    """A running server with one peer."""
    server = new_server(path, handler, **options)
    async with running(server):
        with unix_peer(server) as peer:
            yield server, peer


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "spooler.sock"


@pytest.fixture
def letter(tmp_path: Path) -> Iterator[IO[str]]:
    """An open file of 11 bytes."""
    file = tmp_path / "letter"
    file.write_text("dear reader")
    with file.open() as letter:
        yield letter


def warnings_in(log: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in log.records if record.levelno >= logging.WARNING]


def notes_in(log: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in log.records if record.name == "printing"]


# The smallest server


def test_the_smallest_server_answers_the_client_beside_it(folder: Path) -> None:
    for shown, printed in replayed_beside("spooler.py", PAGE, folder):
        assert printed == shown


# Choose the path


@in_event_loop
async def test_paths_of_all_kinds(folder: Path) -> None:
    path = folder / "one.sock"
    for given in (path, str(path), os.fsencode(path), UnixSocketAddress.from_pathname(path)):
        async with serving(given, Spooler()) as (server, peer):
            assert server.get_addresses() == (UnixSocketAddress.from_pathname(path),)
            assert await peer.ask("letter") == "job 1: letter"


@in_event_loop
@on_linux
async def test_abstract_names_and_names_that_the_system_chooses_have_no_file() -> None:
    name = f"spooler-{os.getpid()}"
    async with serving(UnixSocketAddress.from_abstract_name(name), Spooler()) as (server, peer):
        assert [str(address) for address in server.get_addresses()] == [f"@{name}"]
        assert await peer.ask("letter") == "job 1: letter"

    async with serving("", Spooler()) as (server, peer):
        assert str(server.get_addresses()[0]).startswith("@")
        assert await peer.ask("letter") == "job 1: letter"


@in_event_loop
@on_linux
async def test_a_path_has_107_bytes_at_most(folder: Path) -> None:
    longest = folder / ("x" * (106 - len(str(folder))))
    async with serving(longest, Spooler()) as (_, peer):
        assert await peer.ask("letter") == "job 1: letter"

    server = new_server(f"{longest}x", Spooler())
    with pytest.raises(OSError, match="too long"):
        await server.server_activate()


@in_event_loop
async def test_the_file_has_the_mode_and_goes_with_the_server(path: Path) -> None:
    async with serving(path, Spooler(), mode=0o600):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert os.listdir(path.parent) == []


@in_event_loop
async def test_a_dead_server_s_file_is_replaced_and_a_living_one_s_is_not(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(path))
    async with serving(path, Spooler()) as (_, peer):
        assert await peer.ask("letter") == "job 1: letter"
        with pytest.raises(OSError, match="in use") as living:
            await new_server(path, Spooler()).server_activate()
        assert living.value.errno == errno.EADDRINUSE
        assert await peer.ask("invoice") == "job 2: invoice"


@in_event_loop
async def test_a_file_that_is_no_socket_is_left_alone(letter: IO[str]) -> None:
    with pytest.raises(OSError, match="in use") as occupied:
        await new_server(letter.name, Spooler()).server_activate()
    assert occupied.value.errno == errno.EADDRINUSE
    assert letter.read() == "dear reader"
    assert os.stat(letter.name).st_ino == os.fstat(letter.fileno()).st_ino


# How handle() runs


@in_event_loop
async def test_one_handler_serves_everybody(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "printing")
    async with serving(path, Spooler()) as (server, peer):
        assert await peer.ask("letter") == "job 1: letter"
        with unix_peer(server) as other:
            assert await other.ask("invoice") == "job 2: invoice"

    assert notes_in(caplog) == ["a job arrives"] * 2


@in_event_loop
async def test_a_peer_has_one_generator_at_a_time_and_the_others_do_not_wait_for_it(path: Path) -> None:
    async with serving(path, ON_PAGE["CopyingSpooler"]()) as (server, peer):
        peer.send("letter", "3", "invoice")
        assert [await peer.receive() for _ in range(3)] == [
            "how many copies?",
            "job 1: letter, copies: 3",
            "how many copies?",
        ]
        with unix_peer(server) as other:
            assert await other.ask("poster") == "how many copies?"
            assert await other.ask("2") == "job 2: poster, copies: 2"
        assert await peer.ask("1") == "job 3: invoice, copies: 1"


@in_event_loop
async def test_a_generator_that_raises_is_logged_and_ends_alone(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(path, Spooler()) as (_, peer):
        peer.send("bug")
        assert await peer.ask("letter") == "job 1: letter"

        assert warnings_in(caplog) == [f"Exception occurred during processing of request from {name_of(peer)}"]


# Ask who the peer is


@in_event_loop
async def test_names_are_known_and_credentials_are_not(path: Path) -> None:
    class Curious(Printer):  # type: ignore[misc]  # it comes from the page
        async def handle(self, client: AsyncDatagramClient[str]) -> AsyncGenerator[None, str]:
            yield
            with pytest.raises(TypedAttributeLookupError):
                client.extra(UNIXClientAttribute.peer_credentials)
            assert client.extra(UNIXClientAttribute.peer_credentials, None) is None
            assert client.extra(UNIXClientAttribute.socket).getsockname() == str(path)
            peer, local = client.extra(UNIXClientAttribute.peer_name), client.extra(UNIXClientAttribute.local_name)
            await client.send_packet(f"{local} to {peer}")

    async with serving(path, Curious()) as (_, peer):
        assert await peer.ask("x") == f"{path} to {name_of(peer)}"


@in_event_loop
async def test_jobs_from_outside_of_the_office_are_thrown_away_unread(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    office = folder / "office"
    office.mkdir()
    async with serving(folder / "spooler.sock", ON_PAGE["OfficeSpooler"](office)) as (server, stranger):
        stranger.send("letter", "bug")
        with unix_peer(server, bound_to=str(folder / "near.sock")) as neighbour:
            neighbour.send("letter")
            with unix_peer(server, bound_to=str(office / "desk.sock")) as desk:
                assert await desk.ask("invoice") == "job 1: invoice"
            assert await neighbour.hears_nothing()
        assert await stranger.hears_nothing()

    assert warnings_in(caplog) == []


# Peers without a name


@in_event_loop
@pytest.mark.parametrize("behavior", [None, "ignore", "warn"])
async def test_unnamed_peers_are_dropped(path: Path, behavior: Any, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(path, Spooler(), unnamed_addresses_behavior=behavior) as (server, peer):
        with unix_peer(server, bound_to=None) as unnamed:
            unnamed.send("letter", "letter")
            assert await peer.ask("invoice") == "job 1: invoice"

    expected = ["A datagram received from an unbound UNIX datagram socket has been dropped."]
    assert warnings_in(caplog) == (expected if behavior == "warn" else [])


@in_event_loop
async def test_unnamed_peers_are_handled_as_one_and_not_answered(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "printing")
    async with serving(path, ON_PAGE["LetterBox"](), unnamed_addresses_behavior="handle") as (server, peer):
        with unix_peer(server, bound_to=None) as one, unix_peer(server, bound_to=None) as other:
            one.send("letter")
            other.send("poster")
            assert await peer.ask("invoice") == "job 3: invoice"

    assert notes_in(caplog) == ["job 1: letter, from somebody", "job 2: poster, from somebody"]
    assert warnings_in(caplog) == []


@in_event_loop
async def test_two_unnamed_peers_share_a_generator_that_cannot_answer(path: Path) -> None:
    received: list[str] = []

    class Gullible(Printer):  # type: ignore[misc]  # it comes from the page
        async def handle(self, client: AsyncDatagramClient[str]) -> AsyncGenerator[None, str]:
            received.extend([(yield), (yield)])
            with pytest.raises(OSError, match="no address") as unanswerable:
                await client.send_packet("receipt")
            assert unanswerable.value.errno == errno.EINVAL
            done.set()

    done = anyio.Event()
    async with serving(path, Gullible(), unnamed_addresses_behavior="handle") as (server, _):
        with unix_peer(server, bound_to=None) as one, unix_peer(server, bound_to=None) as other:
            one.send("letter")
            other.send("poster")
            with anyio.fail_after(10):
                await done.wait()

    assert received == ["letter", "poster"]


# Handle errors


@in_event_loop
async def test_errors_are_raised_at_the_yield(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(path, ON_PAGE["PatientSpooler"]()) as (_, peer):
        assert await peer.ask("\N{SNOWMAN}") == "titles are ASCII"
        assert warnings_in(caplog) == []
        assert await peer.ask("bug") == "out of order"
        assert await peer.ask("letter") == "job 1: letter"

    assert warnings_in(caplog) == ["the spooler is broken"]


# Wait for another datagram


with_a_time_limit = each_where_it_works(
    "kind",
    anywhere=[ON_PAGE["CopyingSpooler"], ON_PAGE["AnyLoopSpooler"]],
    asyncio=[ON_PAGE["AsyncioSpooler"]],
    trio=[ON_PAGE["TrioSpooler"]],
)


@in_event_loop
@with_a_time_limit
async def test_a_time_limit_ends_the_wait_for_another_datagram(path: Path, kind: Any) -> None:
    async with serving(path, kind()) as (_, peer):
        for number in (1, 2):
            assert await peer.ask("letter") == "how many copies?"
            assert await peer.ask("3") == f"job {number}: letter, copies: 3"

    in_a_hurry = type(kind.__name__, (kind,), {"patience": 0.03})
    async with serving(path, in_a_hurry()) as (_, peer):
        for number in (1, 2):
            assert await peer.ask("letter") == "how many copies?"
            assert await peer.receive() == f"job {number}: letter, copies: 1"


# Receive open files


@in_event_loop
async def test_files_that_come_with_a_job_are_measured(path: Path, letter: IO[str]) -> None:
    server: AsyncUnixDatagramServer[str, str] = ON_PAGE["file_spooler"](str(path), max_files=2)
    async with running(server):
        with unix_peer(server) as peer:
            peer.send_with_fds("one", [letter.fileno()])
            assert await peer.receive() == "job 1: one, 11 bytes"
            peer.send_with_fds("two", [letter.fileno()] * 2)
            assert await peer.receive() == "job 2: two, 22 bytes"
            assert await peer.ask("none") == "job 3: none, 0 bytes"


@in_event_loop
async def test_more_files_than_fit_are_closed_and_an_error(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server: AsyncUnixDatagramServer[str, str] = ON_PAGE["file_spooler"](str(path), max_files=2)
    async with running(server):
        with unix_peer(server) as peer, Pipe() as pipe:
            peer.send_with_fds("many", [pipe.fd] * 9)
            assert await peer.ask("none") == "job 1: none, 0 bytes"
            assert await pipe.read() == ""

    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], OSError)
    assert record.exc_info[1].errno == errno.EMSGSIZE


@in_event_loop
async def test_files_that_nobody_asks_for_are_closed(path: Path) -> None:
    async with serving(path, Spooler(), receive_ancillary_data=True) as (_, peer):
        with Pipe() as pipe:
            peer.send_with_fds("letter", [pipe.fd])
            assert await peer.receive() == "job 1: letter"
            assert await pipe.read() == ""


@in_event_loop
async def test_the_server_must_be_told_to_receive_files(path: Path) -> None:
    class Hopeful(Printer):  # type: ignore[misc]  # it comes from the page
        async def handle(self, client: AsyncDatagramClient[str]) -> AsyncGenerator[RecvParams | None, str]:
            with pytest.raises(UnsupportedOperation):
                yield RecvParams(recv_with_ancillary=RecvAncillaryDataParams(print))
            title = yield None
            await client.send_packet(title)

    async with serving(path, Hopeful()) as (_, peer):
        assert await peer.ask("letter") == "letter"


# Know who sends


@in_event_loop
@on_linux
async def test_who_sends_is_known(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(path, ON_PAGE["OwnSpooler"](), receive_ancillary_data=True) as (_, peer):
        assert await peer.ask("letter") == "job 1: letter"
        with Pipe() as pipe:
            peer.send_with_fds("with a file", [pipe.fd])
            assert await peer.receive() == "job 2: with a file"
            assert await pipe.read() == ""
        monkeypatch.setattr(os, "getuid", lambda: 1 << 30)  # as if the peer were somebody else
        peer.send("letter")
        assert await peer.hears_nothing()


# Send open files


@in_event_loop
async def test_the_journal_goes_with_the_receipt(path: Path) -> None:
    with tempfile.TemporaryFile("w+") as journal:
        async with serving(path, ON_PAGE["JournalSpooler"](journal)) as (_, peer):
            peer.send("letter")
            receipt, control = await peer.receive_with_control()
            assert receipt == "job 1: letter"
            (fd,) = control.iter_fds()
            assert os.pread(fd, 100, 0) == b"job 1: letter\n"
            os.close(fd)
            assert not journal.closed


# Work in the background


@in_event_loop
@each_where_it_works(
    "kind",
    anywhere=[ON_PAGE["AnyLoopReportingSpooler"]],
    asyncio=[ON_PAGE["ReportingSpooler"]],
    trio=[ON_PAGE["TrioReportingSpooler"]],
)
async def test_a_background_task_lives_as_long_as_the_service(
    path: Path, kind: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Often(kind):  # type: ignore[misc]  # it comes from the page
        period = 0.001

        def log_jobs(self) -> None:
            if self.jobs and not reported.is_set():
                super().log_jobs()  # pyright: ignore[reportUnknownMemberType]  # as above
                reported.set()

    caplog.set_level(logging.INFO, "printing")
    reported = anyio.Event()
    async with serving(path, Often()) as (_, peer):
        await peer.ask("letter")
        with anyio.fail_after(10):
            await reported.wait()

    assert notes_in(caplog) == ["jobs: 1", "the printer is off"]


# Keep variables of one peer


@in_event_loop
async def test_context_variables_belong_to_a_generator(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "printing")
    async with serving(path, ON_PAGE["NotingSpooler"]()) as (server, peer):
        await peer.ask("letter")
        with unix_peer(server) as other:
            await other.ask("invoice")
            names = [name_of(peer), name_of(other)]

    assert notes_in(caplog) == [f"laser, {names[0]}: sends letter", f"laser, {names[1]}: sends invoice"]
    assert ON_PAGE["sender"].get(None) is None


# Peers that are slow, and peers that flood


@in_event_loop
@pytest.mark.parametrize(("file_is_left", "error"), [(True, "ECONNREFUSED"), (False, "ENOENT")])
async def test_a_receipt_for_a_peer_that_is_gone_is_an_error(
    folder: Path, file_is_left: bool, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "printing")
    async with serving(folder / "spooler.sock", ON_PAGE["ForgivingSpooler"]()) as (server, peer):
        with unix_peer(server, bound_to=str(folder / "gone.sock")) as gone:
            gone.send("letter")
        if not file_is_left:
            (folder / "gone.sock").unlink()
        assert await peer.ask("invoice") == "job 2: invoice"

    assert notes_in(caplog) == [f"nobody wants the receipt: {error}"]


@in_event_loop
async def test_datagrams_beyond_the_bounds_are_dropped_and_counted(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Slow(Printer):  # type: ignore[misc]  # it comes from the page
        async def handle(self, client: AsyncDatagramClient[str]) -> AsyncGenerator[None, str]:
            title = yield
            await released.wait()
            await client.send_packet(title)

    released = anyio.Event()
    async with serving(path, Slow(), limits=ServerLimits(max_pending_datagrams=1, max_peers=1)) as (server, peer):
        peer.send("1", "2", "3")
        with unix_peer(server) as other:
            other.send("4")
            assert await other.hears_nothing()
            released.set()
            assert [await peer.receive() for _ in range(2)] == ["1", "2"]
            assert await other.ask("5") == "5"

    assert sum(int(line.split()[2].rstrip(",")) for line in warnings_in(caplog)) == 2


@in_event_loop
async def test_a_packet_that_is_too_long_for_a_datagram_is_an_oserror(path: Path) -> None:
    class Wordy(Printer):  # type: ignore[misc]  # it comes from the page
        async def handle(self, client: AsyncDatagramClient[str]) -> AsyncGenerator[None, str]:
            yield
            with pytest.raises(OSError, match="too long") as too_long:
                await client.send_packet("x" * (1 << 22))
            assert too_long.value.errno == errno.EMSGSIZE
            await client.send_packet("x" * 200_000)

    async with serving(path, Wordy()) as (_, peer):
        assert await peer.ask("") == "x" * 200_000
