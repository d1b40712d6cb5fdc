# SPDX-License-Identifier: Apache-2.0
"""What the page "UDP clients" says, section by section."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest
from anyio import to_thread
from datagram_peers import PATIENCE
from loops import each_where_it_works
from page_servers import replayed_beside
from pages import Page
from running_server import running

from easynetwork.clients import AsyncUDPNetworkClient, UDPNetworkClient
from easynetwork.exceptions import ClientClosedError, DatagramProtocolParseError
from easynetwork.lowlevel.socket import IPv4SocketAddress
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import JSONSerializer
from easynetwork.servers.async_udp import AsyncUDPNetworkServer
from easynetwork.servers.handlers import AsyncDatagramClient, AsyncDatagramRequestHandler

PAGE = Page("howto/udp-clients.md")
ON_PAGE = PAGE.run()

CELSIUS = {"attic": 24.5, "cellar": 12.0}

Address = tuple[str, int]
T = TypeVar("T")

in_event_loop = pytest.mark.anyio


class Protocol(DatagramProtocol[Any, Any]):
    def __init__(self) -> None:
        super().__init__(JSONSerializer())


class SlipperyProtocol(Protocol):
    """For one packet it makes a datagram that is no JSON."""

    def make_datagram(self, packet: Any) -> bytes:
        return b"?!" if packet == "nonsense" else super().make_datagram(packet)


class Thermometer(AsyncDatagramRequestHandler[Any, Any]):
    """Knows two rooms. It loses the first ``deaf_for`` questions."""

    def __init__(self, deaf_for: int = 0) -> None:
        self.deaf_for = deaf_for

    async def handle(self, client: AsyncDatagramClient[Any]) -> AsyncGenerator[None, Any]:
        if self.deaf_for:
            self.deaf_for -= 1
            return
        room = yield
        if room == "nonsense":
            await client.send_packet(room)
        elif room in CELSIUS:
            await client.send_packet({"room": room, "celsius": CELSIUS[room]})


@asynccontextmanager
async def serving(handler: Thermometer | None = None) -> AsyncGenerator[Address]:
    """The address of a running thermometer."""
    server = AsyncUDPNetworkServer("127.0.0.1", 0, SlipperyProtocol(), handler or Thermometer())
    async with running(server):
        yield server.get_addresses()[0].for_connection()


def blocking_client(address: Address) -> UDPNetworkClient[Any, Any]:
    return UDPNetworkClient(address, Protocol())


def async_client(address: Address) -> AsyncUDPNetworkClient[Any, Any]:
    return AsyncUDPNetworkClient(address, Protocol())


async def in_thread(address: Address, function: Callable[[UDPNetworkClient[Any, Any]], T]) -> T:
    """The result of a function with a blocking client."""

    def with_client() -> T:
        with blocking_client(address) as client:
            return function(client)

    return await to_thread.run_sync(with_client)


@pytest.fixture
def nobody() -> Address:
    """An address where nobody listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        host, port = sock.getsockname()
        return host, port


# The smallest client


def test_both_clients_are_answered_by_the_thermometer(tmp_path: Path) -> None:
    for shown, printed in replayed_beside("thermometer.py", PAGE, tmp_path):
        assert printed == shown


# Limit the time, and ask again


@in_event_loop
async def test_a_question_that_was_lost_is_asked_again() -> None:
    async with serving(Thermometer(deaf_for=1)) as address:
        assert await in_thread(address, lambda client: ON_PAGE["celsius"](client, "attic", patience=0.1)) == 24.5

    async with serving(Thermometer(deaf_for=1)) as address, async_client(address) as client:
        assert await ON_PAGE["celsius_async"](client, "attic", patience=0.1) == 24.5


@in_event_loop
async def test_an_answer_to_another_question_is_passed_over() -> None:
    def after_another(client: UDPNetworkClient[Any, Any]) -> float:
        client.send_packet("cellar")
        return ON_PAGE["celsius"](client, "attic")  # type: ignore[no-any-return]  # it comes from the page

    async with serving() as address:
        assert await in_thread(address, after_another) == 24.5
        async with async_client(address) as client:
            await client.send_packet("cellar")
            assert await ON_PAGE["celsius_async"](client, "attic") == 24.5


@in_event_loop
async def test_a_question_that_is_not_answered_is_given_up() -> None:
    async with serving() as address:
        with pytest.raises(TimeoutError, match="about the garden"):
            await in_thread(address, lambda client: ON_PAGE["celsius"](client, "garden", patience=0.01))
        async with async_client(address) as client:
            with pytest.raises(TimeoutError, match="about the garden"):
                await ON_PAGE["celsius_async"](client, "garden", patience=0.01)


@in_event_loop
@each_where_it_works(
    "receive",
    anywhere=[ON_PAGE["next_reading"]],
    asyncio=[ON_PAGE["next_reading_asyncio"]],
    trio=[ON_PAGE["next_reading_trio"]],
)
async def test_a_receive_that_is_timed_out_loses_no_packet(receive: Any) -> None:
    async with serving() as address, async_client(address) as client:
        assert await receive(client, 0.01) is None
        await client.send_packet("attic")
        assert await receive(client, PATIENCE) == {"room": "attic", "celsius": 24.5}


@in_event_loop
async def test_a_timeout_of_zero_takes_what_is_there() -> None:
    def talk(client: UDPNetworkClient[Any, Any]) -> None:
        with pytest.raises(TimeoutError):
            client.recv_packet(timeout=0)
        client.send_packet("attic")
        client.send_packet("cellar")
        rooms = [client.recv_packet(timeout=PATIENCE)["room"]]
        while len(rooms) < 2:
            rooms += [reading["room"] for reading in client.iter_received_packets()]
        assert rooms == ["attic", "cellar"]
        assert list(client.iter_received_packets()) == []

    async with serving() as address:
        await in_thread(address, talk)


# Take what comes


@in_event_loop
async def test_answers_are_collected_until_all_are_there_or_time_is_up() -> None:
    async with serving() as address:
        known = ["attic", "cellar"]
        assert await in_thread(address, lambda client: ON_PAGE["survey"](client, known, PATIENCE)) == CELSIUS
        unknown = ["attic", "garden", "cellar"]
        assert await in_thread(address, lambda client: ON_PAGE["survey"](client, unknown, 0.05)) == CELSIUS


@in_event_loop
async def test_a_packet_that_cannot_be_parsed_is_raised_and_a_new_iteration_goes_on_behind_it() -> None:
    async with serving() as address, async_client(address) as client:
        for room in ("attic", "nonsense", "cellar"):
            await client.send_packet(room)
        rooms: list[str] = []
        with pytest.raises(DatagramProtocolParseError):
            async for reading in client.iter_received_packets(timeout=PATIENCE):
                rooms.append(reading["room"])
        async with aclosing(client.iter_received_packets(timeout=PATIENCE)) as readings:
            rooms.append((await anext(readings))["room"])

        assert rooms == ["attic", "cellar"]


@in_event_loop
async def test_an_iteration_without_limit_ends_when_the_client_is_closed() -> None:
    async with serving() as address, async_client(address) as client:
        await client.send_packet("attic")
        rooms: list[str] = []
        async for reading in client.iter_received_packets(timeout=None):
            rooms.append(reading["room"])
            await client.aclose()

        assert rooms == ["attic"]


# Handle errors


@in_event_loop
async def test_whether_somebody_answers_is_found_out(nobody: Address) -> None:
    async with serving() as address:
        assert await in_thread(address, ON_PAGE["is_there"])
    async with serving(Thermometer(deaf_for=1)) as address:
        assert not await in_thread(address, lambda client: ON_PAGE["is_there"](client, patience=0.01))

    assert not await in_thread(nobody, ON_PAGE["is_there"])


@in_event_loop
async def test_an_answer_in_another_language_is_an_answer() -> None:
    class Foreign(Thermometer):
        async def handle(self, client: AsyncDatagramClient[Any]) -> AsyncGenerator[None, Any]:
            yield
            await client.send_packet("nonsense")

    async with serving(Foreign()) as address:
        assert await in_thread(address, ON_PAGE["is_there"])


def test_that_nobody_listens_is_raised_by_the_next_operation_and_nothing_else_is_lost(nobody: Address) -> None:
    with blocking_client(nobody) as client:
        for _ in range(2):
            client.send_packet("attic")
            with pytest.raises(ConnectionRefusedError):
                client.send_packet("attic")
            with pytest.raises(TimeoutError):
                client.recv_packet(timeout=0)
            client.send_packet("attic")
            with pytest.raises(ConnectionRefusedError):
                client.recv_packet(timeout=PATIENCE)


def test_packets_that_cannot_be_sent_leave_the_client_usable(nobody: Address) -> None:
    with blocking_client(nobody) as client:
        with pytest.raises(OSError, match="too long") as too_long:
            client.send_packet("x" * 65506)  # two bytes are the quotes
        assert too_long.value.errno == errno.EMSGSIZE
        with pytest.raises(RuntimeError, match=r"make_datagram\(\) crashed") as unserializable:
            client.send_packet(object())
        assert isinstance(unserializable.value.__cause__, TypeError)
        client.send_packet("x" * 65505)
        with pytest.raises(ConnectionRefusedError):
            client.recv_packet(timeout=PATIENCE)


# Use one client from several threads or tasks


@in_event_loop
async def test_a_thread_listens_until_another_closes_the_client() -> None:
    heard: list[Any] = []
    attic_heard = threading.Event()

    def report(reading: Any) -> None:
        heard.append(reading["room"])
        attic_heard.set()

    def talk(client: UDPNetworkClient[Any, Any]) -> None:
        listener = threading.Thread(target=ON_PAGE["listen"], args=(client, report))
        listener.start()
        client.send_packet("attic")
        assert attic_heard.wait(PATIENCE)
        client.close()
        listener.join(PATIENCE)
        assert not listener.is_alive()

    async with serving() as address:
        await in_thread(address, talk)
    assert heard == ["attic"]


@in_event_loop
async def test_a_task_listens_until_another_closes_the_client() -> None:
    heard: list[Any] = []
    attic_heard = anyio.Event()

    def report(reading: Any) -> None:
        heard.append(reading["room"])
        attic_heard.set()

    async with serving() as address, async_client(address) as client:
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ON_PAGE["listen_async"], client, report)
                await client.send_packet("attic")
                await attic_heard.wait()
                await client.aclose()

    assert heard == ["attic"]


@in_event_loop
async def test_the_time_to_wait_for_another_thread_counts() -> None:
    def talk(client: UDPNetworkClient[Any, Any]) -> None:
        receives = threading.Event()

        def receive() -> None:
            receives.set()
            with pytest.raises(ClientClosedError):
                client.recv_packet()

        listener = threading.Thread(target=receive)
        listener.start()
        receives.wait(PATIENCE)
        with pytest.raises(TimeoutError):
            client.recv_packet(timeout=0.01)
        client.close()
        listener.join(PATIENCE)

    async with serving() as address:
        await in_thread(address, talk)


# Connect later


@in_event_loop
async def test_a_client_connects_later() -> None:
    async with serving() as address:
        async with ON_PAGE["connected_client"](address) as client:
            assert client.is_connected()
            assert client.get_remote_address() == IPv4SocketAddress(*address)
        assert client.is_closing()

        client = async_client(address)
        assert not client.is_connected()
        with pytest.raises(OSError, match="not connected") as unconnected:
            client.get_local_address()
        assert unconnected.value.errno == errno.ENOTCONN
        with pytest.raises(AttributeError):
            _ = client.socket
        await client.send_packet("attic")
        assert client.is_connected()
        await client.aclose()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_made_outside_of_an_event_loop_a_client_needs_a_backend(backend: str, nobody: Address) -> None:
    with pytest.raises(RuntimeError, match="backend"):
        async_client(nobody)

    AsyncUDPNetworkClient(nobody, Protocol(), backend)  # type: ignore[arg-type]  # a parametrized literal


# Choose addresses


def test_a_client_sends_from_the_port_that_it_was_told(nobody: Address) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        with ON_PAGE["client_on_port"](nobody[1], peer.getsockname()) as client:
            assert client.get_local_address() == IPv4SocketAddress("127.0.0.1", nobody[1])
            assert client.get_remote_address() == IPv4SocketAddress(*peer.getsockname())
            client.send_packet("attic")
            assert peer.recvfrom(100) == (b'"attic"', ("127.0.0.1", nobody[1]))


def test_a_socket_of_one_s_own_sends_broadcasts() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(PATIENCE)
        peer.bind(("0.0.0.0", 0))
        with ON_PAGE["announcer"](("127.255.255.255", peer.getsockname()[1])) as client:
            client.send_packet("attic")
            data, sender = peer.recvfrom(100)
            assert data == b'"attic"'
            peer.sendto(b"{}", sender)
            with pytest.raises((TimeoutError, ConnectionRefusedError)):
                client.recv_packet(timeout=0.05)
