# SPDX-License-Identifier: Apache-2.0
"""What the page "UDP servers" says, section by section."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from datagram_peers import SocketPeer, udp_peer
from loops import each_where_it_works
from page_servers import replayed_beside
from pages import Page
from running_server import running

from easynetwork.lowlevel.socket import IPv4SocketAddress
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers.async_udp import AsyncUDPNetworkServer
from easynetwork.servers.handlers import AsyncDatagramClient, AsyncDatagramRequestHandler
from easynetwork.servers.options import ServerLimits

PAGE = Page("howto/udp-servers.md")
ON_PAGE = PAGE.run()
Desk: Any = ON_PAGE["Desk"]

in_event_loop = pytest.mark.anyio


class Protocol(DatagramProtocol[str, str]):
    """That of the page, with one word for which it has a bug."""

    def __init__(self) -> None:
        super().__init__(StringLineSerializer())

    def build_packet_from_datagram(self, datagram: bytes) -> str:
        if datagram == b"bug":
            raise ZeroDivisionError
        return super().build_packet_from_datagram(datagram)


@asynccontextmanager
async def serving(
    handler: AsyncDatagramRequestHandler[str, str], host: str = "127.0.0.1", **options: Any
) -> AsyncGenerator[tuple[AsyncUDPNetworkServer[str, str], SocketPeer]]:
    """A running server with one peer on the same host."""
    server = AsyncUDPNetworkServer(host, 0, Protocol(), handler, **options)
    async with running(server):
        with udp_peer(server, to="127.0.0.1" if host == "0.0.0.0" else None) as peer:
            yield server, peer


def name_of(peer: SocketPeer) -> str:
    return str(IPv4SocketAddress(*peer.sock.getsockname()))


def warnings_in(log: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in log.records if record.levelno >= logging.WARNING]


# The smallest server


def test_the_programs_print_what_the_page_shows(tmp_path: Path) -> None:
    for shown, printed in replayed_beside("seats.py", PAGE, tmp_path):
        assert printed == shown


# How handle() runs


@in_event_loop
async def test_one_handler_serves_everybody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "theatre")
    desk = Desk("A4")
    async with serving(desk) as (server, peer):
        assert await peer.ask("A4") == "A4 is free"
        desk.free.clear()
        with udp_peer(server) as other:
            assert await other.ask("A4") == "A4 is taken"

    assert [record.getMessage() for record in caplog.records if record.name == "theatre"] == ["somebody asks"] * 2


@in_event_loop
async def test_a_peer_has_one_generator_at_a_time_and_the_others_do_not_wait_for_it() -> None:
    """The first reservation waits for its answer, which is the datagram that was queued."""
    async with serving(ON_PAGE["ReservingDesk"]("A4", "B7")) as (server, peer):
        peer.send("A4", "yes", "C1")
        assert [await peer.receive() for _ in range(3)] == ["A4: yes or no?", "A4 is yours", "C1 is taken"]
        assert await peer.ask("B7") == "B7: yes or no?"
        with udp_peer(server) as other:
            assert await other.ask("C1") == "C1 is taken"
        assert await peer.ask("no") == "B7 is free again"


@in_event_loop
async def test_a_generator_that_raises_is_logged_and_ends_alone(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(Desk("A4")) as (_, peer):
        peer.send("bug")
        assert await peer.ask("A4") == "A4 is free"

        assert warnings_in(caplog) == [f"Exception occurred during processing of request from {name_of(peer)}"]


# Refuse datagrams


@in_event_loop
async def test_refused_datagrams_are_thrown_away_unread(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(ON_PAGE["InHouseDesk"]("A4")) as (server, peer):
        with udp_peer(server, bound_to="127.0.0.77") as stranger:
            stranger.send("A4", "bug")
            assert await peer.ask("A4") == "A4 is free"
            assert await stranger.hears_nothing()

    assert warnings_in(caplog) == []


# Handle errors


@in_event_loop
async def test_errors_are_raised_at_the_yield(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(ON_PAGE["PatientDesk"]("A4")) as (_, peer):
        assert await peer.ask("\N{SNOWMAN}") == "please ask in ASCII"
        assert warnings_in(caplog) == []
        assert await peer.ask("bug") == "please come back later"
        assert await peer.ask("A4") == "A4 is free"

    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.getMessage() == "the desk is broken"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], RuntimeError)
    assert isinstance(record.exc_info[1].__cause__, ZeroDivisionError)


# Wait for another datagram


def in_a_hurry(name: str) -> Any:
    """A handler of the page that does not wait for half a minute."""
    return type(name, (ON_PAGE[name],), {"patience": 0.03})


@in_event_loop
async def test_a_seat_is_reserved_in_two_datagrams() -> None:
    async with serving(ON_PAGE["ReservingDesk"]("A4")) as (_, peer):
        assert await peer.ask("A4") == "A4: yes or no?"
        assert await peer.ask("yes") == "A4 is yours"
        assert await peer.ask("A4") == "A4 is taken"


@in_event_loop
async def test_a_seat_is_free_again_when_time_is_up() -> None:
    async with serving(in_a_hurry("ReservingDesk")("A4")) as (_, peer):
        for _ in range(2):
            assert await peer.ask("A4") == "A4: yes or no?"
            assert await peer.receive() == "A4 is free again"


@in_event_loop
async def test_a_bare_number_is_a_deprecated_timeout() -> None:
    class Blunt(AsyncDatagramRequestHandler[str, str]):
        async def handle(self, client: AsyncDatagramClient[str]) -> AsyncGenerator[float | None, str]:
            yield None
            with pytest.warns(DeprecationWarning, match="RecvParams"), pytest.raises(TimeoutError):
                yield 0.01
            await client.send_packet("time is up")

    async with serving(Blunt()) as (_, peer):
        assert await peer.ask("x") == "time is up"


with_a_time_limit = each_where_it_works(
    "kind", anywhere=[ON_PAGE["AnyLoopDesk"]], asyncio=[ON_PAGE["AsyncioDesk"]], trio=[ON_PAGE["TrioDesk"]]
)


@in_event_loop
@with_a_time_limit
async def test_a_time_limit_of_the_event_loop_stands_around_a_yield(kind: Any) -> None:
    async with serving(kind("A4")) as (_, peer):
        assert await peer.ask("A4") == "A4 is free; anything else?"
        assert await peer.ask("A5") == "A5 is taken"
        assert await peer.ask("A4") == "A4 is free; anything else?"

    async with serving(in_a_hurry(kind.__name__)("A4")) as (_, peer):
        for _ in range(2):
            assert await peer.ask("A4") == "A4 is free; anything else?"
            assert await peer.receive() == "goodbye"


# Ask who the peer is


@in_event_loop
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
async def test_the_peer_and_the_address_that_it_asked_are_known(host: str) -> None:
    async with serving(ON_PAGE["PoliteDesk"]("A4"), host) as (server, peer):
        assert await peer.ask("A4") == "127.0.0.1 to 127.0.0.1: A4 is free"
        if host == "0.0.0.0":
            with udp_peer(server, to="127.0.0.9", bound_to="127.0.0.7") as other:
                assert await other.ask("A4") == "127.0.0.9 to 127.0.0.7: A4 is free"


# Work in the background


counting = each_where_it_works(
    "kind",
    anywhere=[ON_PAGE["AnyLoopCountingDesk"]],
    asyncio=[ON_PAGE["CountingDesk"]],
    trio=[ON_PAGE["TrioCountingDesk"]],
)


@in_event_loop
@counting
async def test_a_background_task_lives_as_long_as_the_service(kind: Any, caplog: pytest.LogCaptureFixture) -> None:
    class Often(kind):  # type: ignore[misc]  # it comes from the page
        period = 0.001

        def log_and_reset(self) -> None:
            if self.asked:
                super().log_and_reset()  # pyright: ignore[reportUnknownMemberType]  # as above
                reported.set()

    caplog.set_level(logging.INFO, "theatre")
    reported = anyio.Event()
    async with serving(Often("A4")) as (_, peer):
        await peer.ask("A4")
        with anyio.fail_after(10):
            await reported.wait()

    assert [r.getMessage() for r in caplog.records if r.name == "theatre"] == ["questions: 1", "the desk is closed"]


@in_event_loop
@counting
async def test_an_error_of_a_background_task_comes_out_of_serve_forever(kind: Any) -> None:
    class Broken(kind):  # type: ignore[misc]  # it comes from the page
        period = 0.001

        def log_and_reset(self) -> None:
            raise ArithmeticError

    server = AsyncUDPNetworkServer("127.0.0.1", 0, Protocol(), Broken())
    async with server:
        with anyio.fail_after(10), pytest.raises(ExceptionGroup) as caught:
            await server.serve_forever()

    assert caught.value.subgroup(ArithmeticError) is not None


# Keep variables of one peer


@in_event_loop
async def test_context_variables_belong_to_a_generator(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "theatre")
    async with serving(ON_PAGE["NotingDesk"]("A4")) as (server, peer):
        await peer.ask("A4")
        with udp_peer(server) as other:
            await other.ask("B7")
            names = [name_of(peer), name_of(other)]

    assert [record.getMessage() for record in caplog.records if record.name == "theatre"] == [
        f"Old Playhouse, {names[0]}: asks for A4",
        f"Old Playhouse, {names[1]}: asks for B7",
    ]
    assert ON_PAGE["visitor"].get(None) is None


# Run the server


@in_event_loop
async def test_more_pending_datagrams_than_allowed_are_dropped_the_newest_first(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Slow(Desk):  # type: ignore[misc]  # it comes from the page
        async def handle(self, client: AsyncDatagramClient[str]) -> AsyncGenerator[None, str]:
            seat = yield
            await released.wait()
            await client.send_packet(seat)

    released = anyio.Event()
    async with serving(Slow(), limits=ServerLimits(max_pending_datagrams=2)) as (_, peer):
        peer.send("A1", "A2", "A3", "A4")
        assert await peer.hears_nothing()
        released.set()
        assert [await peer.receive() for _ in range(3)] == ["A1", "A2", "A3"]
        assert await peer.hears_nothing()

    assert [line.partition(";")[0] for line in warnings_in(caplog)] == ["Dropped datagrams: 1, from peers: 1"]


@in_event_loop
async def test_peers_that_wait_at_a_yield_take_places_until_their_time_is_up() -> None:
    async with serving(ON_PAGE["ReservingDesk"]("A4"), limits=ServerLimits(max_peers=1)) as (server, peer):
        with udp_peer(server) as other:
            assert await peer.ask("A4") == "A4: yes or no?"
            other.send("C1")
            assert await other.hears_nothing()

    async with serving(in_a_hurry("ReservingDesk")("A4"), limits=ServerLimits(max_peers=1)) as (server, peer):
        with udp_peer(server) as other:
            assert await peer.ask("A4") == "A4: yes or no?"
            assert await peer.receive() == "A4 is free again"
            assert await other.ask("C1") == "C1 is taken"


@in_event_loop
@pytest.mark.parametrize(("host", "longest"), [("127.0.0.1", 65507), ("::1", 65527)])
async def test_a_packet_that_is_too_long_for_a_datagram_is_an_oserror(host: str, longest: int) -> None:
    class Wordy(AsyncDatagramRequestHandler[str, str]):
        async def handle(self, client: AsyncDatagramClient[str]) -> AsyncGenerator[None, str]:
            yield
            with pytest.raises(OSError, match="too long") as caught:
                await client.send_packet("x" * (longest + 1))
            assert caught.value.errno == errno.EMSGSIZE
            await client.send_packet("x" * longest)

    async with serving(Wordy(), host) as (_, peer):
        assert await peer.ask("x") == "x" * longest


# Receive what was sent to a group


@in_event_loop
@pytest.mark.parametrize(
    ("kind", "destination"), [(Desk, "127.255.255.255"), (ON_PAGE["GroupDesk"], ON_PAGE["GroupDesk"].group)]
)
async def test_broadcasts_and_members_multicasts_are_answered_from_an_address_of_the_server(
    kind: Any, destination: str
) -> None:
    async with serving(kind("A4"), "0.0.0.0") as (server, _):
        port = server.get_addresses()[0].port
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.setblocking(False)
            asker.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            asker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            asker.sendto(b"A4", (destination, port))
            with anyio.fail_after(10):
                await anyio.wait_readable(asker)

            assert asker.recvfrom(100) == (b"A4 is free", ("127.0.0.1", port))
