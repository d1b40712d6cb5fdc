# SPDX-License-Identifier: Apache-2.0
"""A server that runs while a block does, and what a test waits for meanwhile."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from easynetwork.servers.abc import AbstractAsyncNetworkServer


async def start(server: AbstractAsyncNetworkServer, tasks: TaskGroup) -> None:
    """Has a task of ``tasks`` serve, and returns when it does."""
    is_up = anyio.Event()
    tasks.start_soon(functools.partial(server.serve_forever, is_up_event=is_up))
    await is_up.wait()


@asynccontextmanager
async def running(server: AbstractAsyncNetworkServer) -> AsyncGenerator[TaskGroup]:
    """Serves while the block runs; gives the task group that does."""
    async with server, anyio.create_task_group() as tasks:
        await start(server, tasks)
        try:
            yield tasks
        finally:
            with anyio.CancelScope(shield=True):
                await server.shutdown()


async def until(condition: Callable[[], object]) -> None:
    """Lets the others run until it is so, where nobody tells that it is."""
    with anyio.fail_after(10):
        while not condition():
            await anyio.lowlevel.checkpoint()
