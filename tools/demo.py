# SPDX-License-Identifier: Apache-2.0
"""A server and two clients, on each event loop, plain and with TLS: run it with ``./tools/ws demo``.

Everything happens on the loopback of this machine, on a port that the system picks.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Any, NamedTuple, TypeAlias

import trustme
import uvloop

from easynetwork.clients import AsyncTCPNetworkClient, TCPNetworkClient
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import JSONSerializer
from easynetwork.servers import AsyncTCPNetworkServer
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler

HOST = "127.0.0.1"
WORDS = ("hello", "packets", "goodbye")
COLUMNS = "{:8} {:10} {:9} {:24} {:32} {:>6}"

Packet: TypeAlias = dict[str, Any]
LoopFactory: TypeAlias = Callable[[], asyncio.AbstractEventLoop]


class Shouter(AsyncStreamRequestHandler[Packet, Packet]):
    """Answers each packet with its word in capitals."""

    async def handle(self, client: AsyncStreamClient[Packet]) -> AsyncGenerator[None, Packet]:
        request = yield
        await client.send_packet({"word": request["word"].upper(), "letters": len(request["word"])})


class Exchange(NamedTuple):
    """One packet there and one back."""

    client: str
    sent: Packet
    received: Packet
    seconds: float


class Certificates(NamedTuple):
    """The two ends of a TLS connection; both are None for plain TCP."""

    server: ssl.SSLContext | None
    client: ssl.SSLContext | None


def make_protocol() -> StreamProtocol[Packet, Packet]:
    return StreamProtocol(JSONSerializer())


def make_certificates() -> Certificates:
    """Invents an authority that certifies the server, and that the clients trust."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST).configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return Certificates(server, client)


async def ask(port: int, context: ssl.SSLContext | None) -> list[Exchange]:
    """Sends every word from the asynchronous client."""
    exchanges: list[Exchange] = []
    async with AsyncTCPNetworkClient((HOST, port), make_protocol(), ssl=context) as client:
        for word in WORDS:
            start = time.perf_counter()
            await client.send_packet({"word": word})
            received = await client.recv_packet()
            exchanges.append(Exchange("async", {"word": word}, received, time.perf_counter() - start))
    return exchanges


def ask_blocking(port: int, context: ssl.SSLContext | None) -> list[Exchange]:
    """Sends every word from the blocking client, which needs no event loop."""
    exchanges: list[Exchange] = []
    with TCPNetworkClient((HOST, port), make_protocol(), ssl=context) as client:
        for word in WORDS:
            start = time.perf_counter()
            client.send_packet({"word": word})
            received = client.recv_packet()
            exchanges.append(Exchange("blocking", {"word": word}, received, time.perf_counter() - start))
    return exchanges


async def serve_and_ask(certificates: Certificates) -> list[Exchange]:
    """Starts the server, lets both clients talk to it, and stops it."""
    is_up = asyncio.Event()
    async with (
        AsyncTCPNetworkServer(HOST, 0, make_protocol(), Shouter(), ssl=certificates.server) as server,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(server.serve_forever(is_up_event=is_up))
        await is_up.wait()
        port = server.get_addresses()[0].port
        exchanges = await asyncio.to_thread(ask_blocking, port, certificates.client)
        exchanges += await ask(port, certificates.client)
        await server.shutdown()
    return exchanges


def show(loop: str, transport: str, exchanges: Iterable[Exchange]) -> None:
    for exchange in exchanges:
        sent, received = json.dumps(exchange.sent), json.dumps(exchange.received)
        print(COLUMNS.format(loop, transport, exchange.client, sent, received, f"{exchange.seconds * 1000:.2f}"))


def main() -> None:
    loops: dict[str, LoopFactory] = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    transports = {"TCP": Certificates(None, None), "TCP + TLS": make_certificates()}
    print(COLUMNS.format("loop", "transport", "client", "packet sent", "packet received", "ms"))
    for loop, loop_factory in loops.items():
        for transport, certificates in transports.items():
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                show(loop, transport, runner.run(serve_and_ask(certificates)))
    print("Every packet was answered, and every server has stopped.")


if __name__ == "__main__":
    main()
