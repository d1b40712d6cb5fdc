# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import concurrent.futures
import contextvars
import threading
from collections.abc import Iterator

import pytest

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.futures import AsyncExecutor, unwrap_future

pytestmark = pytest.mark.anyio

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


@pytest.fixture
def one_thread() -> Iterator[concurrent.futures.ThreadPoolExecutor]:
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        yield executor


async def test_unwrap_gives_the_result_of_a_done_future(backend: AsyncBackend) -> None:
    future: concurrent.futures.Future[int] = concurrent.futures.Future()
    future.set_result(3)

    assert await unwrap_future(future, backend) == 3


async def test_unwrap_waits_for_another_thread(
    backend: AsyncBackend, one_thread: concurrent.futures.ThreadPoolExecutor
) -> None:
    release = threading.Event()
    future = one_thread.submit(release.wait)

    async with backend.create_task_group() as group:
        task = await group.start(unwrap_future, future, backend)
        await backend.coro_yield()
        assert not task.done()
        release.set()

        assert await task.join() is True


async def test_unwrap_can_be_finished_by_its_own_thread(backend: AsyncBackend) -> None:
    future: concurrent.futures.Future[int] = concurrent.futures.Future()

    async with backend.create_task_group() as group:
        task = await group.start(unwrap_future, future, backend)
        future.set_result(3)

        assert await task.join() == 3


async def test_unwrap_raises_the_future_s_error(
    backend: AsyncBackend, one_thread: concurrent.futures.ThreadPoolExecutor
) -> None:
    with pytest.raises(ZeroDivisionError):
        await unwrap_future(one_thread.submit(lambda: 1 // 0), backend)


async def test_cancelling_the_task_cancels_a_future_that_has_not_begun(backend: AsyncBackend) -> None:
    future: concurrent.futures.Future[int] = concurrent.futures.Future()

    with backend.move_on_after(0) as scope:
        await unwrap_future(future, backend)

    assert scope.cancelled_caught()
    assert future.cancelled()


async def test_cancelling_the_task_waits_for_a_future_that_runs(
    backend: AsyncBackend, one_thread: concurrent.futures.ThreadPoolExecutor
) -> None:
    begun = threading.Event()
    release = threading.Event()

    def work() -> bool:
        begun.set()
        return release.wait()

    future = one_thread.submit(work)
    await backend.run_in_thread(begun.wait)
    async with backend.create_task_group() as group:
        task = await group.start(unwrap_future, future, backend)
        task.cancel()
        for _ in range(5):
            await backend.coro_yield()
        assert not task.done()
        release.set()

    assert task.cancelled()
    assert future.result() is True


async def test_a_future_that_somebody_cancelled_raises(backend: AsyncBackend) -> None:
    future: concurrent.futures.Future[int] = concurrent.futures.Future()
    future.cancel()

    with pytest.raises(concurrent.futures.CancelledError):
        await unwrap_future(future, backend)


async def test_executor_runs_with_the_caller_s_context(backend: AsyncBackend) -> None:
    variable.set("by test")

    async with AsyncExecutor(concurrent.futures.ThreadPoolExecutor(1), backend) as executor:
        assert executor.backend() is backend
        assert await executor.run(variable.get) == "by test"
        assert await executor.run(int, "ff", base=16) == 255


async def test_executor_can_leave_contexts_alone(backend: AsyncBackend) -> None:
    variable.set("by test")

    async with AsyncExecutor(concurrent.futures.ThreadPoolExecutor(1), backend, handle_contexts=False) as executor:
        assert await executor.run(variable.get) == "unset"


async def test_map_keeps_the_order(backend: AsyncBackend) -> None:
    async with AsyncExecutor(concurrent.futures.ThreadPoolExecutor(2), backend) as executor:
        assert [result async for result in executor.map(pow, [1, 2, 3], [2, 2, 2])] == [1, 4, 9]


async def test_a_closed_map_cancels_what_has_not_begun(backend: AsyncBackend) -> None:
    release = threading.Event()
    ran: list[int] = []

    def work(number: int) -> int:
        if number:
            release.wait()
        ran.append(number)
        return number

    async with AsyncExecutor(concurrent.futures.ThreadPoolExecutor(1), backend) as executor:
        results = executor.map(work, range(5))
        assert await anext(results) == 0
        await results.aclose()
        release.set()

    assert set(ran) <= {0, 1}


async def test_shutdown_refuses_new_calls(backend: AsyncBackend) -> None:
    async with AsyncExecutor(concurrent.futures.ThreadPoolExecutor(1), backend) as executor:
        executor.shutdown_nowait(cancel_futures=True)

        with pytest.raises(RuntimeError):
            await executor.run(print)
        assert isinstance(executor.wrapped, concurrent.futures.ThreadPoolExecutor)


async def test_other_objects_are_type_errors(backend: AsyncBackend) -> None:
    with pytest.raises(TypeError, match="executor"):
        AsyncExecutor(threading.Thread(), backend)  # type: ignore[type-var]  # the error to be found
