# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextvars
import math
import socket
import threading

import anyio
import anyio.lowlevel
import pytest

from easynetwork.exceptions import UnsupportedOperation
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend, Task, TaskInfo

pytestmark = pytest.mark.anyio

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


async def test_time_goes_on(backend: AsyncBackend) -> None:
    before = backend.current_time()
    await backend.sleep(0)
    await backend.sleep_until(before)

    assert backend.current_time() >= before


@pytest.mark.parametrize("limit", ["timeout", "timeout_at"])
async def test_timeouts_raise_the_builtin_error(backend: AsyncBackend, limit: str) -> None:
    when = 0 if limit == "timeout" else backend.current_time()

    with pytest.raises(TimeoutError), getattr(backend, limit)(when):
        await backend.sleep_forever()


@pytest.mark.parametrize("limit", ["move_on_after", "move_on_at"])
async def test_move_on_leaves_silently(backend: AsyncBackend, limit: str) -> None:
    when = 0 if limit == "move_on_after" else backend.current_time()

    with getattr(backend, limit)(when) as scope:
        await backend.sleep_forever()

    assert scope.cancel_called()
    assert scope.cancelled_caught()


async def test_a_timeout_that_is_cancelled_by_hand_is_left_silently(backend: AsyncBackend) -> None:
    with backend.timeout(math.inf) as scope:
        scope.cancel()
        await backend.sleep_forever()

    assert scope.cancelled_caught()


async def test_a_timeout_in_time_does_nothing(backend: AsyncBackend) -> None:
    with backend.timeout(60) as scope:
        await backend.coro_yield()

    assert not scope.cancel_called()


async def test_scopes_can_be_rescheduled(backend: AsyncBackend) -> None:
    with backend.open_cancel_scope() as scope:
        assert scope.deadline == scope.when() == math.inf
        scope.deadline = 1.0
        assert scope.when() == 1.0
        scope.reschedule(backend.current_time())
        await backend.sleep_forever()

    assert scope.cancelled_caught()
    with pytest.raises(ValueError, match="NaN"):
        scope.reschedule(math.nan)


async def test_cancellation_inside_a_scope_is_the_backends_error(backend: AsyncBackend) -> None:
    with backend.open_cancel_scope() as scope:
        scope.cancel()
        with pytest.raises(backend.get_cancelled_exc_class()):
            await backend.coro_yield()


async def test_shielded_yield_is_not_interrupted(backend: AsyncBackend) -> None:
    with backend.open_cancel_scope() as scope:
        scope.cancel()
        await backend.cancel_shielded_coro_yield()

    assert not scope.cancelled_caught()


async def test_ignored_cancellation_is_delivered_afterwards(backend: AsyncBackend) -> None:
    reached: list[str] = []

    async def work() -> str:
        await backend.coro_yield()
        return "result"

    with backend.open_cancel_scope() as scope:
        scope.cancel()
        reached.append(await backend.ignore_cancellation(work()))
        await backend.coro_yield()
        reached.append("not reached")

    assert reached == ["result"]


async def test_start_waits_until_the_task_has_begun(backend: AsyncBackend) -> None:
    begun: list[TaskInfo] = []

    go_on = backend.create_event()

    async def task() -> str:
        begun.append(backend.get_current_task())
        await go_on.wait()
        return "result"

    async with backend.create_task_group() as group:
        started = await group.start(task, name="a name")

        assert begun == [started.info]
        assert started.info.name == "a name"
        assert not started.done()
        go_on.set()
        assert await started.join() == "result"

    assert started.done()
    assert not started.cancelled()
    assert not started.cancel()


async def test_start_soon_does_not_wait(backend: AsyncBackend) -> None:
    names: list[str] = []

    async def task(_: object) -> None:
        names.append(backend.get_current_task().name)

    async with backend.create_task_group() as group:
        group.start_soon(task, None)
        group.start_soon(task, None, name="given")
        assert names == []

    assert len(names) == 2
    assert any(name.endswith("task") for name in names)
    assert "given" in names


async def test_tasks_have_a_copy_of_the_context(backend: AsyncBackend) -> None:
    seen: list[str] = []

    async def task() -> None:
        seen.append(variable.get())
        variable.set("by task")

    variable.set("by test")
    async with backend.create_task_group() as group:
        group.start_soon(task)
        await group.start(task)

    assert seen == ["by test", "by test"]
    assert variable.get() == "by test"


async def test_a_cancelled_task_disturbs_nobody(backend: AsyncBackend) -> None:
    async with backend.create_task_group() as group:
        cancelled = await group.start(backend.sleep_forever)
        assert cancelled.cancel()
        await cancelled.wait()

        assert cancelled.done()
        assert cancelled.cancelled()
        with pytest.raises(backend.get_cancelled_exc_class()):
            await cancelled.join()
        assert await (await group.start(returns, 1)).join() == 1


async def test_a_cancellation_that_leaks_out_of_a_task_disturbs_nobody(backend: AsyncBackend) -> None:
    async with backend.create_task_group() as group:
        cancelled = await group.start(backend.sleep_forever)
        cancelled.cancel()
        leaking = await group.start(cancelled.join)
        group.start_soon(cancelled.join)
        await leaking.wait()
        await backend.coro_yield()

        assert leaking.cancelled()
        assert await (await group.start(returns, 1)).join() == 1


async def test_errors_leave_as_a_group_and_cancel_the_others(backend: AsyncBackend) -> None:
    async def fails() -> None:
        raise ValueError("mine")

    others: list[Task[None]] = []
    with pytest.raises(ExceptionGroup) as caught:
        async with backend.create_task_group() as group:
            others.append(await group.start(backend.sleep_forever))
            group.start_soon(fails)

    assert [repr(exc) for exc in caught.value.exceptions] == ["ValueError('mine')"]
    assert others[0].cancelled()


async def test_join_raises_what_the_task_raised(backend: AsyncBackend) -> None:
    async def fails() -> None:
        await backend.coro_yield()
        raise ValueError("mine")

    tasks: list[Task[None]] = []
    with pytest.raises(ExceptionGroup):
        async with backend.create_task_group() as group:
            tasks.append(await group.start(fails))

    assert tasks[0].done()
    with pytest.raises(ValueError, match="mine"):
        await tasks[0].join()


async def test_a_cancelled_group_leaves_with_one_cancellation(backend: AsyncBackend) -> None:
    with backend.open_cancel_scope() as scope:
        with pytest.raises(backend.get_cancelled_exc_class()):
            async with backend.create_task_group() as group:
                for _ in range(3):
                    await group.start(backend.sleep_forever)
                scope.cancel()
                await backend.sleep_forever()
        await backend.coro_yield()

    assert scope.cancelled_caught()


async def test_cancelled_join_leaves_the_task_alone(backend: AsyncBackend) -> None:
    async with backend.create_task_group() as group:
        task = await group.start(backend.sleep_forever)
        with backend.move_on_after(0):
            await task.join()
        await backend.coro_yield()

        assert not task.done()
        task.cancel()


async def test_cancelled_join_or_cancel_ends_the_task_first(backend: AsyncBackend) -> None:
    async def stubborn() -> None:
        try:
            await backend.sleep_forever()
        finally:
            await backend.ignore_cancellation(backend.coro_yield())

    async with backend.create_task_group() as group:
        task = await group.start(stubborn)
        with backend.move_on_after(0) as scope:
            await task.join_or_cancel()

        assert scope.cancelled_caught()
        assert task.done()
        assert await (await group.start(returns, 1)).join_or_cancel() == 1


async def test_a_closed_group_starts_nothing(backend: AsyncBackend) -> None:
    async with backend.create_task_group() as group:
        pass

    with pytest.raises(RuntimeError):
        group.start_soon(backend.coro_yield)


async def test_gather_keeps_the_order(backend: AsyncBackend) -> None:
    assert await backend.gather(returns(1), returns(2), returns(3)) == [1, 2, 3]
    assert await backend.gather() == []


async def test_gather_cancels_the_others_and_leaves_no_coroutine_behind(backend: AsyncBackend) -> None:
    async def fails() -> None:
        raise ValueError("mine")

    with pytest.raises(ExceptionGroup) as caught:
        await backend.gather(backend.sleep_forever(), fails(), backend.sleep_forever())

    assert caught.group_contains(ValueError, match="mine")


async def test_lock_excludes(backend: AsyncBackend) -> None:
    lock = backend.create_lock()
    async with lock:
        assert lock.locked()
        with pytest.raises(RuntimeError):
            await lock.acquire()
    assert not lock.locked()


@pytest.mark.parametrize("fair", [True, False])
async def test_locks_are_taken_in_the_order_of_arrival(backend: AsyncBackend, fair: bool) -> None:
    lock = backend.create_fair_lock() if fair else backend.create_lock()
    order: list[int] = []

    async def take(number: int) -> None:
        async with lock:
            order.append(number)

    async with backend.create_task_group() as group, lock:
        for number in range(5):
            await group.start(take, number)
            await anyio.wait_all_tasks_blocked()

    assert order == [0, 1, 2, 3, 4]


async def test_event(backend: AsyncBackend) -> None:
    event = backend.create_event()
    assert not event.is_set()

    async with backend.create_task_group() as group:
        await group.start(event.wait)
        event.set()
        event.set()

    assert event.is_set()
    await event.wait()


async def test_condition_wakes_its_waiters(backend: AsyncBackend) -> None:
    lock = backend.create_lock()
    condition = backend.create_condition_var(lock)
    woken: list[int] = []

    async def wait(number: int) -> None:
        async with condition:
            await condition.wait()
            woken.append(number)

    async with backend.create_task_group() as group:
        waiters = [await group.start(wait, number) for number in range(3)]
        async with condition:
            assert lock.locked()
            condition.notify()
        await waiters[0].join()
        assert woken == [0]
        async with condition:
            condition.notify_all()

    assert sorted(woken) == [0, 1, 2]


async def test_condition_wants_a_lock_of_the_backend(backend: AsyncBackend) -> None:
    backend.create_condition_var()
    with pytest.raises(TypeError, match="lock"):
        backend.create_condition_var(backend.create_fair_lock())


async def test_run_in_thread_runs_elsewhere_with_the_context(backend: AsyncBackend) -> None:
    variable.set("by test")

    thread, value = await backend.run_in_thread(lambda: (threading.get_ident(), variable.get()))

    assert thread != threading.get_ident()
    assert value == "by test"


async def test_run_in_thread_returns_before_the_cancellation(backend: AsyncBackend) -> None:
    release = threading.Event()
    results: list[bool] = []

    async with backend.create_task_group() as group:
        with backend.open_cancel_scope() as scope:

            async def cancel() -> None:
                scope.cancel()
                await backend.coro_yield()
                release.set()

            group.start_soon(cancel)
            results.append(await backend.run_in_thread(release.wait))
            await backend.coro_yield()
            results.append(False)

    assert results == [True]


async def test_run_in_thread_can_be_abandoned(backend: AsyncBackend) -> None:
    release = threading.Event()

    with backend.move_on_after(0) as scope:
        await backend.run_in_thread(release.wait, abandon_on_cancel=True)
    release.set()

    assert scope.cancelled_caught()


async def test_numeric_addresses_need_no_thread(backend: AsyncBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anyio.to_thread, "run_sync", None)

    infos = await backend.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)

    assert [info[4] for info in infos] == [("127.0.0.1", 80)]


async def test_names_are_resolved(backend: AsyncBackend) -> None:
    infos = await backend.getaddrinfo("localhost", 80, family=socket.AF_INET, type=socket.SOCK_STREAM)

    assert ("127.0.0.1", 80) in [info[4] for info in infos]
    assert await backend.getnameinfo(("127.0.0.1", 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV) == (
        "127.0.0.1",
        "80",
    )


async def test_unknown_names_are_os_errors(backend: AsyncBackend) -> None:
    with pytest.raises(socket.gaierror):
        await backend.getaddrinfo("not a name", 80)


async def test_unix_sockets_are_optional(backend: AsyncBackend) -> None:
    with pytest.raises(UnsupportedOperation, match="BareBackend"):
        await backend.create_unix_stream_listener("/nowhere", 1)


async def returns(value: int) -> int:
    await anyio.lowlevel.checkpoint()
    return value
