# SPDX-License-Identifier: Apache-2.0
"""Threads and asyncio's own objects; the rules of every backend are in `check_tasks`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading

import pytest

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend, ThreadsPortal
from easynetwork.lowlevel.futures import AsyncExecutor

pytestmark = pytest.mark.anyio


async def test_sync_calls_return_awaitables_as_they_are(backend: AsyncBackend) -> None:
    async with backend.create_threads_portal() as portal:
        future = await backend.run_in_thread(portal.run_sync, asyncio.get_running_loop().create_future)

    assert isinstance(future, asyncio.Future)


async def test_a_cancelled_coroutine_is_a_cancelled_future(backend: AsyncBackend) -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    def in_thread(portal: ThreadsPortal) -> None:
        with pytest.raises(concurrent.futures.CancelledError):
            portal.run_coroutine(cancelled)

    async with backend.create_threads_portal() as portal:
        await backend.run_in_thread(in_thread, portal)


async def test_a_worker_may_finish_while_the_loop_waits_for_it(backend: AsyncBackend) -> None:
    release = threading.Event()

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        task = asyncio.create_task(AsyncExecutor(pool, backend).run(release.wait))
        await asyncio.sleep(0)
        release.set()

    assert await task is True
