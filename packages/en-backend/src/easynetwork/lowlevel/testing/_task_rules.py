# SPDX-License-Identifier: Apache-2.0
"""Rules of `Tasks` and `TaskGroup`."""

from __future__ import annotations

import contextvars
from collections.abc import Coroutine
from typing import Any, Final

from ..api_async.backend.abc import AsyncBackend, Task, TaskInfo
from ._rules import must_raise, until_idle

__all__ = ("TASK_RULES",)

_variable: contextvars.ContextVar[str] = contextvars.ContextVar("_variable")


async def _start_waits_until_the_task_has_begun(backend: AsyncBackend) -> None:
    begun: list[TaskInfo] = []
    go_on = backend.create_event()

    async def work(result: str) -> str:
        begun.append(backend.get_current_task())
        await go_on.wait()
        return result

    async with backend.create_task_group() as group:
        task = await group.start(work, "result", name="a name")
        assert begun == [task.info]
        assert task.info.name == "a name"
        assert not task.done()
        go_on.set()
        assert await task.join() == "result"
        await task.wait()
    assert task.done()
    assert not task.cancelled()
    assert not task.cancel()


async def _start_soon_does_not_wait(backend: AsyncBackend) -> None:
    names: list[str] = []

    async def work(_: object) -> None:
        names.append(backend.get_current_task().name)

    async with backend.create_task_group() as group:
        group.start_soon(work, None)
        group.start_soon(work, None, name="a name")
        assert names == []
    assert len(names) == 2
    assert "a name" in names
    assert any("work" in name for name in names)


async def _a_task_knows_itself(backend: AsyncBackend) -> None:
    infos: list[TaskInfo] = []

    async def work() -> None:
        infos.append(backend.get_current_task())
        await backend.coro_yield()
        infos.append(backend.get_current_task())

    async with backend.create_task_group() as group:
        await group.start(work)
    assert infos[0] == infos[1]
    assert infos[0] != backend.get_current_task() == backend.get_current_task()


async def _a_task_has_a_copy_of_the_context(backend: AsyncBackend) -> None:
    seen: list[str] = []

    async def work() -> None:
        seen.append(_variable.get())
        _variable.set("by the task")

    token = _variable.set("by the starter")
    async with backend.create_task_group() as group:
        group.start_soon(work)
        await group.start(work)
    assert seen == ["by the starter", "by the starter"]
    assert _variable.get() == "by the starter"
    _variable.reset(token)


async def _a_cancelled_task_disturbs_nobody(backend: AsyncBackend) -> None:
    async with backend.create_task_group() as group:
        sibling = await group.start(backend.sleep_forever)
        task = await group.start(backend.sleep_forever)
        assert task.cancel()
        await task.wait()
        assert task.done()
        assert task.cancelled()
        await must_raise(backend.get_cancelled_exc_class(), task.join())
        await until_idle(backend)
        assert not sibling.done()
        sibling.cancel()


async def _a_cancellation_that_leaks_out_of_a_task_disturbs_nobody(backend: AsyncBackend) -> None:
    async with backend.create_task_group() as group:
        sibling = await group.start(backend.sleep_forever)
        cancelled = await group.start(backend.sleep_forever)
        cancelled.cancel()
        leaking = await group.start(cancelled.join)
        group.start_soon(cancelled.join)
        await leaking.wait()
        await until_idle(backend)
        assert leaking.cancelled()
        assert not sibling.done()
        sibling.cancel()


async def _errors_leave_as_a_group_and_cancel_the_others(backend: AsyncBackend) -> None:
    others: list[Task[None]] = []

    async def run_group() -> None:
        async with backend.create_task_group() as group:
            others.append(await group.start(backend.sleep_forever))
            group.start_soon(_fail, backend)

    error = await must_raise(ExceptionGroup, run_group())
    assert [type(exc) for exc in error.exceptions] == [LookupError], error
    assert others[0].cancelled()


async def _an_error_of_the_block_cancels_the_tasks(backend: AsyncBackend) -> None:
    others: list[Task[None]] = []

    async def run_group() -> None:
        async with backend.create_task_group() as group:
            others.append(await group.start(backend.sleep_forever))
            raise LookupError("mine")

    error = await must_raise(ExceptionGroup, run_group())
    assert [type(exc) for exc in error.exceptions] == [LookupError], error
    assert others[0].cancelled()


async def _join_raises_what_the_task_raised(backend: AsyncBackend) -> None:
    tasks: list[Task[None]] = []

    async def run_group() -> None:
        async with backend.create_task_group() as group:
            tasks.append(await group.start(_fail, backend))

    await must_raise(ExceptionGroup, run_group())
    assert tasks[0].done()
    assert not tasks[0].cancelled()
    await must_raise(LookupError, tasks[0].join())


async def _a_cancelled_group_leaves_with_one_cancellation(backend: AsyncBackend) -> None:
    async def run_group() -> None:
        async with backend.create_task_group() as group:
            for _ in range(3):
                await group.start(backend.sleep_forever)
            scope.cancel()
            await backend.sleep_forever()

    with backend.open_cancel_scope() as scope:
        await must_raise(backend.get_cancelled_exc_class(), run_group())
        await backend.coro_yield()
    assert scope.cancelled_caught()


async def _a_cancelled_group_waits_for_its_tasks(backend: AsyncBackend) -> None:
    ended: list[bool] = []

    async def stubborn() -> None:
        try:
            await backend.sleep_forever()
        finally:
            await backend.ignore_cancellation(until_idle(backend))
            ended.append(True)

    with backend.open_cancel_scope() as scope:
        async with backend.create_task_group() as group:
            await group.start(stubborn)
            scope.cancel()
    assert ended == [True]


async def _a_cancelled_join_leaves_the_task_alone(backend: AsyncBackend) -> None:
    async with backend.create_task_group() as group:
        task = await group.start(backend.sleep_forever)
        for wait in (task.join, task.wait):
            with backend.move_on_after(0):
                await wait()
        await until_idle(backend)
        assert not task.done()
        task.cancel()


async def _a_cancelled_join_or_cancel_ends_the_task_first(backend: AsyncBackend) -> None:
    async def stubborn() -> None:
        try:
            await backend.sleep_forever()
        finally:
            await backend.ignore_cancellation(until_idle(backend))

    async with backend.create_task_group() as group:
        task = await group.start(stubborn)
        with backend.move_on_after(0) as scope:
            await task.join_or_cancel()
        assert scope.cancelled_caught()
        assert task.done()
        assert await (await group.start(_return, backend, 1)).join_or_cancel() == 1


async def _a_closed_group_starts_nothing(backend: AsyncBackend) -> None:
    async with backend.create_task_group() as group:
        pass
    try:
        group.start_soon(backend.coro_yield)
    except RuntimeError:
        return
    raise AssertionError("a closed group started a task")


async def _gather_keeps_the_order(backend: AsyncBackend) -> None:
    assert await backend.gather(*(_return(backend, number) for number in range(3))) == [0, 1, 2]
    assert await backend.gather() == []


async def _gather_cancels_the_others_and_leaves_no_coroutine_behind(backend: AsyncBackend) -> None:
    coroutines: list[Coroutine[Any, Any, None]] = [
        backend.sleep_forever(),
        _fail(backend),
        backend.sleep_forever(),
    ]
    error = await must_raise(ExceptionGroup, backend.gather(*coroutines))
    assert [type(exc) for exc in error.exceptions] == [LookupError], error


async def _return(backend: AsyncBackend, value: int) -> int:
    await backend.coro_yield()
    return value


async def _fail(backend: AsyncBackend) -> None:
    await backend.coro_yield()
    raise LookupError("mine")


TASK_RULES: Final = (
    _start_waits_until_the_task_has_begun,
    _start_soon_does_not_wait,
    _a_task_knows_itself,
    _a_task_has_a_copy_of_the_context,
    _a_cancelled_task_disturbs_nobody,
    _a_cancellation_that_leaks_out_of_a_task_disturbs_nobody,
    _errors_leave_as_a_group_and_cancel_the_others,
    _an_error_of_the_block_cancels_the_tasks,
    _join_raises_what_the_task_raised,
    _a_cancelled_group_leaves_with_one_cancellation,
    _a_cancelled_group_waits_for_its_tasks,
    _a_cancelled_join_leaves_the_task_alone,
    _a_cancelled_join_or_cancel_ends_the_task_first,
    _a_closed_group_starts_nothing,
    _gather_keeps_the_order,
    _gather_cancels_the_others_and_leaves_no_coroutine_behind,
)
