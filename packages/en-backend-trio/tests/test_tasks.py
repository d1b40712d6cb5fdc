# SPDX-License-Identifier: Apache-2.0
"""The backend among trio's own scopes, nurseries and tasks."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend

pytestmark = pytest.mark.anyio


async def test_the_current_task_is_trio_s(backend: AsyncBackend) -> None:
    task = trio.lowlevel.current_task()
    info = backend.get_current_task()

    assert (info.id, info.name, info.coro) == (id(task), task.name, task.coro)


def test_outside_of_trio_there_is_no_current_task(backend: AsyncBackend) -> None:
    with pytest.raises(RuntimeError):
        backend.get_current_task()


async def test_scopes_of_both_kinds_nest(backend: AsyncBackend) -> None:
    inner = backend.move_on_after(0)
    with backend.move_on_after(60) as outer:
        with pytest.raises(trio.TooSlowError), trio.fail_after(0):
            await backend.sleep_forever()
        with trio.fail_after(60), inner:
            await backend.sleep_forever()
        with trio.fail_after(60), pytest.raises(TimeoutError), backend.timeout(0):
            await backend.sleep_forever()

    assert inner.cancelled_caught()
    assert not outer.cancel_called()


async def test_a_scope_of_trio_ends_a_task_group(backend: AsyncBackend) -> None:
    ended: list[str] = []

    async def child() -> None:
        try:
            await trio.sleep_forever()
        except backend.get_cancelled_exc_class():
            ended.append("child")
            raise

    with trio.CancelScope() as scope:
        async with backend.create_task_group() as tasks:
            await tasks.start(child)
            scope.cancel()

    assert scope.cancelled_caught
    assert ended == ["child"]


async def test_an_ignored_cancellation_of_trio_is_delivered_afterwards(backend: AsyncBackend) -> None:
    go_on = trio.Event()
    reached: list[object] = []

    async def work() -> str:
        await go_on.wait()
        return "result"

    async def main() -> None:
        with trio.CancelScope() as scope:
            scopes.append(scope)
            reached.append(await backend.ignore_cancellation(work()))
            await trio.lowlevel.checkpoint()
            reached.append("not here")

    scopes: list[trio.CancelScope] = []
    async with trio.open_nursery() as tasks:
        tasks.start_soon(main)
        await trio.testing.wait_all_tasks_blocked()
        scopes[0].cancel()
        await trio.testing.wait_all_tasks_blocked()
        go_on.set()

    assert reached == ["result"]
    assert scopes[0].cancelled_caught


async def test_tasks_of_a_nursery_use_locks_and_events_of_the_backend(backend: AsyncBackend) -> None:
    lock, event = backend.create_fair_lock(), backend.create_event()
    order: list[int] = []

    async def take(number: int) -> None:
        async with lock:
            await event.wait()
            order.append(number)

    async with trio.open_nursery() as tasks:
        for number in range(3):
            tasks.start_soon(take, number)
            await trio.testing.wait_all_tasks_blocked()
        event.set()

    assert order == [0, 1, 2]
