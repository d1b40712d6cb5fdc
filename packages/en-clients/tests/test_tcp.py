# SPDX-License-Identifier: Apache-2.0
"""The blocking client: packets, time limits, ends."""

from __future__ import annotations

import contextlib
import gc
import math
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from easynetwork.clients import TCPNetworkClient
from easynetwork.exceptions import ClientClosedError, StreamProtocolParseError, TruncatedStreamError
from easynetwork.lowlevel.socket import IPv4SocketAddress, enable_socket_linger
from easynetwork.protocol import AnyStreamProtocolType, StreamProtocol
from easynetwork.serializers import JSONSerializer, StringLineSerializer

NO_TIME_LIMITS = [
    (-1, ValueError),
    (-math.inf, ValueError),
    (math.nan, ValueError),
    ("1", TypeError),
    (True, TypeError),
]

Client = TCPNetworkClient[str, str]


class HalfSeen(StringLineSerializer):
    """Tells when the first half of a line has been read, so that a test knows what the client is
    waiting for.
    """

    def __init__(self, seen: Callable[[], object]) -> None:
        super().__init__()
        self._seen = seen

    def incremental_deserialize(self) -> Generator[None, bytes, tuple[str, bytes]]:
        data = yield
        self._seen()
        while b"\n" not in data:
            data += yield
        line, _, remaining = data.partition(b"\n")
        return line.decode(), remaining


@pytest.fixture
def client(ours: socket.socket, protocol: AnyStreamProtocolType[str, str]) -> Iterator[Client]:
    with TCPNetworkClient(ours, protocol) as client:
        yield client


def reset(sock: socket.socket) -> None:
    enable_socket_linger(sock, 0)
    sock.close()


# construction


def test_an_address_is_connected_to(listener: socket.socket, protocol: AnyStreamProtocolType[str, str]) -> None:
    address = IPv4SocketAddress(*listener.getsockname())

    with TCPNetworkClient((address.host, address.port), protocol) as client:
        peer, peername = listener.accept()
        with peer:
            assert client.get_remote_address() == address
            assert client.get_local_address() == IPv4SocketAddress(*peername)
            assert client.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
            assert client.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            client.send_packet("hello")
            assert peer.recv(100) == b"hello\n"


def test_the_connection_may_start_at_a_chosen_address(
    listener: socket.socket, protocol: AnyStreamProtocolType[str, str]
) -> None:
    with TCPNetworkClient(listener.getsockname(), protocol, local_address=("127.0.0.2", 0)) as client:
        assert client.get_local_address().host == "127.0.0.2"


@pytest.mark.parametrize("given", [None, "localhost", ("localhost",), (80, "localhost"), ("localhost", True)])
def test_anything_but_an_address_or_a_socket_is_refused(given: Any, protocol: AnyStreamProtocolType[str, str]) -> None:
    with pytest.raises(TypeError, match="address_or_socket"):
        TCPNetworkClient(given, protocol)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_out_of_range_is_refused(port: int, protocol: AnyStreamProtocolType[str, str]) -> None:
    with pytest.raises(ValueError, match="port"):
        TCPNetworkClient(("localhost", port), protocol)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_recv_size": 0}, ValueError),
        ({"max_recv_size": 1.5}, TypeError),
        ({"retry_interval": 0}, ValueError),
        ({"retry_interval": None}, TypeError),
        ({"connect_timeout": -1}, ValueError),
        ({"happy_eyeballs_delay": math.nan}, ValueError),
        ({"server_hostname": "localhost"}, ValueError),
        ({"ssl_handshake_timeout": 1}, ValueError),
        ({"ssl": False, "ssl_shutdown_timeout": 1}, ValueError),
        ({"ssl_standard_compatible": False}, ValueError),
        ({"server_hostname": "localhost", "ssl": "yes"}, TypeError),
        ({"ssl": True}, ValueError),
        ({"ssl": True, "server_hostname": b"localhost"}, TypeError),
        ({"ssl": True, "server_hostname": "localhost", "ssl_handshake_timeout": math.inf}, ValueError),
    ],
)
def test_a_given_socket_is_closed_if_an_option_is_refused(
    options: dict[str, Any], error: type[Exception], ours: socket.socket, protocol: AnyStreamProtocolType[str, str]
) -> None:
    with pytest.raises(error, match=list(options)[-1]):
        TCPNetworkClient(ours, protocol, **options)

    assert ours.fileno() == -1


def test_a_given_socket_is_closed_if_the_protocol_is_refused(ours: socket.socket) -> None:
    with pytest.raises(TypeError, match="protocol"):
        TCPNetworkClient(ours, StringLineSerializer())  # type: ignore[arg-type]  # what is tested

    assert ours.fileno() == -1


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_socket_without_connection_is_refused_and_closed(
    kind: int, protocol: AnyStreamProtocolType[str, str]
) -> None:
    sock = socket.socket(socket.AF_INET, kind)

    with pytest.raises((OSError, ValueError)):
        TCPNetworkClient(sock, protocol)

    assert sock.fileno() == -1


def test_a_connection_is_closed_if_the_construction_fails_after_it(listener: socket.socket) -> None:
    class Broken(StreamProtocol[str, str]):
        @property
        def serializer(self) -> Any:
            raise LookupError("no serializer")

    with pytest.raises(LookupError) as caught:
        TCPNetworkClient(listener.getsockname(), Broken(StringLineSerializer()))

    assert caught.tb is not None  # which keeps every local variable alive
    peer, _ = listener.accept()
    with peer:
        peer.settimeout(10)
        assert peer.recv(1) == b""


# packets


def test_packets_go_both_ways(client: Client, peer: socket.socket) -> None:
    client.send_packet("spam")
    peer.sendall(b"ham\neggs\n")

    assert peer.recv(100) == b"spam\n"
    assert [client.recv_packet(), client.recv_packet()] == ["ham", "eggs"]


def test_a_packet_larger_than_all_buffers_arrives(
    client: Client, peer: socket.socket, threads: ThreadPoolExecutor
) -> None:
    packet = "x" * 5_000_000
    sent = threads.submit(client.send_packet, packet)

    with peer.makefile("rb") as lines:
        assert lines.readline() == packet.encode() + b"\n"
    sent.result()


def test_a_bad_frame_is_an_error_and_reading_goes_on(client: Client, peer: socket.socket) -> None:
    peer.sendall(b"\xff\ngood\n")

    with pytest.raises(StreamProtocolParseError):
        client.recv_packet()
    assert client.recv_packet() == "good"


def test_nothing_is_read_after_the_frame_boundary_is_lost(ours: socket.socket, peer: socket.socket) -> None:
    peer.sendall(b"[" * 100)

    with TCPNetworkClient(ours, StreamProtocol[Any, Any](JSONSerializer(use_lines=False, limit=50))) as client:
        with pytest.raises(StreamProtocolParseError):
            client.recv_packet()
        for _ in range(2):
            with pytest.raises(ConnectionAbortedError):
                client.recv_packet()


def test_a_packet_that_cannot_be_serialized_sends_nothing(client: Client, peer: socket.socket) -> None:
    with pytest.raises(RuntimeError, match="crashed") as caught:
        client.send_packet("é")
    assert isinstance(caught.value.__cause__, UnicodeError)

    client.send_packet("good")
    assert peer.recv(100) == b"good\n"


# time limits


@pytest.mark.parametrize(("timeout", "error"), NO_TIME_LIMITS)
def test_what_is_no_time_limit_is_refused(client: Client, timeout: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="timeout"):
        client.recv_packet(timeout=timeout)
    with pytest.raises(error, match="timeout"):
        client.send_packet("", timeout=timeout)
    with pytest.raises(error, match="timeout"):
        next(client.iter_received_packets(timeout=timeout))


def test_no_time_is_enough_for_what_is_there(client: Client, peer: socket.socket) -> None:
    client.send_packet("spam", timeout=0)
    peer.sendall(b"ham\n")

    assert client.recv_packet(timeout=0) == "ham"
    with pytest.raises(TimeoutError):
        client.recv_packet(timeout=0)


@pytest.mark.parametrize("timeout", [1e300, pytest.param(10**400, id="10**400"), math.inf])
def test_there_is_no_longest_time_limit(
    ours: socket.socket, peer: socket.socket, threads: ThreadPoolExecutor, timeout: float
) -> None:
    with TCPNetworkClient(ours, StreamProtocol(HalfSeen(lambda: peer.sendall(b"m\n"))), retry_interval=1e300) as client:
        peer.sendall(b"ha")

        assert client.recv_packet(timeout=timeout) == "ham"
        client.send_packet("spam", timeout=timeout)


def test_a_reception_that_timed_out_has_lost_nothing(client: Client, peer: socket.socket) -> None:
    peer.sendall(b"ha")
    with pytest.raises(TimeoutError):
        client.recv_packet(timeout=0.01)
    peer.sendall(b"m\n")

    assert client.recv_packet() == "ham"


def test_the_wait_for_another_thread_counts(
    ours: socket.socket, peer: socket.socket, threads: ThreadPoolExecutor
) -> None:
    half_seen = threading.Event()
    with TCPNetworkClient(ours, StreamProtocol(HalfSeen(half_seen.set))) as client:
        receiving = threads.submit(client.recv_packet)
        peer.sendall(b"ha")
        half_seen.wait()
        with pytest.raises(TimeoutError):
            client.recv_packet(timeout=0)
        peer.sendall(b"m\n")

        assert receiving.result() == "ham"


def test_a_packet_that_was_cut_by_its_time_limit_breaks_the_connection(client: Client, peer: socket.socket) -> None:
    with pytest.raises(TimeoutError):
        client.send_packet("x" * 50_000_000, timeout=0.01)

    with pytest.raises(ConnectionAbortedError):
        client.send_packet("y")
    with pytest.raises(ConnectionAbortedError):
        client.recv_packet()
    client.close()
    with pytest.raises(ConnectionResetError):  # and no orderly end, after which the fragment would look like the whole
        while peer.recv(1 << 20):
            pass


def test_no_orderly_end_follows_a_packet_that_was_cut(client: Client, peer: socket.socket) -> None:
    with pytest.raises(TimeoutError):
        client.send_packet("x" * 50_000_000, timeout=0)

    with pytest.raises(ConnectionAbortedError):
        client.send_eof()
    client.close()
    with pytest.raises(ConnectionResetError):
        while peer.recv(1 << 20):
            pass


# iteration


def test_an_iteration_yields_what_is_there(client: Client, peer: socket.socket) -> None:
    peer.sendall(b"a\nb\nc")

    assert list(client.iter_received_packets()) == ["a", "b"]
    assert list(client.iter_received_packets(timeout=0.01)) == []


def test_an_iteration_without_limit_goes_on_to_the_end(client: Client, peer: socket.socket) -> None:
    peer.sendall(b"a\nb\n")
    peer.close()

    assert list(client.iter_received_packets(timeout=None)) == ["a", "b"]


def test_an_iteration_stops_at_bad_data_and_a_new_one_goes_on(client: Client, peer: socket.socket) -> None:
    peer.sendall(b"a\n\xff\nb\n")
    packets = client.iter_received_packets()

    assert next(packets) == "a"
    with pytest.raises(StreamProtocolParseError):
        next(packets)
    assert list(client.iter_received_packets()) == ["b"]


def test_an_iteration_of_a_closed_client_is_empty(client: Client) -> None:
    client.close()

    assert list(client.iter_received_packets(timeout=None)) == []


# the end


def test_an_orderly_end_is_told_from_a_truncated_packet(client: Client, peer: socket.socket) -> None:
    peer.sendall(b"whole\n")
    peer.close()

    assert client.recv_packet() == "whole"
    for _ in range(2):
        with pytest.raises(ConnectionAbortedError) as caught:
            client.recv_packet()
        assert not isinstance(caught.value, TruncatedStreamError)


@pytest.mark.parametrize("end", [socket.socket.close, reset])
def test_an_end_in_a_packet_is_a_truncation(
    client: Client, peer: socket.socket, end: Callable[[socket.socket], None]
) -> None:
    peer.sendall(b"hal")
    with pytest.raises(TimeoutError):
        client.recv_packet(timeout=0)
    end(peer)

    with pytest.raises(TruncatedStreamError):
        client.recv_packet()


def test_a_reset_is_a_lost_connection(client: Client, peer: socket.socket) -> None:
    reset(peer)

    with pytest.raises(ConnectionAbortedError, match="lost"):
        client.recv_packet()
    with pytest.raises(ConnectionError):
        client.send_packet("x")


def test_the_sending_side_can_end_alone(client: Client, peer: socket.socket) -> None:
    client.send_packet("last")
    client.send_eof()
    client.send_eof()

    with pytest.raises(RuntimeError, match="send_eof"):
        client.send_packet("too late")
    assert peer.recv(100) + peer.recv(100) == b"last\n"
    peer.sendall(b"answer\n")
    assert client.recv_packet() == "answer"


# closing


def test_a_closed_client_refuses_everything(client: Client, peer: socket.socket) -> None:
    peer.sendall(b"unread\n")
    descriptor = client.fileno()
    assert not client.is_closed()
    assert client.socket.fileno() == descriptor >= 0

    client.close()
    client.close()

    assert client.is_closed()
    assert client.fileno() == client.socket.fileno() == -1
    with pytest.raises(ClientClosedError):
        client.recv_packet()
    with pytest.raises(ClientClosedError):
        client.send_packet("x")
    with pytest.raises(ClientClosedError):
        client.send_eof()


def test_threads_that_receive_are_woken_by_closing(
    ours: socket.socket, peer: socket.socket, threads: ThreadPoolExecutor
) -> None:
    half_seen = threading.Event()
    client = TCPNetworkClient(ours, StreamProtocol(HalfSeen(half_seen.set)), retry_interval=1e6)
    receivers = [threads.submit(client.recv_packet) for _ in range(2)]
    peer.sendall(b"half")
    half_seen.wait()
    client.close()

    assert {type(receiver.exception()) for receiver in receivers} == {ClientClosedError}
    assert client.fileno() == -1


def test_threads_that_send_are_woken_by_closing(
    client: Client, peer: socket.socket, threads: ThreadPoolExecutor
) -> None:
    senders = [threads.submit(client.send_packet, "x" * 50_000_000) for _ in range(2)]
    peer.recv(1)  # one has begun, and can never end

    client.close()

    assert {type(sender.exception()) for sender in senders} == {ClientClosedError}
    with pytest.raises(ConnectionResetError):  # the packet was cut
        while peer.recv(1 << 20):
            pass


def test_what_was_sent_arrives_although_the_peer_goes_on_sending(
    ours: socket.socket, peer: socket.socket, threads: ThreadPoolExecutor
) -> None:
    """Also while another thread receives: the input that it was waiting for must not reset the
    connection.
    """
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_000_000)
    half_seen = threading.Event()
    client = TCPNetworkClient(ours, StreamProtocol(HalfSeen(half_seen.set)))
    client.send_packet("x" * 2_000_000)
    receiving = threads.submit(client.recv_packet)
    peer.sendall(b"half")
    half_seen.wait()
    closing = threads.submit(client.close)
    received = 0
    while data := peer.recv(10_000):
        received += len(data)
        if received < 1_000_000:
            peer.sendall(b"and more")

    assert received == 2_000_001
    assert isinstance(receiving.exception(), ClientClosedError)
    closing.result()


def test_a_peer_that_takes_nothing_while_the_client_closes_sees_a_reset(
    ours: socket.socket, peer: socket.socket, protocol: AnyStreamProtocolType[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            ours.send(bytes(1 << 20))
    client = TCPNetworkClient(ours, protocol)
    clock = [time.monotonic()]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    with monkeypatch.context() as virtual_time:
        virtual_time.setattr(time, "monotonic", lambda: clock[0])
        virtual_time.setattr(time, "sleep", sleep)
        client.close()

    with pytest.raises(ConnectionResetError):
        while peer.recv(1 << 20):
            pass


def test_closing_does_not_wait_for_a_peer_that_is_gone(client: Client, peer: socket.socket) -> None:
    peer.close()
    client.send_packet("to nobody")
    started = time.monotonic()
    client.close()

    assert time.monotonic() - started < 5


def test_a_collected_client_warns_and_closes_its_socket(
    ours: socket.socket, peer: socket.socket, protocol: AnyStreamProtocolType[str, str]
) -> None:
    def forget() -> None:
        TCPNetworkClient(ours, protocol)
        gc.collect()

    with pytest.warns(ResourceWarning, match="unclosed client"):
        forget()

    assert ours.fileno() == -1
