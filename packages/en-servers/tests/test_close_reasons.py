# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc
import logging
from typing import Any

import pytest

from easynetwork.exceptions import ClientClosedError
from easynetwork.lowlevel.streams import ByteStream
from easynetwork.lowlevel.testing import MemoryBackend
from easynetwork.protocol import StreamProtocol
from easynetwork.servers.handlers import AsyncStreamRequestHandler
from easynetwork.servers.statistics import CloseReason, ServerStatistics

from .serving import LineClient, Requests, Server, ask, connect, ending, serving

pytestmark = pytest.mark.anyio


@pytest.fixture
def values(lines: StreamProtocol[str, str], logger: logging.Logger) -> dict[str, Any]:
    return {"protocol": lines, "logger": logger}


class Obedient(AsyncStreamRequestHandler[str, str]):
    async def handle(self, client: LineClient) -> Requests:
        word = yield None
        match word:
            case "close":
                await client.aclose()
            case "return":
                await client.send_packet("bye")
                return
            case "use":
                await client.aclose()
                await client.send_packet("closed")
            case "raise":
                raise LookupError("the user's own")
            case "late":
                raise TimeoutError("of the user's database")
            case "flood":
                while True:
                    await client.send_packet("x" * 10_000)
            case "group":
                raise ExceptionGroup("of a task group", [ConnectionResetError("lost"), ConnectionResetError("lost")])
            case _:
                await client.send_packet(word)


async def leave(peer: ByteStream) -> None:
    await peer.send_eof()


async def reset(peer: ByteStream) -> None:
    peer.abort()


async def reset_a_sender(peer: ByteStream) -> None:
    await peer.send(b"flood\n")
    await peer.receive(1)
    peer.abort()


def says(line: bytes) -> Any:
    async def say(peer: ByteStream) -> None:
        await peer.send(line)

    return say


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        (leave, CloseReason.PEER_ENDED),
        (reset, CloseReason.PEER_RESET),
        (reset_a_sender, CloseReason.PEER_RESET),
        (says(b"group\n"), CloseReason.PEER_RESET),
        (says(b"close\n"), CloseReason.HANDLER_CLOSED),
        (says(b"use\n"), CloseReason.HANDLER_CLOSED),
        (says(b"raise\n"), CloseReason.HANDLER_ERROR),
        (says(b"late\n"), CloseReason.HANDLER_ERROR),
        (says(b"\xff is not ASCII\n"), CloseReason.PROTOCOL_ERROR),
    ],
)
async def test_log_and_statistics_have_the_same_word(
    backend: MemoryBackend,
    values: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    does: Any,
    reason: CloseReason,
) -> None:
    async with serving(backend, Obedient(), **values) as server:
        peer = await connect(server)
        assert await ask(peer, "x") == "x"
        await does(peer)
        while server.statistics().clients:
            await backend.coro_yield()
        assert server.statistics().closed == {reason: 1}

    (goodbye,) = [message for message in caplog.messages if " disconnected" in message]
    assert goodbye.endswith(f" disconnected ({reason})")


@pytest.mark.parametrize("sends_before", [0, 1])
async def test_send_cut_short_by_the_handler_is_no_reset_by_the_peer(
    backend: MemoryBackend, values: dict[str, Any], sends_before: int
) -> None:
    generators: list[str] = []
    scope = backend.open_cancel_scope()

    class Impatient(AsyncStreamRequestHandler[str, str]):
        async def handle(self, client: LineClient) -> Requests:
            generators.append("begun")
            yield None
            async with backend.create_task_group() as tasks:
                for _ in range(sends_before):
                    await tasks.start(client.send_packet, "x" * 200_000)
                with scope:
                    await client.send_packet("y" * 200_000)
            with pytest.raises(ClientClosedError):
                await client.send_packet("a packet behind a fragment")

    async with serving(backend, Impatient(), **values) as server:
        peer = await connect(server)
        await peer.send(b"go\n")
        while b"y" not in await peer.receive(1000):
            pass
        scope.cancel()
        assert await ending(peer) == "reset"
        while server.statistics().clients:
            await backend.coro_yield()
        assert server.statistics().closed == {CloseReason.HANDLER_CLOSED: 1}
    assert generators == ["begun"]


# counters


async def test_what_a_server_does_is_counted(backend: MemoryBackend, values: dict[str, Any]) -> None:
    async with serving(backend, Obedient(), **values) as server:
        assert server.statistics() == ServerStatistics()
        first, second = await connect(server), await connect(server)
        await first.send(b"one\ntwo\n\xff\n")
        assert await ending(first) == "end"
        assert await ask(second, "three") == "three"

        statistics = server.statistics()
        assert (statistics.clients, statistics.clients_total) == (1, 2)
        assert (statistics.packets_received, statistics.packets_sent) == (3, 3)
        assert (statistics.bytes_received, statistics.bytes_sent) == (10 + 6, 4 + 4 + 6)
        assert (statistics.parse_errors, statistics.handler_errors) == (1, 1)
        assert (statistics.handshakes_failed, statistics.datagrams_dropped, statistics.limits_hit) == (0, 0, {})
    assert server.statistics().closed == {CloseReason.PROTOCOL_ERROR: 1, CloseReason.CANCELLED: 1}


async def test_sends_that_wait_for_each_other_are_the_longest_queue(
    backend: MemoryBackend, values: dict[str, Any]
) -> None:
    class Crowd(AsyncStreamRequestHandler[str, str]):
        async def handle(self, client: LineClient) -> Requests:
            yield None
            async with backend.create_task_group() as tasks:
                for _ in range(5):
                    tasks.start_soon(client.send_packet, "x" * 100_000)

    async with serving(backend, Crowd(), **values) as server:
        peer = await connect(server)
        await peer.send(b"go\n")
        received = 0
        while received < 5 * 100_001:
            received += len(await peer.receive(65536))
        assert server.statistics().longest_queue == 5


async def received(server: Server, size: int) -> None:
    """Waits until the server has read ``size`` bytes."""
    while server.statistics().bytes_received < size:
        await server.backend().coro_yield()


@pytest.mark.parametrize(
    ("pieces", "answers"),
    [
        ([b"he", b"ll", b"o\n"], [b"hello\n"]),
        ([b"one\ntw", b"o", b"\n"], [b"one\n", b"two\n"]),
    ],
)
async def test_packet_in_pieces_is_counted_once(
    backend: MemoryBackend, values: dict[str, Any], pieces: list[bytes], answers: list[bytes]
) -> None:
    async with serving(backend, Obedient(), **values) as server:
        peer = await connect(server)
        sent = 0
        for piece in pieces:
            await peer.send(piece)
            sent += len(piece)
            await received(server, sent)
        answer = b""
        while len(answer) < sent:
            answer += await peer.receive(100)
        assert answer == b"".join(answers)
        assert server.statistics().packets_received == len(answers)
    statistics = server.statistics()
    assert (statistics.packets_received, statistics.packets_sent) == (len(answers), len(answers))
    assert (statistics.bytes_received, statistics.bytes_sent) == (sent, sent)


@pytest.mark.parametrize("at_once", [1, 100])
async def test_counters_stay_right_after_hundreds_of_packets(
    backend: MemoryBackend, values: dict[str, Any], at_once: int
) -> None:
    async with serving(backend, Obedient(), **values) as server:
        peer = await connect(server)
        for _ in range(600 // at_once):
            await peer.send(b"hello\n" * at_once)
            answer = b""
            while len(answer) < 6 * at_once:
                answer += await peer.receive(65536)
        for statistics in (server.statistics(), server.statistics()):
            assert (statistics.packets_received, statistics.packets_sent) == (600, 600)
            assert (statistics.bytes_received, statistics.bytes_sent) == (3600, 3600)
    statistics = server.statistics()
    assert (statistics.packets_received, statistics.packets_sent) == (600, 600)
    assert (statistics.bytes_received, statistics.bytes_sent) == (3600, 3600)


async def test_no_object_is_kept_of_a_closed_connection(
    backend: MemoryBackend, values: dict[str, Any], logger: logging.Logger
) -> None:
    logger.setLevel(logging.WARNING)  # pytest would keep the records

    async def come_and_go(server: Server, times: int) -> None:
        for _ in range(times):
            peer = await connect(server)
            assert await ask(peer, "x") == "x"
            await peer.send_eof()
            assert await ending(peer) == "end"
        while server.statistics().clients:
            await backend.coro_yield()

    async with serving(backend, **values) as server:
        await come_and_go(server, 20)  # what is made once is there afterwards
        before = living_objects()
        await come_and_go(server, 100)
        assert living_objects() - before < 50
        assert server.statistics().packets_received == 120


def living_objects() -> int:
    gc.collect()
    return len(gc.get_objects())
