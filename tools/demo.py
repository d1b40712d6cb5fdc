# SPDX-License-Identifier: Apache-2.0
"""A server and two clients over each transport, on each event loop: run it with ``./tools/ws
demo``.

Everything happens on the loopback of this machine, on ports that the system picks, and in a
temporary folder.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypeAlias, TypeVar

import trustme
import uvloop

from easynetwork.clients import AsyncTCPNetworkClient, AsyncUDPNetworkClient, TCPNetworkClient, UDPNetworkClient
from easynetwork.clients.async_unix_datagram import AsyncUnixDatagramClient
from easynetwork.clients.async_unix_stream import AsyncUnixStreamClient
from easynetwork.clients.unix_datagram import UnixDatagramClient
from easynetwork.clients.unix_stream import UnixStreamClient
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.api_async.backend.utils import new_builtin_backend
from easynetwork.lowlevel.request_handler import RecvAncillaryDataParams, RecvParams
from easynetwork.lowlevel.socket import SCMCredentials, SCMRights, SocketAncillary, SocketCredential
from easynetwork.protocol import DatagramProtocol, StreamProtocol
from easynetwork.serializers import JSONSerializer
from easynetwork.servers import AsyncTCPNetworkServer, AsyncUDPNetworkServer
from easynetwork.servers.async_unix_datagram import AsyncUnixDatagramServer
from easynetwork.servers.async_unix_stream import AsyncUnixStreamServer
from easynetwork.servers.handlers import (
    AsyncBaseClientInterface,
    AsyncDatagramClient,
    AsyncDatagramRequestHandler,
    AsyncStreamClient,
    AsyncStreamRequestHandler,
)

HOST = "127.0.0.1"
WORDS = ("hello", "packets")
LETTER = "Dear server, nobody but you and me can read this file: it has no name any more."
COLUMNS = "{:14} {:9} {:24} {:34}" + 3 * " {:>10}"

Packet: TypeAlias = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Loop:
    """An event loop, and how programs are run on it."""

    name: str
    backend: str
    runner_options: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def run(self, function: Callable[[AsyncBackend, Transport], Coroutine[Any, Any, T]], transport: Transport) -> T:
        backend = new_builtin_backend(self.backend)
        return backend.bootstrap(function, backend, transport, runner_options=self.runner_options)


LOOPS = (
    Loop("asyncio", "asyncio", {"loop_factory": asyncio.new_event_loop}),
    Loop("uvloop", "asyncio", {"loop_factory": uvloop.new_event_loop}),
    Loop("trio", "trio"),
)


async def answer(client: AsyncBaseClientInterface[Packet]) -> AsyncGenerator[None, Packet]:
    """Answers a packet with its word in capitals."""
    request = yield
    await client.send_packet({"word": request["word"].upper(), "letters": len(request["word"])})


async def answer_letter(client: AsyncBaseClientInterface[Packet]) -> AsyncGenerator[RecvParams, Packet]:
    """Reads the file whose descriptor comes with a packet, and tells what the kernel says about the
    sender.
    """
    ancillary = SocketAncillary()
    yield RecvParams(recv_with_ancillary=RecvAncillaryDataParams(ancillary.update_from_raw))
    response: Packet = {}
    for message in ancillary.messages():
        match message:
            case SCMRights(fds):
                response["letter"] = "".join(map(read_and_close, fds))
            case SCMCredentials(credentials):
                response["from"] = credentials[0]._asdict()
    await client.send_packet(response)


def read_and_close(fd: int) -> str:
    with open(fd) as file:
        return file.read()


class StreamShouter(AsyncStreamRequestHandler[Packet, Packet]):
    def handle(self, client: AsyncStreamClient[Packet]) -> AsyncGenerator[None, Packet]:
        return answer(client)


class DatagramShouter(AsyncDatagramRequestHandler[Packet, Packet]):
    def handle(self, client: AsyncDatagramClient[Packet]) -> AsyncGenerator[None, Packet]:
        return answer(client)


class StreamPostOffice(AsyncStreamRequestHandler[Packet, Packet]):
    def handle(self, client: AsyncStreamClient[Packet]) -> AsyncGenerator[RecvParams, Packet]:
        return answer_letter(client)


class DatagramPostOffice(AsyncDatagramRequestHandler[Packet, Packet]):
    def handle(self, client: AsyncDatagramClient[Packet]) -> AsyncGenerator[RecvParams, Packet]:
        return answer_letter(client)


@dataclass(frozen=True)
class Transport:
    """How the ends of one transport are made: a server, and clients for its address."""

    name: str
    serve: Callable[[], Any]
    connect: Callable[[Any], Any]
    connect_blocking: Callable[[Any], Any]


class Exchange(NamedTuple):
    """One packet there and one back."""

    client: str
    sent: Packet
    received: Packet
    seconds: float


def stream_protocol() -> StreamProtocol[Packet, Packet]:
    return StreamProtocol(JSONSerializer())


def datagram_protocol() -> DatagramProtocol[Packet, Packet]:
    return DatagramProtocol(JSONSerializer())


def make_certificates() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Invents an authority that certifies the server, and that the clients trust."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST).configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


def make_transports(folder: str) -> list[Transport]:
    server_context, client_context = make_certificates()
    return [
        Transport(
            "TCP",
            lambda: AsyncTCPNetworkServer(HOST, 0, stream_protocol(), StreamShouter()),
            lambda address: AsyncTCPNetworkClient(address, stream_protocol()),
            lambda address: TCPNetworkClient(address, stream_protocol()),
        ),
        Transport(
            "TCP + TLS",
            lambda: AsyncTCPNetworkServer(HOST, 0, stream_protocol(), StreamShouter(), ssl=server_context),
            lambda address: AsyncTCPNetworkClient(address, stream_protocol(), ssl=client_context),
            lambda address: TCPNetworkClient(address, stream_protocol(), ssl=client_context),
        ),
        Transport(
            "UDP",
            lambda: AsyncUDPNetworkServer(HOST, 0, datagram_protocol(), DatagramShouter()),
            lambda address: AsyncUDPNetworkClient(address, datagram_protocol()),
            lambda address: UDPNetworkClient(address, datagram_protocol()),
        ),
        Transport(
            "Unix stream",
            lambda: AsyncUnixStreamServer(f"{folder}/stream", stream_protocol(), StreamShouter()),
            lambda address: AsyncUnixStreamClient(address, stream_protocol()),
            lambda address: UnixStreamClient(address, stream_protocol()),
        ),
        Transport(
            "Unix datagram",
            lambda: AsyncUnixDatagramServer(f"{folder}/datagram", datagram_protocol(), DatagramShouter()),
            lambda address: AsyncUnixDatagramClient(address, datagram_protocol()),
            lambda address: UnixDatagramClient(address, datagram_protocol()),
        ),
    ]


def make_post_offices(folder: str) -> list[Transport]:
    """The transports that descriptors and credentials can travel over."""
    return [
        Transport(
            "Unix stream",
            lambda: AsyncUnixStreamServer(f"{folder}/stream", stream_protocol(), StreamPostOffice()),
            lambda address: AsyncUnixStreamClient(address, stream_protocol()),
            lambda address: UnixStreamClient(address, stream_protocol()),
        ),
        Transport(
            "Unix datagram",
            lambda: AsyncUnixDatagramServer(
                f"{folder}/datagram", datagram_protocol(), DatagramPostOffice(), receive_ancillary_data=True
            ),
            lambda address: AsyncUnixDatagramClient(address, datagram_protocol()),
            lambda address: UnixDatagramClient(address, datagram_protocol()),
        ),
    ]


async def ask(transport: Transport, address: Any) -> list[Exchange]:
    """Sends every word from the asynchronous client."""
    exchanges: list[Exchange] = []
    async with transport.connect(address) as client:
        for word in WORDS:
            start = time.perf_counter()
            await client.send_packet({"word": word})
            received = await client.recv_packet()
            exchanges.append(Exchange("async", {"word": word}, received, time.perf_counter() - start))
    return exchanges


def ask_blocking(transport: Transport, address: Any) -> list[Exchange]:
    """Sends every word from the blocking client, which needs no event loop."""
    exchanges: list[Exchange] = []
    with transport.connect_blocking(address) as client:
        for word in WORDS:
            start = time.perf_counter()
            client.send_packet({"word": word})
            received = client.recv_packet()
            exchanges.append(Exchange("blocking", {"word": word}, received, time.perf_counter() - start))
    return exchanges


async def serve_and_ask(backend: AsyncBackend, transport: Transport) -> list[Exchange]:
    """Starts the server, lets both clients talk to it, and stops it."""
    is_up = backend.create_event()
    async with transport.serve() as server, backend.create_task_group() as tasks:
        tasks.start_soon(partial(server.serve_forever, is_up_event=is_up))
        await is_up.wait()
        address = address_of(server)
        exchanges = await backend.run_in_thread(ask_blocking, transport, address)
        exchanges += await ask(transport, address)
        await server.shutdown()
    return exchanges


async def serve_and_send_letter(backend: AsyncBackend, transport: Transport) -> Packet:
    """Passes the descriptor of a file, which is deleted already, and this process's credentials."""
    is_up = backend.create_event()
    async with transport.serve() as server, backend.create_task_group() as tasks:
        tasks.start_soon(partial(server.serve_forever, is_up_event=is_up))
        await is_up.wait()
        for sock in server.get_sockets():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)  # the server wants to know who sends
        async with transport.connect(address_of(server)) as client:
            with tempfile.TemporaryFile("w+") as file:
                file.write(LETTER)
                file.seek(0)
                ancillary = SocketAncillary()
                ancillary.add_fds([file.fileno()])
                ancillary.add_creds([SocketCredential()])
                await client.send_packet({"word": "letter"}, ancillary_data=ancillary)
            response: Packet = await client.recv_packet()
        await server.shutdown()
    return response


def address_of(server: Any) -> Any:
    address = server.get_addresses()[0]
    return address.for_connection() if hasattr(address, "for_connection") else address


def show(transport: Transport, exchanges_by_loop: list[list[Exchange]]) -> None:
    """Prints a line for each packet, with what it took on each loop."""
    for on_each_loop in zip(*exchanges_by_loop, strict=True):
        client, sent, received, _ = on_each_loop[0]
        assert all(exchange.received == received for exchange in on_each_loop)
        times = [f"{exchange.seconds * 1000:.2f} ms" for exchange in on_each_loop]
        print(COLUMNS.format(transport.name, client, json.dumps(sent), json.dumps(received), *times))


def show_letter(loop: Loop, transport: Transport, response: Packet) -> None:
    assert response["letter"] == LETTER
    assert response["from"]["pid"] == os.getpid()
    sender = ", ".join(f"{name} {value}" for name, value in response["from"].items())
    print(f"{loop.name:8} {transport.name:14} a file came as a descriptor, from {sender}: {response['letter']!r}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(COLUMNS.format("transport", "client", "packet sent", "packet received", *(loop.name for loop in LOOPS)))
        for transport in make_transports(folder):
            show(transport, [loop.run(serve_and_ask, transport) for loop in LOOPS])
        print()
        for transport in make_post_offices(folder):
            for loop in LOOPS:
                show_letter(loop, transport, loop.run(serve_and_send_letter, transport))
    print("\nEvery packet was answered, and every server has stopped.")


if __name__ == "__main__":
    main()
