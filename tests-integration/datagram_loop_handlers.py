# SPDX-License-Identifier: Apache-2.0
"""Request handlers of datagrams that use what an event loop has: timeouts, and tasks in the
background.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any

import anyio
import trio
from datagram_handlers import Client, Handler, Request, Response, Shouting, TimedOut
from loops import each_where_it_works

from easynetwork.lowlevel.request_handler import RecvParams


class Patient(Handler):
    """Waits for a second request, as long as it was told."""

    def __init__(self, delay: float) -> None:
        self.delay = delay


class YieldingATimeout(Patient):
    async def handle(self, client: Client) -> AsyncGenerator[RecvParams | None, Request]:
        first = yield None
        await client.send_packet(Response(first.text))
        try:
            second = yield RecvParams(timeout=self.delay)
        except TimeoutError:
            await client.send_packet(TimedOut())
        else:
            await client.send_packet(Response(f"another {second.text}"))


class YieldingANumber(Patient):
    """The deprecated form."""

    async def handle(self, client: Client) -> AsyncGenerator[float | None, Request]:
        first = yield None
        await client.send_packet(Response(first.text))
        try:
            second = yield self.delay
        except TimeoutError:
            await client.send_packet(TimedOut())
        else:
            await client.send_packet(Response(f"another {second.text}"))


class Scoped(Patient):
    """Waits in a scope of some library."""

    too_slow: type[Exception] = TimeoutError

    def scope(self, client: Client) -> AbstractContextManager[Any]:
        raise NotImplementedError

    async def handle(self, client: Client) -> AsyncGenerator[None, Request]:
        first = yield
        await client.send_packet(Response(first.text))
        try:
            with self.scope(client):
                second = yield
        except self.too_slow:
            await client.send_packet(TimedOut())
        else:
            await client.send_packet(Response(f"another {second.text}"))


class WithAnyIO(Scoped):
    def scope(self, client: Client) -> AbstractContextManager[Any]:
        return anyio.fail_after(self.delay)


class WithBackend(Scoped):
    def scope(self, client: Client) -> AbstractContextManager[Any]:
        return client.backend().timeout(self.delay)


class WithTrio(Scoped):
    too_slow = trio.TooSlowError

    def scope(self, client: Client) -> AbstractContextManager[Any]:
        return trio.fail_after(self.delay)


class WithAsyncIO(Patient):
    async def handle(self, client: Client) -> AsyncGenerator[None, Request]:
        first = yield
        await client.send_packet(Response(first.text))
        try:
            async with asyncio.timeout(self.delay):
                second = yield
        except TimeoutError:
            await client.send_packet(TimedOut())
        else:
            await client.send_packet(Response(f"another {second.text}"))


timeout_handlers = each_where_it_works(
    "kind",
    anywhere=[YieldingATimeout, WithAnyIO, WithBackend],
    asyncio=[WithAsyncIO],
    trio=[WithTrio],
)


class Service(Shouting):
    """Counts what it has done in the background."""

    def __init__(self) -> None:
        self.actions = 0

    def _say_goodbye(self) -> None:
        print("Service stopped")

    async def _count(self, sleep: Callable[[float], Awaitable[object]]) -> None:
        while True:
            await sleep(0.001)
            self.actions += 1


class ServiceOfAsyncIO(Service):
    async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any) -> None:
        exit_stack.callback(self._say_goodbye)
        tasks = await exit_stack.enter_async_context(asyncio.TaskGroup())
        self.counting = tasks.create_task(self._count(asyncio.sleep))


class ServiceOfTrio(Service):
    async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any) -> None:
        exit_stack.callback(self._say_goodbye)
        tasks = await exit_stack.enter_async_context(trio.open_nursery())
        tasks.start_soon(self._count, trio.sleep)


class ServiceOfBackend(Service):
    async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any) -> None:
        exit_stack.callback(self._say_goodbye)
        tasks = await exit_stack.enter_async_context(server.backend().create_task_group())
        tasks.start_soon(self._count, server.backend().sleep)


service_handlers = each_where_it_works(
    "kind", anywhere=[ServiceOfBackend], asyncio=[ServiceOfAsyncIO], trio=[ServiceOfTrio]
)
