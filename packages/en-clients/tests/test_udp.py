# SPDX-License-Identifier: Apache-2.0
"""The blocking client of UDP, and what it shares with that of Unix datagrams."""

from __future__ import annotations

import gc
import math
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from easynetwork.clients import UDPNetworkClient
from easynetwork.exceptions import ClientClosedError, DatagramProtocolParseError
from easynetwork.lowlevel.socket import IPv4SocketAddress, IPv6SocketAddress
from easynetwork.protocol import DatagramProtocol, StreamProtocol
from easynetwork.serializers import StringLineSerializer

Client = UDPNetworkClient[str, str]
Datagrams = DatagramProtocol[str, str]
Wait = Callable[[Callable[[], object]], None]


class Broken(DatagramProtocol[str, str]):
    """Raises what no protocol should."""

    def make_datagram(self, packet: str) -> bytes:
        raise LookupError(packet)

    def build_packet_from_datagram(self, datagram: bytes) -> str:
        raise LookupError(datagram)


@pytest.fixture
def ours(udp_sockets: tuple[socket.socket, socket.socket]) -> socket.socket:
    return udp_sockets[0]


@pytest.fixture
def peer(udp_sockets: tuple[socket.socket, socket.socket]) -> socket.socket:
    return udp_sockets[1]


@pytest.fixture
def client(ours: socket.socket, datagrams: Datagrams) -> Iterator[Client]:
    with UDPNetworkClient(ours, datagrams) as client:
        yield client


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """Bound to an address, and not connected."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.bind(("127.0.0.1", 0))
        yield sock


# construction


def test_an_address_is_sent_to(server: socket.socket, datagrams: Datagrams) -> None:
    with UDPNetworkClient(server.getsockname(), datagrams) as client:
        client.send_packet("ping")
        data, address = server.recvfrom(100)
        server.sendto(b"pong", address)

        assert data == b"ping"
        assert client.recv_packet() == "pong"
        assert client.get_remote_address() == IPv4SocketAddress(*server.getsockname())
        assert client.get_local_address() == IPv4SocketAddress(*address)


def test_datagrams_of_others_are_not_received(server: socket.socket, datagrams: Datagrams) -> None:
    with (
        UDPNetworkClient(server.getsockname(), datagrams) as client,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):
        stranger.sendto(b"hello", client.get_local_address())

        with pytest.raises(TimeoutError):
            client.recv_packet(timeout=0)


def test_the_local_address_can_be_chosen(server: socket.socket, datagrams: Datagrams) -> None:
    with UDPNetworkClient(server.getsockname(), datagrams, local_address=("127.0.0.2", 0)) as client:
        assert client.get_local_address().host == "127.0.0.2"


def test_the_family_leaves_out_other_addresses(datagrams: Datagrams) -> None:
    with UDPNetworkClient(("localhost", 9), datagrams, family=socket.AF_INET) as client:
        assert isinstance(client.get_remote_address(), IPv4SocketAddress)
    with pytest.raises(OSError, match=r".+"):
        UDPNetworkClient(("127.0.0.1", 9), datagrams, family=socket.AF_INET6)


@pytest.mark.skipif(not socket.has_ipv6, reason="there is no IPv6")
def test_an_address_may_be_of_ipv6(datagrams: Datagrams) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as server:
        try:
            server.bind(("::1", 0))
        except OSError:
            pytest.skip("IPv6 is switched off")
        with UDPNetworkClient(server.getsockname()[:2], datagrams) as client:
            assert client.get_remote_address() == IPv6SocketAddress(*server.getsockname())


def test_a_local_address_of_another_family_is_an_error(datagrams: Datagrams) -> None:
    with pytest.raises(OSError, match="no address"):
        UDPNetworkClient(("127.0.0.1", 9), datagrams, local_address=("::1", 0))


def test_a_local_address_that_is_not_ours_is_an_error(datagrams: Datagrams) -> None:
    with pytest.raises(OSError, match="could not connect"):
        UDPNetworkClient(("127.0.0.1", 9), datagrams, local_address=("192.0.2.1", 0))


@pytest.mark.parametrize("given", [None, "localhost", ("localhost",), (80, "localhost"), ("localhost", True)])
def test_anything_but_an_address_or_a_socket_is_refused(given: Any, datagrams: Datagrams) -> None:
    with pytest.raises(TypeError, match="address_or_socket"):
        UDPNetworkClient(given, datagrams)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_out_of_range_is_refused(port: int, datagrams: Datagrams) -> None:
    with pytest.raises(ValueError, match="port"):
        UDPNetworkClient(("localhost", port), datagrams)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"retry_interval": 0}, ValueError),
        ({"retry_interval": None}, TypeError),
        ({"family": socket.AF_UNIX}, ValueError),
        ({"family": None}, ValueError),
    ],
)
def test_a_given_socket_is_closed_if_an_option_is_refused(
    options: dict[str, Any], error: type[Exception], ours: socket.socket, datagrams: Datagrams
) -> None:
    with pytest.raises(error, match=list(options)[-1]):
        UDPNetworkClient(ours, datagrams, **options)

    assert ours.fileno() == -1


@pytest.mark.parametrize("protocol", [StringLineSerializer(), StreamProtocol(StringLineSerializer()), None])
def test_a_given_socket_is_closed_if_the_protocol_is_refused(ours: socket.socket, protocol: Any) -> None:
    with pytest.raises(TypeError, match="protocol"):
        UDPNetworkClient(ours, protocol)

    assert ours.fileno() == -1


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_socket_without_connection_is_refused_and_closed(kind: int, datagrams: Datagrams) -> None:
    sock = socket.socket(socket.AF_INET, kind)

    with pytest.raises((OSError, ValueError)):
        UDPNetworkClient(sock, datagrams)

    assert sock.fileno() == -1


# packets


def test_one_packet_is_one_datagram(client: Client, peer: socket.socket) -> None:
    client.send_packet("spam")
    client.send_packet("")
    peer.send(b"ham")
    peer.send(b"")
    peer.send(b"eggs")

    assert [peer.recv(100), peer.recv(100)] == [b"spam", b""]
    assert [client.recv_packet() for _ in range(3)] == ["ham", "", "eggs"]


def test_the_largest_datagram_goes_both_ways(client: Client, peer: socket.socket) -> None:
    largest = "x" * 65507
    client.send_packet(largest)
    peer.send(largest.encode())

    assert peer.recv(100_000) == largest.encode()
    assert client.recv_packet() == largest
    with pytest.raises(OSError, match="too long"):
        client.send_packet(largest + "x")


def test_a_bad_datagram_is_an_error_and_reading_goes_on(client: Client, peer: socket.socket) -> None:
    peer.send(b"\xff")
    peer.send(b"good")

    with pytest.raises(DatagramProtocolParseError):
        client.recv_packet()
    assert client.recv_packet() == "good"


def test_a_packet_that_cannot_be_serialized_sends_nothing(client: Client, peer: socket.socket) -> None:
    with pytest.raises(RuntimeError, match=r"protocol\.make_datagram\(\) crashed") as caught:
        client.send_packet("é")
    assert isinstance(caught.value.__cause__, UnicodeError)

    client.send_packet("good")
    assert peer.recv(100) == b"good"


def test_a_protocol_that_crashes_is_told_from_bad_data(ours: socket.socket, peer: socket.socket) -> None:
    with UDPNetworkClient(ours, Broken(StringLineSerializer())) as client:
        peer.send(b"x")

        with pytest.raises(RuntimeError, match=r"protocol\.build_packet_from_datagram\(\) crashed") as caught:
            client.recv_packet()
        assert isinstance(caught.value.__cause__, LookupError)


def test_a_refusal_is_raised_by_the_next_operation_and_then_forgotten(client: Client, peer: socket.socket) -> None:
    address = peer.getsockname()
    peer.close()
    client.send_packet("to nobody")
    with pytest.raises(ConnectionRefusedError):
        client.recv_packet()
    client.send_packet("to nobody")
    with pytest.raises(ConnectionRefusedError):
        client.send_packet("to nobody")

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reborn:
        reborn.bind(address)
        client.send_packet("to somebody")
        data, sender = reborn.recvfrom(100)
        reborn.sendto(b"here", sender)

        assert data == b"to somebody"
        assert client.recv_packet() == "here"


def test_a_refusal_wakes_a_thread_that_receives(
    client: Client, peer: socket.socket, threads: ThreadPoolExecutor, wait_until_busy: Wait
) -> None:
    receiving = threads.submit(client.recv_packet)
    wait_until_busy(lambda: client.recv_packet(timeout=0))
    peer.close()
    client.send_packet("to nobody")

    assert isinstance(receiving.exception(), ConnectionRefusedError)


# time limits


@pytest.mark.parametrize(("timeout", "error"), [(-1, ValueError), (math.nan, ValueError), ("1", TypeError)])
def test_what_is_no_time_limit_is_refused(client: Client, timeout: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="timeout"):
        client.recv_packet(timeout=timeout)
    with pytest.raises(error, match="timeout"):
        client.send_packet("", timeout=timeout)


def test_no_time_is_enough_for_what_is_there(client: Client, peer: socket.socket) -> None:
    client.send_packet("spam", timeout=0)
    peer.send(b"ham")

    assert client.recv_packet(timeout=0) == "ham"
    for timeout in (0, 0.01):
        with pytest.raises(TimeoutError):
            client.recv_packet(timeout=timeout)


def test_an_iteration_yields_what_is_there(client: Client, peer: socket.socket) -> None:
    for data in (b"a", b"", b"b"):
        peer.send(data)

    assert list(client.iter_received_packets()) == ["a", "", "b"]
    assert list(client.iter_received_packets(timeout=0.01)) == []


def test_an_iteration_stops_at_bad_data_and_a_new_one_goes_on(client: Client, peer: socket.socket) -> None:
    for data in (b"a", b"\xff", b"b"):
        peer.send(data)
    packets = client.iter_received_packets()

    assert next(packets) == "a"
    with pytest.raises(DatagramProtocolParseError):
        next(packets)
    assert list(client.iter_received_packets()) == ["b"]


# closing


def test_a_closed_client_refuses_everything(client: Client, peer: socket.socket) -> None:
    peer.send(b"unread")
    address = client.get_local_address()
    assert client.socket.fileno() == client.fileno() >= 0

    client.close()
    client.close()

    assert client.is_closed()
    assert client.fileno() == client.socket.fileno() == -1
    assert client.get_local_address() == address
    with pytest.raises(ClientClosedError):
        client.recv_packet()
    with pytest.raises(ClientClosedError):
        client.send_packet("x")
    assert list(client.iter_received_packets(timeout=None)) == []


def test_threads_that_receive_are_woken_by_closing(
    ours: socket.socket, datagrams: Datagrams, threads: ThreadPoolExecutor, wait_until_busy: Wait
) -> None:
    client = UDPNetworkClient(ours, datagrams, retry_interval=1e6)
    receivers = [threads.submit(client.recv_packet) for _ in range(2)]
    wait_until_busy(lambda: client.recv_packet(timeout=0))
    client.close()

    assert {type(receiver.exception()) for receiver in receivers} == {ClientClosedError}
    assert ours.fileno() == -1


def test_a_collected_client_warns_and_closes_its_socket(ours: socket.socket, datagrams: Datagrams) -> None:
    def forget() -> None:
        UDPNetworkClient(ours, datagrams)
        gc.collect()

    with pytest.warns(ResourceWarning, match="unclosed client"):
        forget()

    assert ours.fileno() == -1
