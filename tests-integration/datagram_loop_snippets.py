# SPDX-License-Identifier: Apache-2.0
"""The request handlers of "How-to - UDP Servers" and "Unix Datagram Servers" that use what an event loop has: timeouts and tasks in the background."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import trio
from datagram_snippets import MyRequestHandler, Request, Response, TimedOut
from loops import each_where_it_works

from easynetwork.lowlevel.request_handler import RecvParams
from easynetwork.servers.handlers import AsyncDatagramClient, AsyncDatagramRequestHandler


class Patient(AsyncDatagramRequestHandler[Request, Response]):
    """The documents wait for 30 seconds."""

    def __init__(self, delay: float) -> None:
        self.delay = delay


class TimeoutYieldedRequestHandler(Patient):
    async def handle(
        self,
        client: AsyncDatagramClient[Response],
    ) -> AsyncGenerator[RecvParams | None, Request]:
        # It is *never* useful to have a timeout for the 1st datagram
        # because the datagram is already in the queue.
        # The yielded value is simply ignored.
        request: Request = yield None

        ...

        await client.send_packet(Response(request.text))

        try:
            # The client has 30 seconds to send the 2nd request to the server.
            another_request: Request = yield RecvParams(timeout=self.delay)
        except TimeoutError:
            await client.send_packet(TimedOut())
        else:
            await client.send_packet(Response(f"another {another_request.text}"))


class NumberYieldedRequestHandler(Patient):
    """The deprecated form."""

    async def handle(
        self,
        client: AsyncDatagramClient[Response],
    ) -> AsyncGenerator[float | None, Request]:
        request: Request = yield None

        await client.send_packet(Response(request.text))

        try:
            # The client has 30 seconds to send the 2nd request to the server.
            another_request: Request = yield self.delay
        except TimeoutError:
            await client.send_packet(TimedOut())
        else:
            await client.send_packet(Response(f"another {another_request.text}"))


class TimeoutContextRequestHandlerAsyncIO(Patient):
    async def handle(
        self,
        client: AsyncDatagramClient[Response],
    ) -> AsyncGenerator[None, Request]:
        request: Request = yield

        await client.send_packet(Response(request.text))

        try:
            # The client has 30 seconds to send the 2nd request to the server.
            async with asyncio.timeout(self.delay):
                another_request: Request = yield
        except TimeoutError:
            await client.send_packet(TimedOut())
        else:
            await client.send_packet(Response(f"another {another_request.text}"))


class TimeoutContextRequestHandlerTrio(Patient):
    async def handle(
        self,
        client: AsyncDatagramClient[Response],
    ) -> AsyncGenerator[None, Request]:
        request: Request = yield

        await client.send_packet(Response(request.text))

        try:
            # The client has 30 seconds to send the 2nd request to the server.
            with trio.fail_after(self.delay):
                another_request: Request = yield
        except trio.TooSlowError:
            await client.send_packet(TimedOut())
        else:
            await client.send_packet(Response(f"another {another_request.text}"))


class TimeoutContextRequestHandlerAnyIO(Patient):
    async def handle(
        self,
        client: AsyncDatagramClient[Response],
    ) -> AsyncGenerator[None, Request]:
        request: Request = yield

        await client.send_packet(Response(request.text))

        try:
            with anyio.fail_after(self.delay):
                another_request: Request = yield
        except TimeoutError:
            await client.send_packet(TimedOut())
        else:
            await client.send_packet(Response(f"another {another_request.text}"))


class TimeoutContextRequestHandlerWithClientBackend(Patient):
    async def handle(
        self,
        client: AsyncDatagramClient[Response],
    ) -> AsyncGenerator[None, Request]:
        request: Request = yield

        await client.send_packet(Response(request.text))

        try:
            with client.backend().timeout(self.delay):
                another_request: Request = yield
        except TimeoutError:
            await client.send_packet(TimedOut())
        else:
            await client.send_packet(Response(f"another {another_request.text}"))


timeout_handlers = each_where_it_works(
    "kind",
    anywhere=[
        TimeoutYieldedRequestHandler,
        TimeoutContextRequestHandlerAnyIO,
        TimeoutContextRequestHandlerWithClientBackend,
    ],
    asyncio=[TimeoutContextRequestHandlerAsyncIO],
    trio=[TimeoutContextRequestHandlerTrio],
)


class ServiceInitialization(MyRequestHandler):
    """Counts what it has done in the background."""

    def __init__(self) -> None:
        self.actions = 0

    def _service_quit(self) -> None:
        print("Service stopped")


class ServiceInitializationHookRequestHandlerAsyncIO(ServiceInitialization):
    async def service_init(
        self,
        exit_stack: contextlib.AsyncExitStack,
        server: Any,
    ) -> None:
        exit_stack.callback(self._service_quit)

        self.background_tasks = await exit_stack.enter_async_context(asyncio.TaskGroup())

        _ = self.background_tasks.create_task(self._service_actions())

    async def _service_actions(self) -> None:
        while True:
            await asyncio.sleep(0.001)

            # Do some stuff each second in background
            self.actions += 1


class ServiceInitializationHookRequestHandlerTrio(ServiceInitialization):
    async def service_init(
        self,
        exit_stack: contextlib.AsyncExitStack,
        server: Any,
    ) -> None:
        exit_stack.callback(self._service_quit)

        self.background_tasks = await exit_stack.enter_async_context(trio.open_nursery())

        self.background_tasks.start_soon(self._service_actions)

    async def _service_actions(self) -> None:
        while True:
            await trio.sleep(0.001)

            # Do some stuff each second in background
            self.actions += 1


class ServiceInitializationHookRequestHandlerWithServerBackend(ServiceInitialization):
    async def service_init(
        self,
        exit_stack: contextlib.AsyncExitStack,
        server: Any,
    ) -> None:
        exit_stack.callback(self._service_quit)

        self.background_tasks = await exit_stack.enter_async_context(server.backend().create_task_group())

        self.background_tasks.start_soon(self._service_actions, server.backend())

    async def _service_actions(self, backend: Any) -> None:
        while True:
            await backend.sleep(0.001)

            # Do some stuff each second in background
            self.actions += 1


service_handlers = each_where_it_works(
    "kind",
    anywhere=[ServiceInitializationHookRequestHandlerWithServerBackend],
    asyncio=[ServiceInitializationHookRequestHandlerAsyncIO],
    trio=[ServiceInitializationHookRequestHandlerTrio],
)
