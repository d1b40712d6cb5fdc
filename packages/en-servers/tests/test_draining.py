# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
from typing import Any

import pytest

from easynetwork.lowlevel.testing import MemoryBackend
from easynetwork.protocol import StreamProtocol
from easynetwork.servers.handlers import AsyncStreamRequestHandler
from easynetwork.servers.statistics import CloseReason

from .serving import LineClient, Requests, Server, ask, connect, ending, serving

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)]  # in virtual time


@pytest.fixture
def values(lines: StreamProtocol[str, str], logger: logging.Logger) -> dict[str, Any]:
    return {"protocol": lines, "logger": logger}


class Worker(AsyncStreamRequestHandler[str, str]):
    """Works as many seconds as it is asked to."""

    def __init__(self) -> None:
        self.events: list[str] = []

    async def handle(self, client: LineClient) -> Requests:
        seconds = yield None
        await client.backend().sleep(float(seconds))
        await client.send_packet(f"worked {seconds}")

    async def on_disconnection(self, client: LineClient) -> None:
        self.events.append("disconnection")


async def test_requests_are_finished_and_nobody_else_is_waited_for(
    backend: MemoryBackend, values: dict[str, Any]
) -> None:
    handler = Worker()
    async with serving(backend, handler, **values) as server, backend.create_task_group() as tasks:
        idle, busy = await connect(server), await connect(server)
        await ask(idle, "0")
        await busy.send(b"10\n20\n")
        await backend.sleep(1)

        start = backend.current_time()
        draining = await tasks.start(_shut_down, server, 30.0)
        assert await ending(idle) == "end"
        assert backend.current_time() == start
        assert server.is_draining()
        assert not server.is_serving()
        assert await busy.receive(100) == b"worked 10\n"
        assert await ending(busy) == "end", "the next request of a batch is left to the next server"
        await draining.wait()
        assert backend.current_time() == start + 9
        assert not server.is_draining()
        assert server.statistics().closed == {CloseReason.DRAINING: 2}
    assert handler.events == ["disconnection"] * 2


async def _shut_down(server: Server, drain: float) -> None:
    await server.shutdown(drain=drain)


async def test_nobody_new_is_accepted_and_those_in_the_queue_are_closed_in_order(
    backend: MemoryBackend, values: dict[str, Any]
) -> None:
    async with serving(backend, Worker(), **values) as server, backend.create_task_group() as tasks:
        busy = await connect(server)
        await busy.send(b"10\n")
        await backend.sleep(1)
        in_queue = [await connect(server) for _ in range(3)]
        tasks.start_soon(_shut_down, server, 30.0)
        assert [await ending(peer) for peer in in_queue] == ["end"] * 3
        assert not server.is_listening()
        with pytest.raises(ConnectionRefusedError):
            await connect(server)
        assert await busy.receive(100) == b"worked 10\n"


async def test_what_takes_too_long_is_cancelled(backend: MemoryBackend, values: dict[str, Any]) -> None:
    async with serving(backend, Worker(), **values) as server:
        busy = await connect(server)
        await busy.send(b"1000\n")
        await backend.sleep(1)
        start = backend.current_time()
        await server.shutdown(drain=30)
        assert backend.current_time() - start == pytest.approx(30)
        assert await ending(busy) == "end"
        assert server.statistics().closed == {CloseReason.CANCELLED: 1}


@pytest.mark.parametrize("way", ["another shutdown", "cancellation"])
async def test_draining_can_be_cut_short(backend: MemoryBackend, values: dict[str, Any], way: str) -> None:
    async with serving(backend, Worker(), **values) as server, backend.create_task_group() as tasks:
        await (await connect(server)).send(b"1000\n")
        await backend.sleep(1)
        start = backend.current_time()
        draining = await tasks.start(_shut_down, server, 500.0)
        await backend.sleep(5)
        if way == "cancellation":
            draining.cancel()
        else:
            await server.shutdown()
        await draining.wait()
        while server.statistics().clients:
            await backend.sleep(0.1)
        assert backend.current_time() - start < 6


async def test_handler_that_never_asks_again_can_see_that_the_server_is_draining(
    backend: MemoryBackend, values: dict[str, Any]
) -> None:
    class Ticker(AsyncStreamRequestHandler[str, str]):
        async def service_init(self, exit_stack: Any, server: Any) -> None:
            self.server = server

        async def handle(self, client: LineClient) -> Requests:
            yield None
            while not self.server.is_draining():
                await client.backend().sleep(1)
            await client.send_packet("goodbye")

    async with serving(backend, Ticker(), **values) as server:
        peer = await connect(server)
        await peer.send(b"go\n")
        await backend.sleep(5)
        await server.shutdown(drain=30)
        assert await peer.receive(100) == b"goodbye\n"


async def test_server_can_serve_again_after_draining(backend: MemoryBackend, values: dict[str, Any]) -> None:
    async with serving(backend, **values) as server, backend.create_task_group() as tasks:
        await server.shutdown(drain=1)
        again = backend.create_event()

        async def serve() -> None:
            await server.serve_forever(is_up_event=again)

        tasks.start_soon(serve)
        await again.wait()
        assert await ask(await connect(server), "x") == "x"
        await server.shutdown(drain=1)
        assert server.statistics().clients_total == 1
