# SPDX-License-Identifier: Apache-2.0
"""The asynchronous client with TLS.

Its peer is Python's own `ssl.SSLSocket` in a thread, after a handshake there.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import anyio
import pytest
from anyio.lowlevel import checkpoint

from easynetwork.clients import AsyncTCPNetworkClient
from easynetwork.exceptions import ClientClosedError, TruncatedStreamError, UnsupportedOperation
from easynetwork.protocol import AnyStreamProtocolType, StreamProtocol
from easynetwork.serializers import StringLineSerializer

pytestmark = pytest.mark.anyio

Client = AsyncTCPNetworkClient[str, str]


@pytest.fixture
def shaking_hands(
    peer: socket.socket, server_context: ssl.SSLContext, threads: ThreadPoolExecutor
) -> Iterator[Future[ssl.SSLSocket]]:
    future = threads.submit(server_context.wrap_socket, peer, server_side=True, suppress_ragged_eofs=False)
    yield future
    if future.exception() is None:
        future.result().close()


@pytest.fixture
async def client(
    ours: socket.socket,
    protocol: AnyStreamProtocolType[str, str],
    client_context: ssl.SSLContext,
    shaking_hands: Future[ssl.SSLSocket],
) -> AsyncIterator[Client]:
    client = AsyncTCPNetworkClient(
        ours, protocol, ssl=client_context, server_hostname="localhost", ssl_shutdown_timeout=0.1
    )
    async with client:
        yield client


@pytest.fixture
def secure_peer(client: Client, shaking_hands: Future[ssl.SSLSocket]) -> ssl.SSLSocket:
    return shaking_hands.result()


async def test_packets_go_both_ways(client: Client, secure_peer: ssl.SSLSocket) -> None:
    await client.send_packet("spam")
    secure_peer.sendall(b"ham\neggs\n")

    assert secure_peer.recv(100) == b"spam\n"
    assert await client.recv_packet() == "ham"
    assert [packet async for packet in client.iter_received_packets()] == ["eggs"]


async def test_the_standard_end_is_told_from_a_truncation(client: Client, secure_peer: ssl.SSLSocket) -> None:
    secure_peer.sendall(b"whole\n")
    secure_peer.settimeout(0)
    with pytest.raises(ssl.SSLWantReadError):  # the closing alert has left, the client's is not there yet
        secure_peer.unwrap()

    assert await client.recv_packet() == "whole"
    with pytest.raises(ConnectionAbortedError) as caught:
        await client.recv_packet()
    assert not isinstance(caught.value, TruncatedStreamError)


async def test_an_end_without_the_closing_alert_is_a_truncation(client: Client, secure_peer: ssl.SSLSocket) -> None:
    secure_peer.sendall(b"whole\n")
    secure_peer.shutdown(socket.SHUT_WR)

    assert await client.recv_packet() == "whole"
    with pytest.raises(TruncatedStreamError):
        await client.recv_packet()


async def test_the_closing_alert_can_be_done_without(
    ours: socket.socket,
    protocol: AnyStreamProtocolType[str, str],
    client_context: ssl.SSLContext,
    shaking_hands: Future[ssl.SSLSocket],
) -> None:
    client = AsyncTCPNetworkClient(
        ours, protocol, ssl=client_context, server_hostname="localhost", ssl_standard_compatible=False
    )
    async with client:
        shaking_hands.result().shutdown(socket.SHUT_WR)

        with pytest.raises(ConnectionAbortedError) as caught:
            await client.recv_packet()
    assert not isinstance(caught.value, TruncatedStreamError)


async def test_closing_sends_close_notify(client: Client, secure_peer: ssl.SSLSocket) -> None:
    await client.send_packet("last")
    await client.aclose()

    assert secure_peer.recv(100) == b"last\n"
    assert secure_peer.recv(100) == b""


async def test_closing_wakes_a_task_that_receives(client: Client) -> None:
    errors: list[BaseException] = []

    async def receive() -> None:
        with pytest.raises(ClientClosedError) as caught:
            await client.recv_packet()
        errors.append(caught.value)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(receive)
        await checkpoint()  # now it waits
        await client.aclose()

    assert len(errors) == 1


async def test_one_side_cannot_end_alone(client: Client, secure_peer: ssl.SSLSocket) -> None:
    with pytest.raises(UnsupportedOperation):
        await client.send_eof()

    await client.send_packet("still there")
    assert secure_peer.recv(100) == b"still there\n"


# the handshake


def secured(sock: socket.socket, context: ssl.SSLContext, name: str, timeout: float = 10) -> Client:
    protocol = StreamProtocol(StringLineSerializer())
    return AsyncTCPNetworkClient(sock, protocol, ssl=context, server_hostname=name, ssl_handshake_timeout=timeout)


async def test_a_certificate_of_another_name_is_refused(
    ours: socket.socket, shaking_hands: Future[ssl.SSLSocket], client_context: ssl.SSLContext
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await secured(ours, client_context, "example.com").wait_connected()

    assert ours.fileno() == -1
    assert isinstance(shaking_hands.exception(), OSError)


async def test_the_empty_name_switches_the_check_off(
    ours: socket.socket, shaking_hands: Future[ssl.SSLSocket], client_context: ssl.SSLContext
) -> None:
    client_context.check_hostname = False
    client = secured(ours, client_context, "")
    await client.send_packet("hello")

    assert shaking_hands.result().recv(100) == b"hello\n"
    with anyio.CancelScope() as scope:  # the peer will not answer
        scope.cancel()
        await client.aclose()


async def test_a_stalled_handshake_ends_in_time(ours: socket.socket, client_context: ssl.SSLContext) -> None:
    with pytest.raises(TimeoutError):
        await secured(ours, client_context, "localhost", timeout=0.05).wait_connected()

    assert ours.fileno() == -1


@pytest.mark.parametrize(
    ("answer", "error"),
    [(b"220 This is something else\r\n", ssl.SSLError), (b"", ConnectionAbortedError)],
)
async def test_a_peer_that_speaks_no_tls_is_an_error(
    ours: socket.socket, peer: socket.socket, client_context: ssl.SSLContext, answer: bytes, error: type[Exception]
) -> None:
    peer.sendall(answer)
    peer.shutdown(socket.SHUT_WR)

    with pytest.raises(error):
        await secured(ours, client_context, "localhost").wait_connected()
