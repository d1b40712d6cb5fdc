# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import math
from typing import Any

import pytest

from easynetwork.lowlevel.request_handler import RecvParams
from easynetwork.lowlevel.testing import MemoryBackend
from easynetwork.protocol import StreamProtocol
from easynetwork.servers.handlers import AsyncStreamRequestHandler
from easynetwork.servers.options import ServerTimeouts
from easynetwork.servers.statistics import CloseReason

from .serving import LineClient, Requests, ask, connect, ending, serving

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)]  # in virtual time


@pytest.fixture
def values(lines: StreamProtocol[str, str], logger: logging.Logger) -> dict[str, Any]:
    return {"protocol": lines, "logger": logger}


class Patient(AsyncStreamRequestHandler[str, str]):
    """Asks as it is told, and tells the peer what was thrown in."""

    def __init__(self, wish: RecvParams | None = None, *, catches: bool = True) -> None:
        self.wish = wish
        self.catches = catches

    async def handle(self, client: LineClient) -> Requests:
        try:
            request = yield self.wish
        except TimeoutError:
            if not self.catches:
                raise
            await client.send_packet("too late")
        else:
            await client.send_packet(request)


# for a packet


@pytest.mark.parametrize("wish", [None, RecvParams(), RecvParams(timeout=5)])
async def test_packet_that_comes_too_late_is_a_timeout_at_the_yield(
    backend: MemoryBackend, values: dict[str, Any], wish: RecvParams | None
) -> None:
    timeouts = ServerTimeouts(packet=5 if wish is None or wish.timeout is None else 1000)
    async with serving(backend, Patient(wish), timeouts=timeouts, **values) as server:
        peer = await connect(server)
        start = backend.current_time()
        await peer.send(b"half a pack")
        assert await peer.receive(100) == b"too late\n"
        assert backend.current_time() - start == pytest.approx(5)
        await peer.send(b"et\n")
        assert await peer.receive(100) == b"half a packet\n", "the stream goes on where it was"


async def test_infinity_is_no_limit_even_where_the_server_has_one(
    backend: MemoryBackend, values: dict[str, Any]
) -> None:
    handler = Patient(RecvParams(timeout=math.inf))
    async with serving(backend, handler, timeouts=ServerTimeouts(packet=5), **values) as server:
        peer = await connect(server)
        await backend.sleep(1000)
        assert await ask(peer, "at last") == "at last"


@pytest.mark.parametrize(("wish", "errors"), [(None, 0), (RecvParams(timeout=5), 1)])
async def test_time_out_that_the_handler_has_not_asked_for_is_no_error_of_it(
    backend: MemoryBackend,
    values: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    wish: RecvParams | None,
    errors: int,
) -> None:
    async with serving(backend, Patient(wish, catches=False), timeouts=ServerTimeouts(packet=5), **values) as server:
        assert await ending(await connect(server)) == "end"
        statistics = server.statistics()

    assert statistics.closed == {CloseReason.PACKET_TIMEOUT: 1}
    assert statistics.handler_errors == errors
    assert [record.levelname for record in caplog.records].count("ERROR") == errors


# for anything at all


async def test_client_that_does_nothing_is_closed_in_order(backend: MemoryBackend, values: dict[str, Any]) -> None:
    async with serving(backend, timeouts=ServerTimeouts(idle=60), **values) as server:
        peer = await connect(server)
        for _ in range(5):
            await backend.sleep(50)
            await peer.send(b"a byte is enough")
        start = backend.current_time()
        assert await ending(peer) == "end"
        assert backend.current_time() - start == pytest.approx(60)
        assert server.statistics().closed == {CloseReason.IDLE: 1}


async def test_client_that_is_sent_something_is_not_idle(backend: MemoryBackend, values: dict[str, Any]) -> None:
    class Pusher(AsyncStreamRequestHandler[str, str]):
        async def push(self, client: LineClient) -> None:
            for _ in range(10):
                await client.backend().sleep(50)
                await client.send_packet("news")

        async def handle(self, client: LineClient) -> Requests:
            async with backend.create_task_group() as tasks:
                tasks.start_soon(self.push, client)
                yield None

    async with serving(backend, Pusher(), timeouts=ServerTimeouts(idle=60), **values) as server:
        start = backend.current_time()
        assert await ending(await connect(server)) == "end"
        assert 560 <= backend.current_time() - start <= 620


async def test_time_of_a_packet_can_be_shorter_than_that_of_the_client(
    backend: MemoryBackend, values: dict[str, Any]
) -> None:
    timeouts = ServerTimeouts(packet=5, idle=60)
    async with serving(backend, Patient(), timeouts=timeouts, **values) as server:
        peer = await connect(server)
        assert await peer.receive(100) == b"too late\n"


async def test_handler_that_works_is_not_idle(backend: MemoryBackend, values: dict[str, Any]) -> None:
    class Slow(AsyncStreamRequestHandler[str, str]):
        async def handle(self, client: LineClient) -> Requests:
            request = yield None
            await client.backend().sleep(1000)
            await client.send_packet(request)

    async with serving(backend, Slow(), timeouts=ServerTimeouts(idle=60), **values) as server:
        assert await ask(await connect(server), "x") == "x"


# for the peer to read


async def test_peer_that_takes_nothing_is_given_up(
    backend: MemoryBackend, values: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    class Flood(AsyncStreamRequestHandler[str, str]):
        async def handle(self, client: LineClient) -> Requests:
            yield None
            while True:
                await client.send_packet("x" * 10_000)

    async with serving(backend, Flood(), timeouts=ServerTimeouts(send_stall=20), **values) as server:
        peer = await connect(server)
        await peer.send(b"go\n")
        start = backend.current_time()
        for _ in range(3):
            await backend.sleep(15)
            await peer.receive(1000)
        await backend.sleep(45)
        assert server.statistics().clients == 0
        assert backend.current_time() - start == 90
        assert await ending(peer) == "reset"
        assert server.statistics().closed == {CloseReason.SEND_STALLED: 1}

    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
