# SPDX-License-Identifier: Apache-2.0
"""What the ``service_init()`` of a stream server may have running beside its clients, with the
means of every framework.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest
import trio
from loops import each_where_it_works
from running_server import start
from stream_peers import Transport, peer_of

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler

pytestmark = pytest.mark.anyio

Client = AsyncStreamClient[str]


class Service(AsyncStreamRequestHandler[str, str]):
    """Serves until the peers are gone; ``events`` tells in which order things begin and end."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.works = anyio.Event()
        self.failure = anyio.Event()
        self.disconnected = anyio.Event()

    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        request = yield
        await client.send_packet(request)
        if request == "fail":
            self.failure.set()

    async def on_disconnection(self, client: Client) -> None:
        self.events.append("client gone")
        self.disconnected.set()

    async def _service_actions(self) -> None:
        """Runs as long as the service does, and ends with waits of its own."""
        self.works.set()
        try:
            await self.failure.wait()
            raise LookupError("the user's own")
        finally:
            self.events.append("work stopped")

    async def _service_clean_up(self) -> None:
        await anyio.lowlevel.checkpoint()  # nothing is cancelled any more
        self.events.append("cleaned up")

    def _service_quit(self) -> None:
        self.events.append("service stopped")


class ServiceInitializationHookRequestHandlerAsyncIO(Service):
    async def service_init(self, exit_stack: AsyncExitStack, server: Any) -> None:
        exit_stack.callback(self._service_quit)
        exit_stack.push_async_callback(self._service_clean_up)

        self.background_tasks = await exit_stack.enter_async_context(asyncio.TaskGroup())

        _ = self.background_tasks.create_task(self._service_actions())


class ServiceInitializationHookRequestHandlerTrio(Service):
    async def service_init(self, exit_stack: AsyncExitStack, server: Any) -> None:
        exit_stack.callback(self._service_quit)
        exit_stack.push_async_callback(self._service_clean_up)

        self.background_tasks = await exit_stack.enter_async_context(trio.open_nursery())

        self.background_tasks.start_soon(self._service_actions)


class ServiceInitializationHookRequestHandlerWithServerBackend(Service):
    async def service_init(self, exit_stack: AsyncExitStack, server: Any) -> None:
        exit_stack.callback(self._service_quit)
        exit_stack.push_async_callback(self._service_clean_up)

        self.background_tasks = await exit_stack.enter_async_context(server.backend().create_task_group())

        await self.background_tasks.start(self._service_actions)


services = each_where_it_works(
    "service_class",
    anywhere=[ServiceInitializationHookRequestHandlerWithServerBackend],
    asyncio=[ServiceInitializationHookRequestHandlerAsyncIO],
    trio=[ServiceInitializationHookRequestHandlerTrio],
)


@services
async def test_what_service_init_starts_runs_until_the_last_client_is_gone(
    transport: Transport, service_class: type[Service]
) -> None:
    service = service_class()

    async with transport.serving(service) as (server, peer):
        await service.works.wait()
        assert await peer.ask("x") == "x"
        with peer_of(server) as other:
            assert await other.ask("y") == "y"
        await service.disconnected.wait()
        assert service.events == ["client gone"]

    assert service.events[1:] == ["client gone", "work stopped", "cleaned up", "service stopped"]


@services
async def test_an_error_of_what_service_init_started_ends_the_server(
    transport: Transport, service_class: type[Service]
) -> None:
    service = service_class()
    server = transport.server(service)

    with pytest.raises(ExceptionGroup) as caught:
        async with server, anyio.create_task_group() as tasks:
            await start(server, tasks)
            with peer_of(server) as peer:
                assert await peer.ask("fail") == "fail"
                assert await peer.is_closed()

    matched, others = caught.value.split(LookupError)
    assert matched is not None
    assert others is None
    assert service.events == ["work stopped", "client gone", "cleaned up", "service stopped"]


async def test_service_init_may_leave_a_scope_open(transport: Transport, backend: AsyncBackend) -> None:
    """Its time is the service's: when it is up, the server ends in order."""

    class Limited(Service):
        async def service_init(self, exit_stack: AsyncExitStack, server: Any) -> None:
            exit_stack.callback(self._service_quit)
            self.scope = exit_stack.enter_context(server.backend().move_on_after(60))

    service = Limited()
    server = transport.server(service)
    async with server, anyio.create_task_group() as tasks:
        await start(server, tasks)
        with peer_of(server) as peer:
            assert await peer.ask("x") == "x"
            service.scope.reschedule(backend.current_time())
            assert await peer.is_closed()
    # serve_forever() has returned

    assert service.events == ["client gone", "service stopped"]
