# SPDX-License-Identifier: Apache-2.0
"""Datagram handlers where datagrams are lost, doubled, late and out of order."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from easynetwork.lowlevel.datagrams import DatagramEndpoint
from easynetwork.lowlevel.request_handler import RecvParams
from easynetwork.lowlevel.testing import Impairments, MemoryBackend
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers.engine.datagram_reader import DatagramReader
from easynetwork.servers.engine.datagram_service import DatagramService
from easynetwork.servers.engine.settings import DatagramSettings
from easynetwork.servers.handlers import AsyncDatagramClient, AsyncDatagramRequestHandler

# Time is virtual, so that patience costs nothing.
pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)]

PORT = 9000
SEEDS = range(5)
REQUESTS = 40

Client = AsyncDatagramClient[str]
Requests = AsyncGenerator[RecvParams | None, str]
Serve = Callable[[AsyncDatagramRequestHandler[str, str]], AbstractAsyncContextManager[None]]


@pytest.fixture(params=SEEDS)
def backend(request: pytest.FixtureRequest) -> MemoryBackend:
    impairments = Impairments(loss=0.2, duplicate=0.2, reorder=0.2, delay=(0.001, 0.2), seed=request.param)
    return MemoryBackend(impairments=impairments)


@pytest.fixture
def serve(backend: MemoryBackend, logger: logging.Logger) -> Serve:
    @asynccontextmanager
    async def serve(handler: AsyncDatagramRequestHandler[str, str]) -> AsyncGenerator[None]:
        (listener,) = await backend.create_udp_listeners("127.0.0.1", PORT)

        protocol: DatagramProtocol[str, str] = DatagramProtocol(StringLineSerializer())
        settings: DatagramSettings[bytes, str, str] = DatagramSettings(
            backend=backend,
            peer_name=lambda listener, address: address,
            describe_peer=lambda listener, address: {},
            protocol=protocol,
            handler=handler,
            logger=logger,
            reader=DatagramReader(protocol),
        )
        service = DatagramService(settings)
        with backend.open_cancel_scope() as scope:
            async with backend.create_task_group() as clients:
                await clients.start(service.serve, listener, clients)
                yield
                await listener.aclose()
                scope.cancel()

    return serve


class CountingHandler(AsyncDatagramRequestHandler[str, str]):
    """Counts how often each request has come, and how many generators a peer has at a time."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.active: set[Client] = set()

    async def handle(self, client: Client) -> Requests:
        assert client not in self.active
        self.active.add(client)
        try:
            request = yield None
            self.seen[request] += 1
            await client.backend().sleep(0.01)
            await client.send_packet(request)
        finally:
            self.active.remove(client)


async def ask_until_answered(backend: MemoryBackend, peer: DatagramEndpoint, request: str) -> None:
    """Repeats the request until its answer comes; those of earlier requests may still be on their
    way.
    """
    while True:
        await peer.send(request.encode())
        try:
            with backend.timeout(1):
                while await peer.receive() != request.encode():
                    pass
        except TimeoutError:
            continue
        return


async def test_whatever_is_repeated_until_it_is_answered_is_answered(serve: Serve, backend: MemoryBackend) -> None:
    handler = CountingHandler()

    async def ask_all(name: str) -> None:
        peer = await backend.create_udp_endpoint("127.0.0.1", PORT)
        for number in range(REQUESTS):
            await ask_until_answered(backend, peer, f"{name} {number}")
        await peer.aclose()

    async with serve(handler):
        await backend.gather(*map(ask_all, "abc"))

    assert len(handler.seen) == 3 * REQUESTS
    assert handler.active == set()


async def test_a_dialogue_with_a_time_limit_begins_anew(serve: Serve, backend: MemoryBackend) -> None:
    """A handler that waits for a second datagram survives its loss, and the peer's next first
    datagram is not taken for it.
    """
    ended: Counter[str] = Counter()

    class Dialogue(AsyncDatagramRequestHandler[str, str]):
        async def handle(self, client: Client) -> Requests:
            request = yield None
            if not request.startswith("hello"):
                return  # late, or doubled
            await client.send_packet("go on")
            try:
                while not (answer := (yield RecvParams(timeout=0.5))).startswith("goodbye"):
                    pass
            except TimeoutError:
                ended["given up"] += 1
            else:
                ended["done"] += 1
                await client.send_packet(f"done {answer}")

    async with serve(Dialogue()):
        peer = await backend.create_udp_endpoint("127.0.0.1", PORT)
        done = 0
        for number in range(REQUESTS):
            await peer.send(b"hello")
            await peer.send(b"goodbye %d" % number)
            try:
                with backend.timeout(1.5):
                    while await peer.receive() != b"done goodbye %d" % number:
                        pass
            except TimeoutError:
                continue
            done += 1
        await peer.aclose()

    assert 0 < done < REQUESTS
    assert ended["done"] >= done
    assert ended["given up"] > 0
