# SPDX-License-Identifier: Apache-2.0
"""Rules of `Synchronization`, and of the fair lock."""

from __future__ import annotations

from typing import Final

from ..api_async.backend.abc import AsyncBackend, ICondition, ILock
from ._rules import must_raise, until_idle

__all__ = ("SYNC_RULES",)


async def _a_lock_excludes(backend: AsyncBackend) -> None:
    lock = backend.create_lock()
    assert not lock.locked()
    async with lock:
        assert lock.locked()
        await must_raise(RuntimeError, lock.acquire())
        with backend.move_on_after(0) as scope:
            await _in_another_task(backend, lock)
        assert scope.cancelled_caught()
    assert not lock.locked()
    _must_not_be_ours(lock)
    await _in_another_task(backend, lock)


async def _locks_are_taken_in_the_order_of_arrival(backend: AsyncBackend) -> None:
    for lock in (backend.create_lock(), backend.create_fair_lock()):
        order: list[int] = []

        async def take(number: int, lock: ILock = lock, order: list[int] = order) -> None:
            async with lock:
                order.append(number)

        async with backend.create_task_group() as group, lock:
            for number in range(5):
                await group.start(take, number)
                await until_idle(backend)
            assert order == []
        assert order == [0, 1, 2, 3, 4]


async def _a_cancelled_acquire_has_not_taken_the_lock(backend: AsyncBackend) -> None:
    for lock in (backend.create_lock(), backend.create_fair_lock()):
        async with backend.create_task_group() as group:
            async with lock:
                first = await group.start(lock.acquire)
                second = await group.start(_in_another_task, backend, lock)
                await until_idle(backend)
                first.cancel()
            await second.join()
        assert not lock.locked()


async def _an_event_wakes_everybody_for_good(backend: AsyncBackend) -> None:
    event = backend.create_event()
    assert not event.is_set()
    async with backend.create_task_group() as group:
        waiters = [await group.start(event.wait) for _ in range(3)]
        await until_idle(backend)
        assert not any(waiter.done() for waiter in waiters)
        event.set()
        event.set()
    assert event.is_set()
    await event.wait()


async def _a_condition_wakes_as_many_as_it_says(backend: AsyncBackend) -> None:
    lock = backend.create_lock()
    condition = backend.create_condition_var(lock)
    woken: list[int] = []

    async def wait(number: int) -> None:
        async with condition:
            await condition.wait()
            woken.append(number)

    async with backend.create_task_group() as group:
        for number in range(4):
            await group.start(wait, number)
            await until_idle(backend)
        for count in (1, 2):
            async with condition:
                assert lock.locked()
                condition.notify(count)
            await until_idle(backend)
        assert woken[0] == 0
        assert sorted(woken) == [0, 1, 2], woken
        async with condition:
            condition.notify_all()
    assert sorted(woken) == [0, 1, 2, 3], woken


async def _a_condition_is_for_who_has_its_lock(backend: AsyncBackend) -> None:
    condition: ICondition = backend.create_condition_var()
    await must_raise(RuntimeError, condition.wait())
    for notify in (condition.notify, condition.notify_all):
        try:
            notify()
        except RuntimeError:
            continue
        raise AssertionError("a condition was notified without its lock")


async def _a_cancelled_wait_has_the_lock_again(backend: AsyncBackend) -> None:
    condition = backend.create_condition_var()
    async with condition:
        with backend.move_on_after(0) as scope:
            await condition.wait()
        assert scope.cancelled_caught()
        assert condition.locked()
    assert not condition.locked()


async def _a_condition_wants_a_lock_of_the_backend(backend: AsyncBackend) -> None:
    try:
        backend.create_condition_var(backend.create_fair_lock())
    except TypeError:
        return
    raise AssertionError("a condition was made over a lock that is not the backend's")


async def _in_another_task(backend: AsyncBackend, lock: ILock) -> None:
    async def take() -> None:
        async with lock:
            pass

    async with backend.create_task_group() as group:
        group.start_soon(take)


def _must_not_be_ours(lock: ILock) -> None:
    try:
        lock.release()
    except RuntimeError:
        return
    raise AssertionError("a lock was released by a task that did not have it")


SYNC_RULES: Final = (
    _a_lock_excludes,
    _locks_are_taken_in_the_order_of_arrival,
    _a_cancelled_acquire_has_not_taken_the_lock,
    _an_event_wakes_everybody_for_good,
    _a_condition_wakes_as_many_as_it_says,
    _a_condition_is_for_who_has_its_lock,
    _a_cancelled_wait_has_the_lock_again,
    _a_condition_wants_a_lock_of_the_backend,
)
