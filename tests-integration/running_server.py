# SPDX-License-Identifier: Apache-2.0
"""A server that runs while a block does, and what a test waits for meanwhile."""

from __future__ import annotations

import functools
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from easynetwork.servers.abc import AbstractAsyncNetworkServer, AbstractNetworkServer

PATIENCE = 10.0
"""Seconds that a test waits for another thread."""


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


@contextmanager
def serving(server: AbstractNetworkServer, **options: Any) -> Generator[threading.Thread]:
    """A standalone server in a thread, which must be at its end when the block is."""
    is_up = threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"is_up_event": is_up, **options})
    thread.start()
    try:
        assert is_up.wait(PATIENCE)
        yield thread
    finally:
        server.shutdown(PATIENCE)
        thread.join(PATIENCE)
        assert not thread.is_alive()


async def until(condition: Callable[[], object]) -> None:
    """Lets the others run until it is so, where nobody tells that it is."""
    with anyio.fail_after(10):
        while not condition():
            await anyio.lowlevel.checkpoint()
