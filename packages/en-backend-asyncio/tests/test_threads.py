# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import threading

import pytest

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend, ThreadsPortal
from easynetwork.lowlevel.futures import AsyncExecutor

pytestmark = pytest.mark.anyio

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


async def get_variable() -> str:
    await asyncio.sleep(0)
    return variable.get()


async def test_calls_run_in_the_loop_with_the_caller_s_context(backend: AsyncBackend) -> None:
    loop = asyncio.get_running_loop()

    def in_thread(portal: ThreadsPortal) -> None:
        variable.set("by thread")

        assert portal.run_coroutine(get_variable) == "by thread"
        assert portal.run_sync(variable.get) == "by thread"
        assert portal.run_sync(asyncio.get_running_loop) is loop
        assert portal.run_sync(int, "ff", base=16) == 255
        assert portal.run_coroutine_soon(get_variable).result() == "by thread"

    async with backend.create_threads_portal() as portal:
        await backend.run_in_thread(in_thread, portal)

    assert variable.get() == "unset"


async def test_errors_go_to_the_caller_alone(backend: AsyncBackend) -> None:
    async def fails() -> None:
        raise ValueError("mine")

    def in_thread(portal: ThreadsPortal) -> None:
        with pytest.raises(ValueError, match="mine"):
            portal.run_coroutine(fails)
        with pytest.raises(ZeroDivisionError):
            portal.run_sync(lambda: 1 // 0)

    async with backend.create_threads_portal() as portal:
        await backend.run_in_thread(in_thread, portal)


async def test_sync_calls_keep_their_order(backend: AsyncBackend) -> None:
    order: list[int] = []

    def in_thread(portal: ThreadsPortal) -> None:
        for number in range(10):
            portal.run_sync_soon(order.append, number)

    async with backend.create_threads_portal() as portal:
        await backend.run_in_thread(in_thread, portal)

    assert order == list(range(10))


async def test_sync_calls_return_awaitables_as_they_are(backend: AsyncBackend) -> None:
    async with backend.create_threads_portal() as portal:
        future = await backend.run_in_thread(portal.run_sync, asyncio.get_running_loop().create_future)

    assert isinstance(future, asyncio.Future)


async def test_what_is_called_can_start_tasks(backend: AsyncBackend) -> None:
    ran = asyncio.Event()

    async def task() -> None:
        ran.set()

    async with backend.create_task_group() as group, backend.create_threads_portal() as portal:
        await backend.run_in_thread(lambda: portal.run_sync(lambda: group.start_soon(task)))
        await ran.wait()


async def test_cancelling_the_future_cancels_the_coroutine(backend: AsyncBackend) -> None:
    begun = asyncio.Event()
    ended = asyncio.Event()

    async def waits() -> None:
        begun.set()
        try:
            await backend.sleep_forever()
        finally:
            ended.set()

    async with backend.create_threads_portal() as portal:
        future = await backend.run_in_thread(portal.run_coroutine_soon, waits)
        await begun.wait()
        assert await backend.run_in_thread(future.cancel)
        await ended.wait()

    assert future.cancelled()


async def test_a_future_cancelled_in_time_never_begins(backend: AsyncBackend) -> None:
    calls: list[str] = []

    async def coroutine() -> None:
        calls.append("coroutine")

    async with backend.create_threads_portal() as portal:
        futures: list[concurrent.futures.Future[None]] = []

        def in_thread() -> None:
            futures.append(portal.run_coroutine_soon(coroutine))
            futures.append(portal.run_sync_soon(calls.append, "function"))

        thread = threading.Thread(target=in_thread)
        thread.start()
        thread.join()  # the event loop stands still meanwhile, and "soon" does not wait for it
        for future in futures:
            assert future.cancel()

    assert calls == []
    assert concurrent.futures.wait(futures, timeout=0).not_done == set()


async def test_a_cancelled_coroutine_is_a_cancelled_future(backend: AsyncBackend) -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    def in_thread(portal: ThreadsPortal) -> None:
        with pytest.raises(concurrent.futures.CancelledError):
            portal.run_coroutine(cancelled)

    async with backend.create_threads_portal() as portal:
        await backend.run_in_thread(in_thread, portal)


async def test_the_loop_s_own_thread_is_refused(backend: AsyncBackend) -> None:
    async with backend.create_threads_portal() as portal:
        with pytest.raises(RuntimeError, match="another thread"):
            portal.run_coroutine(get_variable)
        with pytest.raises(RuntimeError, match="another thread"):
            portal.run_sync_soon(print)


async def test_a_portal_that_is_not_open_is_refused(backend: AsyncBackend) -> None:
    portal = backend.create_threads_portal()
    with pytest.raises(RuntimeError, match="not open"):
        await backend.run_in_thread(portal.run_sync, print)

    async with portal:
        pass
    with pytest.raises(RuntimeError, match="not open"):
        await backend.run_in_thread(portal.run_sync, print)


async def test_closing_waits_for_what_was_accepted(backend: AsyncBackend) -> None:
    futures: list[concurrent.futures.Future[str]] = []

    async with backend.create_threads_portal() as portal:
        thread = threading.Thread(target=lambda: futures.append(portal.run_coroutine_soon(get_variable)))
        thread.start()
        thread.join()

    assert [future.result(timeout=0) for future in futures] == ["unset"]


async def test_a_cancelled_portal_cancels_what_runs(backend: AsyncBackend) -> None:
    futures: list[concurrent.futures.Future[None]] = []

    with backend.open_cancel_scope() as scope:
        async with backend.create_threads_portal() as portal:
            futures.append(await backend.run_in_thread(portal.run_coroutine_soon, backend.sleep_forever))
            scope.cancel()

    assert futures[0].cancelled()


async def test_a_worker_may_finish_while_the_loop_waits_for_it(backend: AsyncBackend) -> None:
    release = threading.Event()

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        task = asyncio.create_task(AsyncExecutor(pool, backend).run(release.wait))
        await asyncio.sleep(0)
        release.set()

    assert await task is True
