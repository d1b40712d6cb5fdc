# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import contextvars

import pytest

from easynetwork.backends.asyncio.waiter import Waiter
from easynetwork.exceptions import BusyResourceError

pytestmark = pytest.mark.anyio

where: contextvars.ContextVar[str] = contextvars.ContextVar("where", default="nowhere")


@pytest.fixture
async def idle() -> list[str]:
    return []


@pytest.fixture
async def waiter(idle: list[str]) -> Waiter:
    return Waiter(asyncio.get_running_loop(), lambda: idle.append("nobody waits"))


async def suspended(waiter: Waiter, steps: list[str]) -> asyncio.Task[None]:
    """A task that waits, and writes down how it went on."""

    async def wait() -> None:
        where.set("inside")
        await waiter.wait()
        task = asyncio.current_task()
        assert task is not None
        steps.append(f"{task.get_name()} {where.get()}")

    task = asyncio.create_task(wait(), name="waiting")
    await asyncio.sleep(0)
    assert waiter.is_waited_for
    return task


async def test_a_wake_runs_the_task_at_once_in_its_own_name_and_context(waiter: Waiter) -> None:
    steps: list[str] = []
    task = await suspended(waiter, steps)
    loop = asyncio.get_running_loop()
    seen = loop.create_future()

    def callback() -> None:
        waiter.wake()
        seen.set_result((list(steps), where.get()))

    loop.call_soon(callback)

    assert await seen == (["waiting inside"], "nowhere")
    await task


async def test_a_wake_without_a_task_says_that_nobody_waits(waiter: Waiter, idle: list[str]) -> None:
    waiter.wake()

    assert idle == ["nobody waits"]


async def test_an_error_is_raised_in_the_next_turn(waiter: Waiter) -> None:
    task = await suspended(waiter, [])

    waiter.wake_soon(LookupError("gone"))
    waiter.wake_soon(LookupError("too late"))

    assert not task.done()
    with pytest.raises(LookupError, match="gone"):
        await task


async def test_a_cancelled_task_is_not_woken_by_what_comes_after(waiter: Waiter, idle: list[str]) -> None:
    steps: list[str] = []
    task = await suspended(waiter, steps)

    task.cancel("enough")
    assert not waiter.is_waited_for
    waiter.wake()

    with pytest.raises(asyncio.CancelledError, match="enough"):
        await task
    assert (steps, idle) == ([], ["nobody waits"])


async def test_a_timeout_around_a_wait_is_a_timeout(waiter: Waiter) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await waiter.wait()

    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_one_task_waits_at_a_time(waiter: Waiter) -> None:
    task = await suspended(waiter, [])

    with pytest.raises(BusyResourceError):
        await waiter.wait()

    asyncio.get_running_loop().call_soon(waiter.wake)
    await task


async def test_it_can_be_waited_for_again_and_again(waiter: Waiter) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(3):
        loop.call_soon(waiter.wake)
        await waiter.wait()
