# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
from typing import Any

import pytest

from easynetwork.lowlevel.streams import ByteStream
from easynetwork.lowlevel.testing import MemoryBackend
from easynetwork.protocol import StreamProtocol
from easynetwork.servers.handlers import AsyncStreamRequestHandler
from easynetwork.servers.statistics import CloseReason, ServerStatistics

from .serving import LineClient, Requests, ask, connect, ending, serving

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
