# SPDX-License-Identifier: Apache-2.0
"""Both colours of UDP and Unix clients against the real servers, with descriptors both ways where
there are any.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread
from datagram_handlers import Request, Response, TextToRequest
from datagram_peers import Pipe, write_and_close
from running_server import running

from easynetwork.clients import AsyncUDPNetworkClient, UDPNetworkClient
from easynetwork.clients.async_unix_datagram import AsyncUnixDatagramClient
from easynetwork.clients.async_unix_stream import AsyncUnixStreamClient
from easynetwork.clients.unix_datagram import UnixDatagramClient
from easynetwork.clients.unix_stream import UnixStreamClient
from easynetwork.exceptions import ClientClosedError, DatagramProtocolParseError
from easynetwork.lowlevel.request_handler import RecvAncillaryDataParams, RecvParams
from easynetwork.lowlevel.socket import (
    IPv4SocketAddress,
    SocketAncillary,
    UnixCredentials,
    UnixSocketAddress,
)
from easynetwork.protocol import BufferedStreamProtocol, DatagramProtocol, StreamProtocol
from easynetwork.serializers import JSONSerializer
from easynetwork.servers.async_udp import AsyncUDPNetworkServer
from easynetwork.servers.async_unix_datagram import AsyncUnixDatagramServer
from easynetwork.servers.async_unix_stream import AsyncUnixStreamServer
from easynetwork.servers.handlers import (
    AsyncBaseClientInterface,
    AsyncDatagramRequestHandler,
    AsyncStreamRequestHandler,
)

pytestmark = pytest.mark.anyio

PACKETS = ["hello", {"a": [1, 2]}, "", "x" * 60_000]


class Echo(AsyncDatagramRequestHandler[Any, Any]):
    """Answers with what it got."""

    async def handle(self, client: AsyncBaseClientInterface[Any]) -> AsyncGenerator[None, Any]:
        request = yield
        await client.send_packet(request)


class EchoWithDescriptors(AsyncStreamRequestHandler[Any, Any], AsyncDatagramRequestHandler[Any, Any]):
    """Answers with what it got, descriptors as well."""

    async def handle(self, client: AsyncBaseClientInterface[Any]) -> AsyncGenerator[RecvParams, Any]:
        ancillary = SocketAncillary()
        request = yield RecvParams(recv_with_ancillary=RecvAncillaryDataParams(ancillary.update_from_raw))
        await client.send_packet_with_ancillary(request, ancillary)
        for fd in ancillary.iter_fds():
            os.close(fd)


def datagram_protocol() -> DatagramProtocol[Any, Any]:
    return DatagramProtocol(JSONSerializer())


def stream_protocol() -> StreamProtocol[Any, Any]:
    return StreamProtocol(JSONSerializer())


# UDP


@pytest.fixture
async def udp_address() -> AsyncIterator[tuple[str, int]]:
    server: AsyncUDPNetworkServer[Any, Any] = AsyncUDPNetworkServer(None, 0, datagram_protocol(), Echo())
    async with running(server):
        yield "127.0.0.9", server.get_addresses()[0].port


async def test_an_asynchronous_udp_client_is_answered(udp_address: tuple[str, int]) -> None:
    async with AsyncUDPNetworkClient(udp_address, datagram_protocol()) as client:
        assert client.get_remote_address() == IPv4SocketAddress(*udp_address)
        for packet in PACKETS:
            await client.send_packet(packet)
            assert await client.recv_packet() == packet
        for number in range(3):
            await client.send_packet(number)
        assert [await client.recv_packet() for _ in range(3)] == [0, 1, 2]
        assert [packet async for packet in client.iter_received_packets(timeout=0.05)] == []

    with pytest.raises(ClientClosedError):
        await client.recv_packet()


async def test_a_blocking_udp_client_is_answered(udp_address: tuple[str, int]) -> None:
    def exchange() -> None:
        with UDPNetworkClient(udp_address, datagram_protocol()) as client:
            assert client.get_remote_address() == IPv4SocketAddress(*udp_address)
            for packet in PACKETS:
                client.send_packet(packet, timeout=10)
                assert client.recv_packet(timeout=10) == packet
            for number in range(3):
                client.send_packet(number)
            assert [client.recv_packet(timeout=10) for _ in range(3)] == [0, 1, 2]
            assert list(client.iter_received_packets(timeout=0.05)) == []
            with pytest.raises(TimeoutError):
                client.recv_packet(timeout=0.01)
        with pytest.raises(ClientClosedError):
            client.recv_packet()

    await to_thread.run_sync(exchange)


async def test_a_udp_client_survives_an_answer_that_it_cannot_read(udp_address: tuple[str, int]) -> None:
    protocol: DatagramProtocol[Response, Request] = DatagramProtocol(JSONSerializer(), TextToRequest())
    async with AsyncUDPNetworkClient(udp_address, protocol) as client:
        await client.send_packet(Response("bad"))
        with pytest.raises(DatagramProtocolParseError):
            await client.recv_packet()
        await client.send_packet(Response("good"))
        assert await client.recv_packet() == Request("good")


# Unix datagrams


@pytest.fixture
async def datagram_path(tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / "datagram.sock"
    server: AsyncUnixDatagramServer[Any, Any] = AsyncUnixDatagramServer(
        path, datagram_protocol(), EchoWithDescriptors(), receive_ancillary_data=True
    )
    async with running(server):
        yield path


async def test_an_asynchronous_unix_datagram_client_is_answered(datagram_path: Path) -> None:
    async with AsyncUnixDatagramClient(datagram_path, datagram_protocol()) as client:
        assert client.get_peer_name() == UnixSocketAddress.from_pathname(datagram_path)
        for packet in PACKETS:
            await client.send_packet(packet)
            assert await client.recv_packet() == packet


async def test_an_asynchronous_unix_datagram_client_exchanges_descriptors(datagram_path: Path) -> None:
    with Pipe() as pipe:
        async with AsyncUnixDatagramClient(datagram_path, datagram_protocol()) as client:
            await client.send_packet("there", ancillary_data=rights(pipe))
            received = SocketAncillary()
            assert await client.recv_packet(ancillary_data=received) == "there"
            use(received)
        assert await pipe.read() == "and back"


async def test_a_blocking_unix_datagram_client_exchanges_packets_and_descriptors(
    datagram_path: Path, tmp_path: Path
) -> None:
    local_path = tmp_path / "client.sock"

    def exchange() -> None:
        with UnixDatagramClient(datagram_path, datagram_protocol(), local_path=local_path) as client:
            assert client.get_peer_name() == UnixSocketAddress.from_pathname(datagram_path)
            assert client.get_local_name() == UnixSocketAddress.from_pathname(local_path)
            for packet in PACKETS:
                client.send_packet(packet, timeout=10)
                assert client.recv_packet(timeout=10) == packet
            client.send_packet("there", ancillary_data=rights(pipe))
            received = SocketAncillary()
            assert client.recv_packet(ancillary_data=received, timeout=10) == "there"
            use(received)
        assert not local_path.exists()

    with Pipe() as pipe:
        await to_thread.run_sync(exchange)
        assert await pipe.read() == "and back"


# Unix streams


@pytest.fixture
async def stream_path(tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / "stream.sock"
    server: AsyncUnixStreamServer[Any, Any] = AsyncUnixStreamServer(path, stream_protocol(), EchoWithDescriptors())
    async with running(server):
        yield path


@pytest.fixture(params=[StreamProtocol, BufferedStreamProtocol])
def new_protocol(request: pytest.FixtureRequest) -> Callable[[], Any]:
    return lambda: request.param(JSONSerializer())


CREDENTIALS = UnixCredentials(os.getpid(), os.getuid(), os.getgid())


async def test_an_asynchronous_unix_stream_client_exchanges_packets_and_descriptors(
    stream_path: Path, new_protocol: Callable[[], Any]
) -> None:
    with Pipe() as pipe:
        async with AsyncUnixStreamClient(stream_path, new_protocol()) as client:
            assert client.get_peer_name() == UnixSocketAddress.from_pathname(stream_path)
            assert client.get_peer_credentials() == CREDENTIALS
            for packet in PACKETS:
                await client.send_packet(packet)
                assert await client.recv_packet() == packet
            await client.send_packet("there", ancillary_data=rights(pipe))
            received = SocketAncillary()
            assert await client.recv_packet(ancillary_data=received) == "there"
            use(received)
            await client.send_eof()
            with pytest.raises(ConnectionAbortedError):
                await client.recv_packet()
        assert await pipe.read() == "and back"


async def test_a_blocking_unix_stream_client_exchanges_packets_and_descriptors(
    stream_path: Path, new_protocol: Callable[[], Any]
) -> None:
    def exchange() -> None:
        with UnixStreamClient(stream_path, new_protocol()) as client:
            assert client.get_peer_name() == UnixSocketAddress.from_pathname(stream_path)
            assert client.get_peer_credentials() == CREDENTIALS
            for packet in PACKETS:
                client.send_packet(packet, timeout=10)
                assert client.recv_packet(timeout=10) == packet
            client.send_packet("there", ancillary_data=rights(pipe))
            received = SocketAncillary()
            assert client.recv_packet(ancillary_data=received, timeout=10) == "there"
            use(received)
            client.send_eof()
            with pytest.raises(ConnectionAbortedError):
                client.recv_packet(timeout=10)

    with Pipe() as pipe:
        await to_thread.run_sync(exchange)
        assert await pipe.read() == "and back"


def rights(pipe: Pipe) -> SocketAncillary:
    """The control data that takes a pipe along."""
    ancillary = SocketAncillary()
    ancillary.add_fds([pipe.fd])
    return ancillary


def use(received: SocketAncillary) -> None:
    """Writes into the one descriptor that came back."""
    (fd,) = received.iter_fds()
    write_and_close(fd, "and back")
