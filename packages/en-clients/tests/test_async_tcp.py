# SPDX-License-Identifier: Apache-2.0
"""The asynchronous client: connecting, packets, time limits, ends."""

from __future__ import annotations

import asyncio
import errno
import gc
import math
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import anyio.to_thread
import pytest
import trio
from anyio.lowlevel import checkpoint

from easynetwork.backends.asyncio import AsyncIOBackend
from easynetwork.clients import AsyncTCPNetworkClient
from easynetwork.exceptions import ClientClosedError, StreamProtocolParseError, TruncatedStreamError
from easynetwork.lowlevel.socket import IPv4SocketAddress, enable_socket_linger
from easynetwork.protocol import AnyStreamProtocolType, StreamProtocol
from easynetwork.serializers import JSONSerializer

pytestmark = pytest.mark.anyio

Client = AsyncTCPNetworkClient[str, str]


@pytest.fixture
async def client(ours: socket.socket, protocol: AnyStreamProtocolType[str, str]) -> AsyncIterator[Client]:
    async with AsyncTCPNetworkClient(ours, protocol) as client:
        yield client


def reset(sock: socket.socket) -> None:
    enable_socket_linger(sock, 0)
    sock.close()


async def let_others_run() -> None:
    """Until they wait for something that needs another event of the loop."""
    for _ in range(10):
        await checkpoint()


async def error_of(operation: Callable[[], Any], errors: list[BaseException]) -> None:
    try:
        await operation()
    except Exception as exc:
        errors.append(exc)


async def read_to_the_end(peer: socket.socket) -> int:
    """The number of bytes that come before the end."""
    received = 0
    while data := await anyio.to_thread.run_sync(peer.recv, 1 << 20):
        received += len(data)
    return received


async def is_watched(descriptor: int) -> bool:
    """Tells whether the event loop believes that somebody reads from a descriptor, which is
    closed.
    """
    if not trio.lowlevel.in_trio_run():
        return asyncio.get_running_loop().remove_reader(descriptor)
    try:
        await trio.lowlevel.wait_readable(descriptor)
    except OSError:
        return False
    except trio.BusyResourceError:
        return True
    raise AssertionError("the descriptor is open")


# construction


@pytest.mark.parametrize("given", [None, "localhost", ("localhost",), (80, "localhost"), ("localhost", True)])
async def test_anything_but_an_address_or_a_socket_is_refused(
    given: Any, protocol: AnyStreamProtocolType[str, str]
) -> None:
    with pytest.raises(TypeError, match="address_or_socket"):
        AsyncTCPNetworkClient(given, protocol)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_recv_size": 0}, ValueError),
        ({"backend": "nonsense"}, Exception),
        ({"happy_eyeballs_delay": math.nan}, ValueError),
        ({"server_hostname": "localhost"}, ValueError),
        ({"ssl_handshake_timeout": 1}, ValueError),
        ({"ssl": True}, ValueError),
    ],
)
async def test_a_given_socket_is_closed_if_an_option_is_refused(
    options: dict[str, Any], error: type[Exception], ours: socket.socket, protocol: AnyStreamProtocolType[str, str]
) -> None:
    with pytest.raises(error):
        AsyncTCPNetworkClient(ours, protocol, **options)

    assert ours.fileno() == -1


def test_a_backend_must_be_named_where_no_event_loop_runs(protocol: AnyStreamProtocolType[str, str]) -> None:
    with pytest.raises(RuntimeError):
        AsyncTCPNetworkClient(("localhost", 80), protocol)

    assert isinstance(AsyncTCPNetworkClient(("localhost", 80), protocol, "asyncio").backend(), AsyncIOBackend)


# connecting


async def test_an_address_is_connected_to_on_demand(
    listener: socket.socket, protocol: AnyStreamProtocolType[str, str]
) -> None:
    address = IPv4SocketAddress(*listener.getsockname())
    client = AsyncTCPNetworkClient((address.host, address.port), protocol)
    assert not client.is_connected()
    with pytest.raises(AttributeError):
        _ = client.socket
    for get_address in (client.get_local_address, client.get_remote_address):
        with pytest.raises(OSError, match="not connected") as caught:
            get_address()
        assert caught.value.errno == errno.ENOTCONN

    await client.send_packet("hello")

    peer, peername = listener.accept()
    with peer:
        assert client.is_connected()
        assert client.get_remote_address() == address
        assert client.get_local_address() == IPv4SocketAddress(*peername)
        assert client.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert peer.recv(100) == b"hello\n"
        await client.aclose()
    assert not client.is_connected()


async def test_several_tasks_wait_for_one_connection(
    listener: socket.socket, protocol: AnyStreamProtocolType[str, str]
) -> None:
    async with AsyncTCPNetworkClient(listener.getsockname(), protocol) as client, anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(client.wait_connected)

    listener.accept()[0].close()
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.accept()


async def test_when_the_connecting_task_is_cancelled_another_goes_on(
    listener: socket.socket, protocol: AnyStreamProtocolType[str, str]
) -> None:
    client = AsyncTCPNetworkClient(listener.getsockname(), protocol)
    scope = anyio.CancelScope()
    async with anyio.create_task_group() as tasks:
        with scope:
            tasks.start_soon(client.wait_connected)
            scope.cancel()
            await client.wait_connected()

    assert scope.cancelled_caught
    assert client.is_connected()
    await client.aclose()


async def test_a_refused_connection_may_be_tried_again(protocol: AnyStreamProtocolType[str, str]) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        client = AsyncTCPNetworkClient(sock.getsockname(), protocol)
        with pytest.raises(ConnectionRefusedError):
            await client.wait_connected()
        sock.listen()

        await client.wait_connected()
        assert client.is_connected()
        await client.aclose()


async def test_an_unconnected_client_can_be_closed(
    ours: socket.socket, protocol: AnyStreamProtocolType[str, str]
) -> None:
    client = AsyncTCPNetworkClient(ours, protocol)
    await client.aclose()
    await client.aclose()

    assert ours.fileno() == -1
    assert client.is_closing()
    with pytest.raises(ClientClosedError):
        await client.wait_connected()
    with pytest.raises(ClientClosedError):
        await client.recv_packet()


# packets


async def test_packets_go_both_ways(client: Client, peer: socket.socket) -> None:
    await client.send_packet("spam")
    peer.sendall(b"ham\neggs\n")

    assert peer.recv(100) == b"spam\n"
    assert [await client.recv_packet(), await client.recv_packet()] == ["ham", "eggs"]


async def test_packets_leave_whole_and_in_call_order(client: Client, peer: socket.socket) -> None:
    packets = [str(number) * 2_000_000 for number in range(4)]
    received = bytearray()
    async with anyio.create_task_group() as tasks:
        for packet in packets:
            tasks.start_soon(client.send_packet, packet)
            await checkpoint()  # trio starts tasks in an order of its own
        while len(received) < 4 * 2_000_001:
            received += await anyio.to_thread.run_sync(peer.recv, 1 << 20)

    assert received == b"".join(packet.encode() + b"\n" for packet in packets)


async def test_a_bad_frame_is_an_error_and_reading_goes_on(client: Client, peer: socket.socket) -> None:
    peer.sendall(b"\xff\ngood\n")

    with pytest.raises(StreamProtocolParseError):
        await client.recv_packet()
    assert await client.recv_packet() == "good"


async def test_nothing_is_read_after_the_frame_boundary_is_lost(ours: socket.socket, peer: socket.socket) -> None:
    peer.sendall(b"[" * 100)
    protocol: StreamProtocol[Any, Any] = StreamProtocol(JSONSerializer(use_lines=False, limit=50))

    async with AsyncTCPNetworkClient(ours, protocol) as client:
        with pytest.raises(StreamProtocolParseError):
            await client.recv_packet()
        with pytest.raises(ConnectionAbortedError):
            await client.recv_packet()


async def test_a_packet_that_cannot_be_serialized_sends_nothing(client: Client, peer: socket.socket) -> None:
    with pytest.raises(RuntimeError, match="crashed") as caught:
        await client.send_packet("é")
    assert isinstance(caught.value.__cause__, UnicodeError)

    await client.send_packet("good")
    assert peer.recv(100) == b"good\n"


async def test_a_cancelled_reception_has_lost_nothing(client: Client, peer: socket.socket) -> None:
    peer.sendall(b"ha")
    with anyio.move_on_after(0.01) as scope:
        await client.recv_packet()
    peer.sendall(b"m\n")

    assert scope.cancelled_caught
    assert await client.recv_packet() == "ham"


async def test_a_packet_that_was_cut_breaks_the_connection(client: Client, peer: socket.socket) -> None:
    with anyio.move_on_after(0.01) as scope:
        await client.send_packet("x" * 50_000_000)

    assert scope.cancelled_caught
    with pytest.raises(ConnectionAbortedError):
        await client.send_packet("y")
    with pytest.raises(ConnectionResetError):
        await read_to_the_end(peer)


# iteration


async def test_an_iteration_yields_what_is_there(client: Client, peer: socket.socket) -> None:
    peer.sendall(b"a\nb\nc")

    assert [packet async for packet in client.iter_received_packets()] == ["a", "b"]
    assert [packet async for packet in client.iter_received_packets(timeout=0.01)] == []


@pytest.mark.parametrize("timeout", [None, math.inf, 1e12])
async def test_an_iteration_without_limit_goes_on_to_the_end(
    client: Client, peer: socket.socket, timeout: float | None
) -> None:
    peer.sendall(b"a\nb\n")
    peer.close()

    assert [packet async for packet in client.iter_received_packets(timeout=timeout)] == ["a", "b"]


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
        peer.sendall(b"a\n")

    assert packets == ["a"]


async def test_the_time_to_connect_counts(
    ours: socket.socket, client_context: Any, protocol: AnyStreamProtocolType[str, str]
) -> None:
    """The peer answers the TLS handshake with silence."""
    client = AsyncTCPNetworkClient(ours, protocol, ssl=client_context, server_hostname="localhost")

    assert [packet async for packet in client.iter_received_packets(timeout=0.01)] == []
    await client.aclose()


# the end


async def test_an_orderly_end_is_told_from_a_truncated_packet(client: Client, peer: socket.socket) -> None:
    peer.sendall(b"whole\n")
    peer.close()

    assert await client.recv_packet() == "whole"
    for _ in range(2):
        with pytest.raises(ConnectionAbortedError) as caught:
            await client.recv_packet()
        assert not isinstance(caught.value, TruncatedStreamError)


@pytest.mark.parametrize("end", [socket.socket.close, reset])
async def test_an_end_in_a_packet_is_a_truncation(
    client: Client, peer: socket.socket, end: Callable[[socket.socket], None]
) -> None:
    peer.sendall(b"hal")
    assert [packet async for packet in client.iter_received_packets()] == []
    end(peer)

    with pytest.raises(TruncatedStreamError):
        await client.recv_packet()


async def test_a_reset_is_a_lost_connection(client: Client, peer: socket.socket) -> None:
    reset(peer)

    with pytest.raises(ConnectionAbortedError, match="lost"):
        await client.recv_packet()
    with pytest.raises(ConnectionError):
        await client.send_packet("x")


async def test_the_sending_side_can_end_alone(client: Client, peer: socket.socket) -> None:
    await client.send_packet("last")
    await client.send_eof()
    await client.send_eof()

    with pytest.raises(RuntimeError, match="send_eof"):
        await client.send_packet("too late")
    assert peer.recv(100) + peer.recv(100) == b"last\n"
    peer.sendall(b"answer\n")
    assert await client.recv_packet() == "answer"


# closing


async def test_a_closed_client_refuses_everything(client: Client, peer: socket.socket) -> None:
    peer.sendall(b"unread\n")
    await client.aclose()
    await client.aclose()

    assert client.is_closing()
    assert client.socket.fileno() == -1
    for operation in (client.recv_packet, client.send_eof, lambda: client.send_packet("x"), client.wait_connected):
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


async def test_closing_lets_the_packet_that_is_being_sent_out_first(client: Client, peer: socket.socket) -> None:
    errors: list[BaseException] = []
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(error_of, lambda: client.send_packet("x" * 20_000_000), errors)
        await let_others_run()
        tasks.start_soon(client.aclose)
        await let_others_run()

        assert client.is_closing()
        assert await read_to_the_end(peer) == 20_000_001

    assert [type(error) for error in errors] == [ClientClosedError]


async def test_an_end_that_waits_for_its_turn_is_told_of_the_close(client: Client, peer: socket.socket) -> None:
    errors: list[BaseException] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.send_packet, "x" * 20_000_000)
        await let_others_run()
        tasks.start_soon(error_of, client.send_eof, errors)
        await let_others_run()
        tasks.start_soon(client.aclose)
        await let_others_run()

        assert await read_to_the_end(peer) == 20_000_001

    assert [type(error) for error in errors] == [ClientClosedError]


async def test_a_cancelled_close_resets_the_connection(client: Client, peer: socket.socket) -> None:
    errors: list[BaseException] = []
    scope = anyio.CancelScope()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(error_of, lambda: client.send_packet("x" * 50_000_000), errors)
        await let_others_run()
        with scope:
            scope.cancel()
            await client.aclose()

    assert scope.cancelled_caught
    assert [type(error) for error in errors] == [ClientClosedError]
    with pytest.raises(ConnectionResetError):
        await read_to_the_end(peer)


async def test_closing_does_not_wait_for_a_peer_that_is_gone(client: Client, peer: socket.socket) -> None:
    peer.close()
    await client.send_packet("to nobody")
    with anyio.fail_after(5):
        await client.aclose()


async def test_closing_ends_an_attempt_to_connect(
    ours: socket.socket, peer: socket.socket, client_context: Any, protocol: AnyStreamProtocolType[str, str]
) -> None:
    """Also that with a given socket, which must not be closed while the event loop watches it."""
    client = AsyncTCPNetworkClient(ours, protocol, ssl=client_context, server_hostname="localhost")
    descriptor = ours.fileno()
    errors: list[BaseException] = []
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(error_of, client.wait_connected, errors)
        await let_others_run()
        await client.aclose()

        assert ours.fileno() == -1
        assert not await is_watched(descriptor)

    assert [type(error) for error in errors] == [ClientClosedError] * 2


async def test_a_block_that_fails_to_connect_leaves_nothing_open(
    ours: socket.socket, client_context: Any, protocol: AnyStreamProtocolType[str, str]
) -> None:
    client = AsyncTCPNetworkClient(ours, protocol, ssl=client_context, server_hostname="localhost")

    with anyio.move_on_after(0.01):
        async with client:
            raise AssertionError("the peer is silent")

    assert client.is_closing()
    assert ours.fileno() == -1


async def test_a_collected_client_warns_and_closes_its_socket(
    ours: socket.socket, protocol: AnyStreamProtocolType[str, str]
) -> None:
    async def forget() -> None:
        await AsyncTCPNetworkClient(ours, protocol).wait_connected()
        gc.collect()

    with pytest.warns(ResourceWarning, match="unclosed client"):
        await forget()

    assert ours.fileno() == -1
