# SPDX-License-Identifier: Apache-2.0
"""The blocking client with TLS. Its peer is Python's own `ssl.SSLSocket`."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from easynetwork.clients import TCPNetworkClient
from easynetwork.exceptions import ClientClosedError, TruncatedStreamError, UnsupportedOperation
from easynetwork.protocol import AnyStreamProtocolType, StreamProtocol
from easynetwork.serializers import StringLineSerializer

Client = TCPNetworkClient[str, str]


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def server_context(request: pytest.FixtureRequest, server_context: ssl.SSLContext) -> ssl.SSLContext:
    server_context.maximum_version = request.param
    return server_context


@pytest.fixture
def secure_peer(
    peer: socket.socket, server_context: ssl.SSLContext, threads: ThreadPoolExecutor
) -> Iterator[Future[ssl.SSLSocket]]:
    """The peer after the handshake, which goes on in another thread."""
    future = threads.submit(server_context.wrap_socket, peer, server_side=True, suppress_ragged_eofs=False)
    yield future
    future.result().close()


@pytest.fixture
def client(
    ours: socket.socket,
    protocol: AnyStreamProtocolType[str, str],
    client_context: ssl.SSLContext,
    secure_peer: Future[ssl.SSLSocket],
) -> Iterator[Client]:
    client = TCPNetworkClient(ours, protocol, ssl=client_context, server_hostname="localhost", ssl_shutdown_timeout=0.1)
    with client:
        yield client


def test_packets_go_both_ways(client: Client, secure_peer: Future[ssl.SSLSocket]) -> None:
    peer = secure_peer.result()
    client.send_packet("spam")
    peer.sendall(b"ham\neggs\n")

    assert peer.recv(100) == b"spam\n"
    assert [client.recv_packet(), client.recv_packet()] == ["ham", "eggs"]


def test_no_time_is_enough_for_what_is_there(client: Client, secure_peer: Future[ssl.SSLSocket]) -> None:
    peer = secure_peer.result()
    peer.sendall(b"ham\neggs\n")

    assert client.recv_packet() == "ham"
    assert list(client.iter_received_packets()) == ["eggs"]
    with pytest.raises(TimeoutError):
        client.recv_packet(timeout=0)


def test_a_thread_may_look_for_packets_while_another_sends_a_large_one(
    client: Client, secure_peer: Future[ssl.SSLSocket], threads: ThreadPoolExecutor
) -> None:
    """The records that wait to be sent are not those of the receiving thread, whose time is up at
    once.
    """
    peer = secure_peer.result()
    packet = "x" * 5_000_000
    sending = threads.submit(client.send_packet, packet)
    reading = threads.submit(lambda: peer.makefile("rb").readline())

    while not sending.done():
        assert list(client.iter_received_packets()) == []

    sending.result()
    assert reading.result() == packet.encode() + b"\n"


def test_the_standard_end_is_told_from_a_truncation(client: Client, secure_peer: Future[ssl.SSLSocket]) -> None:
    peer = secure_peer.result()
    peer.sendall(b"whole\n")
    peer.settimeout(0)
    with pytest.raises(ssl.SSLWantReadError):  # the closing alert has left, the client's is not there yet
        peer.unwrap()

    assert client.recv_packet() == "whole"
    with pytest.raises(ConnectionAbortedError) as caught:
        client.recv_packet()
    assert not isinstance(caught.value, TruncatedStreamError)


def test_an_end_without_the_closing_alert_is_a_truncation(client: Client, secure_peer: Future[ssl.SSLSocket]) -> None:
    peer = secure_peer.result()
    peer.sendall(b"whole\n")
    peer.shutdown(socket.SHUT_WR)

    assert client.recv_packet() == "whole"
    with pytest.raises(TruncatedStreamError):
        client.recv_packet()


def test_the_closing_alert_can_be_done_without(
    ours: socket.socket,
    protocol: AnyStreamProtocolType[str, str],
    client_context: ssl.SSLContext,
    secure_peer: Future[ssl.SSLSocket],
) -> None:
    client = TCPNetworkClient(
        ours, protocol, ssl=client_context, server_hostname="localhost", ssl_standard_compatible=False
    )
    with client:
        secure_peer.result().shutdown(socket.SHUT_WR)

        with pytest.raises(ConnectionAbortedError) as caught:
            client.recv_packet()
    assert not isinstance(caught.value, TruncatedStreamError)


def test_closing_sends_close_notify(client: Client, secure_peer: Future[ssl.SSLSocket]) -> None:
    peer = secure_peer.result()
    client.send_packet("last")
    client.close()

    assert peer.recv(100) == b"last\n"
    assert peer.recv(100) == b""  # and no SSLEOFError: that is suppressed for nobody here


def test_closing_wakes_a_thread_that_receives(
    client: Client, secure_peer: Future[ssl.SSLSocket], threads: ThreadPoolExecutor
) -> None:
    peer = secure_peer.result()
    receiving = threads.submit(client.recv_packet)
    client.close()

    assert isinstance(receiving.exception(), ClientClosedError)
    assert peer.recv(100) == b""


def test_closing_wakes_a_thread_that_sends(
    client: Client, secure_peer: Future[ssl.SSLSocket], threads: ThreadPoolExecutor
) -> None:
    sending = threads.submit(client.send_packet, "x" * 50_000_000)
    secure_peer.result().recv(1)
    client.close()

    assert isinstance(sending.exception(), ClientClosedError)


def test_one_side_cannot_end_alone(client: Client, secure_peer: Future[ssl.SSLSocket]) -> None:
    with pytest.raises(UnsupportedOperation):
        client.send_eof()

    client.send_packet("still there")
    assert secure_peer.result().recv(100) == b"still there\n"


def test_a_packet_that_was_cut_by_its_time_limit_breaks_the_connection(
    client: Client, secure_peer: Future[ssl.SSLSocket]
) -> None:
    peer = secure_peer.result()
    with pytest.raises(TimeoutError):
        client.send_packet("x" * 50_000_000, timeout=0.01)

    with pytest.raises(ConnectionAbortedError):
        client.send_packet("y")
    client.close()
    with pytest.raises((ConnectionResetError, ssl.SSLEOFError)):  # how OpenSSL reports a reset depends on where it was
        while peer.recv(1 << 20):
            pass


# the handshake


def refused(sock: socket.socket, **options: object) -> None:
    TCPNetworkClient(sock, StreamProtocol(StringLineSerializer()), **options)  # type: ignore[arg-type]  # as many as there are


@pytest.fixture
def failing_peer(
    peer: socket.socket, server_context: ssl.SSLContext, threads: ThreadPoolExecutor
) -> Iterator[Future[ssl.SSLSocket]]:
    future = threads.submit(server_context.wrap_socket, peer, server_side=True)
    yield future
    assert isinstance(future.exception(), OSError)


def test_a_certificate_of_another_name_is_refused(
    ours: socket.socket, failing_peer: Future[ssl.SSLSocket], client_context: ssl.SSLContext
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        refused(ours, ssl=client_context, server_hostname="example.com")

    assert ours.fileno() == -1


def test_the_default_context_refuses_an_unknown_authority(
    ours: socket.socket, failing_peer: Future[ssl.SSLSocket]
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        refused(ours, ssl=True, server_hostname="localhost")


def test_the_name_comes_from_the_address(
    listener: socket.socket, server_context: ssl.SSLContext, client_context: ssl.SSLContext, threads: ThreadPoolExecutor
) -> None:
    def serve() -> bytes:
        with server_context.wrap_socket(listener.accept()[0], server_side=True) as peer:
            return peer.makefile("rb").read()

    received = threads.submit(serve)
    address = ("localhost", listener.getsockname()[1])
    with TCPNetworkClient(
        address, StreamProtocol(StringLineSerializer()), ssl=client_context, ssl_shutdown_timeout=0.1
    ) as client:
        client.send_packet("hello")

    assert received.result() == b"hello\n"


def test_the_empty_name_switches_the_check_off(
    ours: socket.socket, client_context: ssl.SSLContext, secure_peer: Future[ssl.SSLSocket]
) -> None:
    client_context.check_hostname = False
    protocol = StreamProtocol(StringLineSerializer())
    client = TCPNetworkClient(ours, protocol, ssl=client_context, server_hostname="", ssl_shutdown_timeout=0.1)
    with client:
        client.send_packet("hello")

        assert secure_peer.result().recv(100) == b"hello\n"


def test_the_empty_name_needs_a_context_that_does_not_check(
    ours: socket.socket, client_context: ssl.SSLContext
) -> None:
    with pytest.raises(ValueError, match="check_hostname"):
        refused(ours, ssl=client_context, server_hostname="")


def test_a_socket_that_speaks_tls_already_is_refused(
    sockets: tuple[socket.socket, socket.socket], client_context: ssl.SSLContext
) -> None:
    with (
        client_context.wrap_socket(sockets[0], server_hostname="localhost", do_handshake_on_connect=False) as secure,
        pytest.raises(TypeError, match="SSLSocket"),
    ):
        refused(secure)


def test_a_stalled_handshake_ends_in_time(ours: socket.socket, client_context: ssl.SSLContext) -> None:
    with pytest.raises(TimeoutError):
        refused(ours, ssl=client_context, server_hostname="localhost", ssl_handshake_timeout=0.05)

    assert ours.fileno() == -1


@pytest.mark.parametrize(
    ("answer", "error"),
    [(b"220 This is something else\r\n", ssl.SSLError), (b"", ConnectionAbortedError)],
)
def test_a_peer_that_speaks_no_tls_is_an_error(
    ours: socket.socket,
    peer: socket.socket,
    client_context: ssl.SSLContext,
    answer: bytes,
    error: type[Exception],
) -> None:
    peer.sendall(answer)
    peer.shutdown(socket.SHUT_WR)

    with pytest.raises(error):
        refused(ours, ssl=client_context, server_hostname="localhost")
