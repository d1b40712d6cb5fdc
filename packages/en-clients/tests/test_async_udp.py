# SPDX-License-Identifier: Apache-2.0
"""The asynchronous client of UDP, and what it shares with that of Unix datagrams."""

from __future__ import annotations

import errno
import gc
import math
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from easynetwork.backends.asyncio import AsyncIOBackend
from easynetwork.clients import AsyncUDPNetworkClient
from easynetwork.exceptions import ClientClosedError, DatagramProtocolParseError
from easynetwork.lowlevel.socket import IPv4SocketAddress
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import StringLineSerializer

pytestmark = pytest.mark.anyio

Client = AsyncUDPNetworkClient[str, str]
Datagrams = DatagramProtocol[str, str]


class Broken(DatagramProtocol[str, str]):
    """Raises what no protocol should."""

    def build_packet_from_datagram(self, datagram: bytes) -> str:
        raise LookupError(datagram)


@pytest.fixture
def ours(udp_sockets: tuple[socket.socket, socket.socket]) -> socket.socket:
    return udp_sockets[0]


@pytest.fixture
def peer(udp_sockets: tuple[socket.socket, socket.socket]) -> socket.socket:
    return udp_sockets[1]


@pytest.fixture
async def client(ours: socket.socket, datagrams: Datagrams) -> AsyncIterator[Client]:
    async with AsyncUDPNetworkClient(ours, datagrams) as client:
        yield client


async def let_others_run() -> None:
    """Until they wait for something that needs another event of the loop."""
    for _ in range(10):
        await checkpoint()


async def error_of(operation: Callable[[], Any], errors: list[BaseException]) -> None:
    try:
        await operation()
    except Exception as exc:
        errors.append(exc)


# construction


@pytest.mark.parametrize("given", [None, "localhost", ("localhost",), ("localhost", True)])
async def test_anything_but_an_address_or_a_socket_is_refused(given: Any, datagrams: Datagrams) -> None:
    with pytest.raises(TypeError, match="address_or_socket"):
        AsyncUDPNetworkClient(given, datagrams)


@pytest.mark.parametrize("options", [{"backend": "nonsense"}, {"family": 12345}, {"protocol": None}])
async def test_a_given_socket_is_closed_if_an_option_is_refused(
    options: dict[str, Any], ours: socket.socket, datagrams: Datagrams
) -> None:
    arguments: dict[str, Any] = {"protocol": datagrams, **options}
    with pytest.raises(Exception, match=next(iter(options))):
        AsyncUDPNetworkClient(ours, **arguments)

    assert ours.fileno() == -1


def test_a_backend_must_be_named_where_no_event_loop_runs(datagrams: Datagrams) -> None:
    with pytest.raises(RuntimeError):
        AsyncUDPNetworkClient(("localhost", 80), datagrams)

    assert isinstance(AsyncUDPNetworkClient(("localhost", 80), datagrams, "asyncio").backend(), AsyncIOBackend)


# connecting


async def test_an_address_is_connected_to_on_demand(datagrams: Datagrams) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        client = AsyncUDPNetworkClient(server.getsockname(), datagrams, local_address=("127.0.0.2", 0))
        assert not client.is_connected()
        with pytest.raises(AttributeError):
            _ = client.socket
        for get_address in (client.get_local_address, client.get_remote_address):
            with pytest.raises(OSError, match="not connected") as caught:
                get_address()
            assert caught.value.errno == errno.ENOTCONN

        await client.send_packet("ping")

        data, address = server.recvfrom(100)
        server.sendto(b"pong", address)
        assert data == b"ping"
        assert await client.recv_packet() == "pong"
        assert client.is_connected()
        assert client.get_remote_address() == IPv4SocketAddress(*server.getsockname())
        assert client.get_local_address() == IPv4SocketAddress(*address)
        assert address[0] == "127.0.0.2"
        await client.aclose()
        assert not client.is_connected()


async def test_an_unknown_host_is_an_error_and_may_be_tried_again(datagrams: Datagrams) -> None:
    client = AsyncUDPNetworkClient(("127.0.0.1", 9), datagrams, family=socket.AF_INET6)

    for _ in range(2):
        with pytest.raises(OSError, match=r".+"):
            await client.wait_connected()
    await client.aclose()


async def test_an_unconnected_client_can_be_closed(ours: socket.socket, datagrams: Datagrams) -> None:
    client = AsyncUDPNetworkClient(ours, datagrams)
    await client.aclose()
    await client.aclose()

    assert ours.fileno() == -1
    assert client.is_closing()
    with pytest.raises(ClientClosedError):
        await client.wait_connected()


# packets


async def test_one_packet_is_one_datagram(client: Client, peer: socket.socket) -> None:
    await client.send_packet("spam")
    await client.send_packet("")
    peer.send(b"ham")
    peer.send(b"")
    peer.send(b"eggs")

    assert [peer.recv(100), peer.recv(100)] == [b"spam", b""]
    assert [await client.recv_packet() for _ in range(3)] == ["ham", "", "eggs"]


async def test_a_bad_datagram_is_an_error_and_reading_goes_on(client: Client, peer: socket.socket) -> None:
    peer.send(b"\xff")
    peer.send(b"good")

    with pytest.raises(DatagramProtocolParseError):
        await client.recv_packet()
    assert await client.recv_packet() == "good"


async def test_a_packet_that_cannot_be_serialized_sends_nothing(client: Client, peer: socket.socket) -> None:
    with pytest.raises(RuntimeError, match=r"protocol\.make_datagram\(\) crashed") as caught:
        await client.send_packet("é")
    assert isinstance(caught.value.__cause__, UnicodeError)

    await client.send_packet("good")
    assert peer.recv(100) == b"good"


async def test_a_protocol_that_crashes_is_told_from_bad_data(ours: socket.socket, peer: socket.socket) -> None:
    async with AsyncUDPNetworkClient(ours, Broken(StringLineSerializer())) as client:
        peer.send(b"x")

        with pytest.raises(RuntimeError, match=r"protocol\.build_packet_from_datagram\(\) crashed") as caught:
            await client.recv_packet()
        assert isinstance(caught.value.__cause__, LookupError)


async def test_a_refusal_is_raised_by_the_next_operation_and_then_forgotten(
    client: Client, peer: socket.socket
) -> None:
    address = peer.getsockname()
    peer.close()
    await client.send_packet("to nobody")
    with pytest.raises(ConnectionRefusedError):
        await client.recv_packet()
    await client.send_packet("to nobody")
    with pytest.raises(ConnectionRefusedError):
        await client.send_packet("to nobody")

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reborn:
        reborn.bind(address)
        await client.send_packet("to somebody")
        data, sender = reborn.recvfrom(100)
        reborn.sendto(b"here", sender)

        assert data == b"to somebody"
        assert await client.recv_packet() == "here"


async def test_a_cancelled_reception_has_lost_nothing(client: Client, peer: socket.socket) -> None:
    with anyio.move_on_after(0.01) as scope:
        await client.recv_packet()
    peer.send(b"ham")

    assert scope.cancelled_caught
    assert await client.recv_packet() == "ham"


# iteration


async def test_an_iteration_yields_what_is_there(client: Client, peer: socket.socket) -> None:
    for data in (b"a", b"", b"b"):
        peer.send(data)

    assert [packet async for packet in client.iter_received_packets()] == ["a", "", "b"]
    assert [packet async for packet in client.iter_received_packets(timeout=0.01)] == []


@pytest.mark.parametrize(("timeout", "error"), [(-1, ValueError), (math.nan, ValueError), ("1", TypeError)])
async def test_what_is_no_time_limit_is_refused(client: Client, timeout: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="timeout"):
        await anext(client.iter_received_packets(timeout=timeout))


async def test_the_wait_for_another_task_counts(client: Client, peer: socket.socket) -> None:
    packets: list[str] = []

    async def receive() -> None:
        packets.append(await client.recv_packet())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(receive)
        await let_others_run()
        assert [packet async for packet in client.iter_received_packets(timeout=0.01)] == []
        peer.send(b"a")

    assert packets == ["a"]


# closing


async def test_a_closed_client_refuses_everything(client: Client, peer: socket.socket) -> None:
    peer.send(b"unread")
    await client.aclose()
    await client.aclose()

    assert client.is_closing()
    assert client.socket.fileno() == -1
    for operation in (client.recv_packet, lambda: client.send_packet("x"), client.wait_connected):
        with pytest.raises(ClientClosedError):
            await operation()
    assert [packet async for packet in client.iter_received_packets(timeout=None)] == []
    with pytest.raises(OSError, match=r".+"):
        client.get_local_address()


async def test_tasks_that_receive_are_woken_by_closing(client: Client) -> None:
    errors: list[BaseException] = []
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(error_of, client.recv_packet, errors)
        await let_others_run()
        await client.aclose()

    assert [type(error) for error in errors] == [ClientClosedError] * 2


async def test_a_collected_client_warns_and_closes_its_socket(ours: socket.socket, datagrams: Datagrams) -> None:
    async def forget() -> None:
        await AsyncUDPNetworkClient(ours, datagrams).wait_connected()
        gc.collect()

    with pytest.warns(ResourceWarning, match="unclosed client"):
        await forget()

    assert ours.fileno() == -1
