# SPDX-License-Identifier: Apache-2.0
"""What differs from `AnyIOBackend`: `asyncio.Task.cancel`, and tasks that anyio did not start."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend

pytestmark = pytest.mark.anyio


async def until_idle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_current_task_is_asyncio_s(backend: AsyncBackend) -> None:
    task = asyncio.create_task(asyncio.to_thread(int), name="other")
    info = backend.get_current_task()
    await task

    assert info == backend.get_current_task()
    assert info.id == id(asyncio.current_task())
    assert info.coro is not None


async def test_a_callback_has_no_current_task(backend: AsyncBackend) -> None:
    future: asyncio.Future[None] = asyncio.Future()

    def callback() -> None:
        try:
            backend.get_current_task()
        except RuntimeError as exc:
            future.set_exception(exc)

    asyncio.get_running_loop().call_soon(callback)
    with pytest.raises(RuntimeError, match="no task"):
        await future


async def test_ignored_native_cancellations_are_delivered_once_afterwards(backend: AsyncBackend) -> None:
    go_on = asyncio.Event()
    reached: list[object] = []

    async def work() -> str:
        await go_on.wait()
        return "result"

    async def main() -> None:
        reached.append(await backend.ignore_cancellation(work()))
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError as exc:
            reached.append(exc.args)
        await asyncio.sleep(0)
        reached.append("end")

    task = asyncio.create_task(main())
    await until_idle()
    task.cancel("first")
    await until_idle()
    task.cancel("second")
    await until_idle()
    assert not task.done()
    go_on.set()
    await task

    assert reached == ["result", ("second",), "end"]


async def test_a_task_that_ends_with_an_ignored_cancellation_counts_as_cancelled(backend: AsyncBackend) -> None:
    go_on = asyncio.Event()
    task = asyncio.create_task(backend.ignore_cancellation(go_on.wait()))
    await until_idle()
    task.cancel()
    await until_idle()
    go_on.set()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_ignored_timeout_of_asyncio_is_still_a_timeout(backend: AsyncBackend) -> None:
    async def work() -> None:
        timeout.reschedule(backend.current_time())
        await until_idle()
        assert timeout.expired()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(None) as timeout:
            await backend.ignore_cancellation(work())
            await asyncio.sleep(0)


async def test_shielded_yield_survives_native_cancellation(backend: AsyncBackend) -> None:
    reached: list[str] = []

    async def main() -> None:
        await backend.cancel_shielded_coro_yield()
        reached.append("here")
        await asyncio.sleep(0)
        reached.append("not here")

    task = asyncio.create_task(main())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert reached == ["here"]


async def test_run_in_thread_survives_native_cancellation(backend: AsyncBackend) -> None:
    release = threading.Event()
    task = asyncio.create_task(backend.run_in_thread(release.wait))
    await until_idle()
    task.cancel()
    await until_idle()
    assert not task.done()
    release.set()
    await asyncio.wait([task])

    assert task.cancelled()


async def cancel_yourself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


async def await_a_cancelled_task() -> None:
    task = asyncio.create_task(asyncio.sleep(0))
    task.cancel()
    await task


@pytest.mark.parametrize("deed", [cancel_yourself, await_a_cancelled_task])
async def test_native_cancellation_of_one_task_disturbs_nobody(
    backend: AsyncBackend, deed: Callable[[], Awaitable[None]]
) -> None:
    async def run() -> None:
        await deed()

    async with backend.create_task_group() as group:
        sibling = await group.start(backend.sleep_forever)
        group.start_soon(run)
        task = await group.start(run)
        await task.wait()
        await until_idle()

        assert task.cancelled()
        assert not sibling.done()
        sibling.cancel()


async def test_native_cancellation_of_the_owner_ends_the_group(backend: AsyncBackend) -> None:
    ended: list[str] = []

    async def child() -> None:
        try:
            await backend.sleep_forever()
        finally:
            ended.append("child")

    async def main() -> None:
        async with backend.create_task_group() as group:
            await group.start(child)
            group.start_soon(child)

    task = asyncio.create_task(main())
    await until_idle()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["child", "child"]


async def test_scopes_of_both_kinds_nest(backend: AsyncBackend) -> None:
    with backend.move_on_after(60) as outer:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await backend.sleep_forever()
        async with asyncio.timeout(60):
            with (inner := backend.move_on_after(0)):
                await backend.sleep_forever()
            assert inner.cancelled_caught()

    assert not outer.cancel_called()
