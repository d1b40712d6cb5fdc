# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.fair_lock import FairLock

pytestmark = pytest.mark.anyio


@pytest.fixture
def lock(backend: AsyncBackend) -> FairLock:
    return FairLock(backend)


async def test_a_free_lock_is_taken_without_waiting(lock: FairLock) -> None:
    taking = lock.acquire()
    with pytest.raises(StopIteration):  # it ends at its first step: the event loop has not run
        taking.send(None)

    assert lock.locked()
    assert not lock.acquire_nowait()
    lock.release()
    assert lock.acquire_nowait()


async def test_a_lock_that_is_not_taken_cannot_be_released(lock: FairLock) -> None:
    with pytest.raises(RuntimeError, match="not taken"):
        lock.release()
    async with lock:
        pass
    with pytest.raises(RuntimeError, match="not taken"):
        lock.release()


async def test_a_released_lock_goes_to_who_waits_not_to_who_comes(backend: AsyncBackend, lock: FairLock) -> None:
    async with backend.create_task_group() as tasks:
        await lock.acquire()
        waiter = await tasks.start(lock.acquire)
        await backend.coro_yield()
        lock.release()

        assert not lock.acquire_nowait()
        assert await waiter.join()


async def test_a_waiter_that_is_cancelled_gives_up_its_place(backend: AsyncBackend, lock: FairLock) -> None:
    async with backend.create_task_group() as tasks:
        await lock.acquire()
        first = await tasks.start(lock.acquire)
        second = await tasks.start(lock.acquire)
        await backend.coro_yield()
        first.cancel()
        await first.wait()
        lock.release()

        assert await second.join()
    lock.release()
    assert not lock.locked()


async def test_a_waiter_cancelled_when_it_was_its_turn_hands_it_on(backend: AsyncBackend, lock: FairLock) -> None:
    async with backend.create_task_group() as tasks:
        await lock.acquire()
        first = await tasks.start(lock.acquire)
        second = await tasks.start(lock.acquire)
        await backend.coro_yield()
        first.cancel()
        lock.release()  # the first one's turn, which does not know yet that it is cancelled

        assert await second.join()
    assert first.cancelled() or await first.join()
