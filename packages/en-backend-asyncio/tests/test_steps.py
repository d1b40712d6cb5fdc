# SPDX-License-Identifier: Apache-2.0
"""The code inside `run_steps` must not be able to tell that callbacks step it.

So most tests run the same generator twice, once as a plain coroutine, and compare everything that
its code, its caller and its task have seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import anyio
import pytest

from easynetwork.backends.asyncio.steps import run_steps
from easynetwork.exceptions import BusyResourceError
from easynetwork.lowlevel.testing.event_loops import installed_event_loops

from .stepping import (
    Scenario,
    Steps,
    World,
    current_task,
    is_run_by_task,
    let_others_run,
    outcome_of,
    run_plainly,
    send_thrice,
    waiting_for,
    where,
)


@pytest.mark.anyio
async def test_callbacks_step_in_the_name_and_context_of_the_task() -> None:
    def steps(world: World) -> Steps:
        for _ in range(2):
            world.seen.append((current_task().get_name(), where.get(), is_run_by_task()))
            yield from world.until_received()
        where.set("left here")
        yield from world.until_received()
        world.seen.append(where.get())

    assert (await outcome_of(run_steps, steps)).seen == [
        ("stepped", "inside", True),
        ("stepped", "inside", False),
        "left here",
    ]


@pytest.mark.anyio
async def test_what_a_step_sets_in_the_context_is_seen_by_the_coroutine() -> None:
    with contextlib.closing(World()) as world:

        def steps() -> Steps:
            yield from world.until_received()
            assert not is_run_by_task()
            where.set("set by a step")
            yield from world.until_received()

        async def main() -> str:
            await run_steps(steps())
            return where.get()

        task = asyncio.create_task(main())
        await send_thrice(world, task)

        assert await task == "set by a step"
        assert where.get() == "nowhere"


@pytest.mark.anyio
async def test_no_task_is_current_after_a_step_in_a_callback() -> None:
    loop = asyncio.get_running_loop()
    current = loop.create_future()

    def steps(world: World) -> Steps:
        yield from world.until_received()
        loop.call_soon(lambda: current.set_result(asyncio.current_task()))
        yield from world.until_received()

    await outcome_of(run_steps, steps)

    assert await current is None


@pytest.mark.anyio
async def test_after_a_wait_for_something_else_callbacks_step_again() -> None:
    def steps(world: World) -> Steps:
        yield from world.until_received()
        world.seen.append(("socket", is_run_by_task()))
        yield from waiting_for(asyncio.sleep(0))
        world.seen.append(("others", is_run_by_task()))
        yield from world.until_received()
        world.seen.append(("socket", is_run_by_task()))
        yield from world.other.until_received()
        world.seen.append(("other socket", is_run_by_task()))
        yield from world.other.until_received()
        world.seen.append(("other socket", is_run_by_task()))

    assert (await outcome_of(run_steps, steps)).seen == [
        ("socket", False),
        ("others", True),
        ("socket", False),
        ("other socket", False),
        ("other socket", False),
    ]


def ends_with_a_value(world: World) -> Steps:
    yield from world.until_received()
    return "value"


def ends_without_waiting(world: World) -> Steps:
    return "value"
    yield


def fails_at_once(world: World) -> Steps:
    raise LookupError("at once")
    yield


def fails_in_a_callback(world: World) -> Steps:
    yield from world.until_received()
    raise LookupError("later")


def fails_after_something_else(world: World) -> Steps:
    yield from world.until_received()
    yield from waiting_for(asyncio.sleep(0))
    raise LookupError("later")


def raises_a_cancellation_of_its_own(world: World) -> Steps:
    yield from world.until_received()
    raise asyncio.CancelledError("not asked for")


def raises_stop_iteration(world: World) -> Steps:
    yield from world.until_received()
    raise StopIteration("a mistake")


def yields_what_nobody_can_wait_for(world: World) -> Steps:
    def wrong() -> Steps:
        yield 42

    yield from world.until_received()
    try:
        yield from wrong()
    except RuntimeError as exc:
        world.seen.append(str(exc).partition(":")[0])
    yield from world.until_received()


def waits_for_futures(world: World) -> Steps:
    loop = asyncio.get_running_loop()
    for error in (None, LookupError("failed")):
        yield from world.until_received()
        future = loop.create_future()
        if error is None:
            loop.call_soon(future.set_result, "result")
        else:
            loop.call_soon(future.set_exception, error)
        yield from world.trying(waiting_for(future))


def waits_for_a_cancelled_future(world: World) -> Steps:
    yield from world.until_received()
    asyncio.get_running_loop().call_soon(world.future.cancel, "given up")
    yield from world.trying(waiting_for(world.future))


def waits_for_tasks(world: World) -> Steps:
    async def child() -> str:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(asyncio.sleep(0, "child"))
        return task.result()

    yield from world.until_received()
    yield from world.trying(waiting_for(child()))
    yield from world.trying(waiting_for(asyncio.create_task(child())))
    yield from world.until_received()


def waits_past_a_deadline(world: World) -> Steps:
    yield from world.until_received()
    yield from world.trying(world.other.until_received(asyncio.get_running_loop().time()))
    yield from world.trying(world.other.until_received(asyncio.get_running_loop().time()))


def waits_until_it_can_write(world: World) -> Steps:
    yield from world.until_received()
    yield from waiting_for(world.connection.watch.wait_writable())
    world.seen.append(current_task().get_name())
    yield from world.until_received()


def waits_for_a_socket_that_is_waited_for(world: World) -> Steps:
    async def wait() -> None:
        await world.other.watch.wait_readable()

    yield from world.until_received()
    waiting = asyncio.create_task(wait())
    yield from waiting_for(asyncio.sleep(0))
    try:
        yield from world.other.until_received()
    except BusyResourceError:
        world.seen.append("busy")
    waiting.cancel()
    yield from world.until_received()


def runs_steps_in_steps(world: World) -> Steps:
    def inner() -> Steps:
        yield from world.until_received()
        yield from waiting_for(asyncio.sleep(0))
        yield from world.other.until_received()
        return "inner"

    yield from world.until_received()
    yield from world.trying(waiting_for(run_steps(inner())))
    yield from world.until_received()


def limits_its_time(world: World) -> Steps:
    async def limited() -> None:
        async with asyncio.timeout(0):
            await world.other.watch.wait_readable()

    yield from world.until_received()
    yield from world.trying(waiting_for(limited()))
    yield from world.until_received()


def moves_on_in_scopes(world: World) -> Steps:
    async def limited(scope: anyio.CancelScope, *, by_hand: bool) -> bool:
        with scope:
            if by_hand:
                scope.cancel()
            await world.other.watch.wait_readable()
        return scope.cancelled_caught

    yield from world.until_received()
    yield from world.trying(waiting_for(limited(anyio.CancelScope(deadline=anyio.current_time()), by_hand=False)))
    yield from world.until_received()
    yield from world.trying(waiting_for(limited(anyio.CancelScope(), by_hand=True)))


def is_cancelled_by_a_group(world: World) -> Steps:
    async def fail() -> None:
        raise LookupError("a child")

    async def group() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fail())
            await world.other.watch.wait_readable()

    yield from world.until_received()
    try:
        yield from waiting_for(group())
    except BaseExceptionGroup as exc:
        world.seen.append([str(error) for error in exc.exceptions])
    world.seen.append(current_task().cancelling())
    yield from world.until_received()


def has_group_and_scope_open_while_it_waits(world: World) -> Steps:
    async def use() -> str:
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            task = tasks.create_task(asyncio.sleep(0, "child"))
            await run_plainly(world.until_received())
            with anyio.CancelScope():
                await run_plainly(world.until_received())
        return task.result()

    yield from world.trying(waiting_for(use()))


SCENARIOS: list[Scenario] = [
    ends_with_a_value,
    ends_without_waiting,
    fails_at_once,
    fails_in_a_callback,
    fails_after_something_else,
    raises_a_cancellation_of_its_own,
    raises_stop_iteration,
    yields_what_nobody_can_wait_for,
    waits_for_futures,
    waits_for_a_cancelled_future,
    waits_for_tasks,
    waits_past_a_deadline,
    waits_until_it_can_write,
    waits_for_a_socket_that_is_waited_for,
    runs_steps_in_steps,
    limits_its_time,
    moves_on_in_scopes,
    is_cancelled_by_a_group,
    has_group_and_scope_open_while_it_waits,
]


@pytest.mark.anyio
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_steps_see_what_a_plain_coroutine_would_see(scenario: Scenario) -> None:
    assert await outcome_of(run_steps, scenario) == await outcome_of(run_plainly, scenario)


def begin_at_once(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    options: dict[str, Any] = {"eager_start": True}
    return asyncio.Task(coroutine, loop=asyncio.get_running_loop(), **options)


@pytest.mark.anyio
@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks can begin at once since Python 3.12")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_steps_see_the_same_in_tasks_that_begin_at_once(scenario: Scenario) -> None:
    ours = await outcome_of(run_steps, scenario, create_task=begin_at_once)

    assert ours == await outcome_of(run_plainly, scenario, create_task=begin_at_once)


@pytest.fixture(params=[loop for loop in installed_event_loops().values() if loop[0] == "asyncio"])
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    with asyncio.Runner(**request.param[1]) as runner:
        yield runner


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("run", [run_steps, run_plainly])
def test_an_end_of_the_program_leaves_the_event_loop(
    runner: asyncio.Runner, run: Callable[[Steps], Awaitable[Any]], error: type[BaseException]
) -> None:
    tasks: list[asyncio.Task[Any]] = []

    async def main() -> None:
        world = World()
        worlds.callback(world.close)

        def steps() -> Steps:
            yield from world.until_received()
            raise error("end")

        async def stepped() -> None:
            await run(steps())

        tasks.append(asyncio.create_task(stepped()))
        await let_others_run()
        world.connection.send()
        await let_others_run()

    with contextlib.ExitStack() as worlds:
        with pytest.raises(error, match="end"):
            runner.run(main())

        assert isinstance(tasks[0].exception(), error)
