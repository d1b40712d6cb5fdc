# SPDX-License-Identifier: Apache-2.0
"""Cancel scopes of every framework, for what must be possible in all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import anyio
import trio
from loops import each_where_it_works

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend

Cut = Callable[[], object]
"""Ends what runs in an open scope, by cancelling it or by moving its deadline into the past."""

OpenScope = Callable[[AsyncExitStack, AsyncBackend], Awaitable[Cut]]
"""Opens a scope on a stack. When it is cut, the stack swallows the cancellation, or raises one of `TIME_IS_UP`."""

TIME_IS_UP = (TimeoutError, trio.TooSlowError)


async def asyncio_timeout(stack: AsyncExitStack, backend: AsyncBackend) -> Cut:
    timeout = await stack.enter_async_context(asyncio.timeout(60))
    return lambda: timeout.reschedule(0)


async def trio_fail_after(stack: AsyncExitStack, backend: AsyncBackend) -> Cut:
    scope = stack.enter_context(trio.fail_after(60))
    return lambda: setattr(scope, "deadline", 0)


async def trio_cancel_scope(stack: AsyncExitStack, backend: AsyncBackend) -> Cut:
    return stack.enter_context(trio.CancelScope()).cancel


async def trio_nursery(stack: AsyncExitStack, backend: AsyncBackend) -> Cut:
    nursery = await stack.enter_async_context(trio.open_nursery())
    return nursery.cancel_scope.cancel


async def anyio_fail_after(stack: AsyncExitStack, backend: AsyncBackend) -> Cut:
    scope = stack.enter_context(anyio.fail_after(60))
    return lambda: setattr(scope, "deadline", 0)


async def anyio_task_group(stack: AsyncExitStack, backend: AsyncBackend) -> Cut:
    group = await stack.enter_async_context(anyio.create_task_group())
    return group.cancel_scope.cancel


async def backend_timeout(stack: AsyncExitStack, backend: AsyncBackend) -> Cut:
    scope = stack.enter_context(backend.timeout(60))
    return lambda: scope.reschedule(0)


async def backend_cancel_scope(stack: AsyncExitStack, backend: AsyncBackend) -> Cut:
    return stack.enter_context(backend.open_cancel_scope()).cancel


in_every_scope = each_where_it_works(
    "open_scope",
    anywhere=[anyio_fail_after, anyio_task_group, backend_timeout, backend_cancel_scope],
    asyncio=[asyncio_timeout],
    trio=[trio_fail_after, trio_cancel_scope, trio_nursery],
)
