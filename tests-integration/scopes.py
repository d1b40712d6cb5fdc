# SPDX-License-Identifier: Apache-2.0
"""Cancel scopes and task groups of every framework, as a handler may have them open around its
``yield``, and a program around its server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import anyio
import trio
from loops import each_where_it_works

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend

# cancel scopes

Cut = Callable[[], object]
"""Cancels an open scope, or moves its deadline into the past. What that raises at the end of the
scope is suppressed."""

OpenScope = Callable[[AsyncBackend], AbstractAsyncContextManager[Cut]]


@asynccontextmanager
async def asyncio_timeout(backend: AsyncBackend) -> AsyncGenerator[Cut]:
    with suppress(TimeoutError):
        async with asyncio.timeout(60) as timeout:
            yield lambda: timeout.reschedule(0)


@asynccontextmanager
async def trio_fail_after(backend: AsyncBackend) -> AsyncGenerator[Cut]:
    with suppress(trio.TooSlowError), trio.fail_after(60) as scope:
        yield lambda: setattr(scope, "deadline", 0)


@asynccontextmanager
async def trio_cancel_scope(backend: AsyncBackend) -> AsyncGenerator[Cut]:
    with trio.CancelScope() as scope:
        yield scope.cancel


@asynccontextmanager
async def trio_nursery_scope(backend: AsyncBackend) -> AsyncGenerator[Cut]:
    async with trio.open_nursery() as nursery:
        yield nursery.cancel_scope.cancel


@asynccontextmanager
async def anyio_fail_after(backend: AsyncBackend) -> AsyncGenerator[Cut]:
    with suppress(TimeoutError), anyio.fail_after(60) as scope:
        yield lambda: setattr(scope, "deadline", 0)


@asynccontextmanager
async def anyio_cancel_scope(backend: AsyncBackend) -> AsyncGenerator[Cut]:
    with anyio.CancelScope() as scope:
        yield scope.cancel


@asynccontextmanager
async def anyio_task_group_scope(backend: AsyncBackend) -> AsyncGenerator[Cut]:
    async with anyio.create_task_group() as group:
        yield group.cancel_scope.cancel


@asynccontextmanager
async def backend_timeout(backend: AsyncBackend) -> AsyncGenerator[Cut]:
    with suppress(TimeoutError), backend.timeout(60) as scope:
        yield lambda: scope.reschedule(0)


@asynccontextmanager
async def backend_cancel_scope(backend: AsyncBackend) -> AsyncGenerator[Cut]:
    with backend.open_cancel_scope() as scope:
        yield scope.cancel


_ANYWHERE = (anyio_fail_after, anyio_cancel_scope, backend_timeout, backend_cancel_scope)
_ON_ASYNCIO = (asyncio_timeout,)
_ON_TRIO = (trio_fail_after, trio_cancel_scope)

each_scope = each_where_it_works("open_scope", anywhere=_ANYWHERE, asyncio=_ON_ASYNCIO, trio=_ON_TRIO)
"""Those that are left without waiting."""

each_scope_or_group = each_where_it_works(
    "open_scope",
    anywhere=[*_ANYWHERE, anyio_task_group_scope],
    asyncio=_ON_ASYNCIO,
    trio=[*_ON_TRIO, trio_nursery_scope],
)
"""Those of task groups too."""

# task groups

StartTask = Callable[[Callable[[], Coroutine[Any, Any, None]]], object]
"""Starts a task in an open group."""

OpenGroup = Callable[[AsyncBackend], AbstractAsyncContextManager[StartTask]]


@asynccontextmanager
async def asyncio_task_group(backend: AsyncBackend) -> AsyncGenerator[StartTask]:
    async with asyncio.TaskGroup() as group:
        yield lambda function: group.create_task(function())


@asynccontextmanager
async def trio_nursery(backend: AsyncBackend) -> AsyncGenerator[StartTask]:
    async with trio.open_nursery() as nursery:
        yield nursery.start_soon


@asynccontextmanager
async def anyio_task_group(backend: AsyncBackend) -> AsyncGenerator[StartTask]:
    async with anyio.create_task_group() as group:
        yield group.start_soon


@asynccontextmanager
async def backend_task_group(backend: AsyncBackend) -> AsyncGenerator[StartTask]:
    async with backend.create_task_group() as group:
        yield group.start_soon


each_task_group = each_where_it_works(
    "open_group",
    anywhere=[anyio_task_group, backend_task_group],
    asyncio=[asyncio_task_group],
    trio=[trio_nursery],
)
