# SPDX-License-Identifier: Apache-2.0
"""Cancellations, from outside and by a step of its own task, are what a plain coroutine would
see.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from easynetwork.backends.asyncio.steps import run_steps

from .stepping import (
    Outside,
    Scenario,
    Steps,
    World,
    current_task,
    let_others_run,
    outcome_of,
    run_plainly,
    send_thrice,
    waiting_for,
)


def lets_it_pass(world: World) -> Steps:
    yield from world.until_received()
    yield from world.until_received()


def swallows_it(world: World) -> Steps:
    yield from world.until_received()
    yield from world.trying(world.until_received())
    yield from world.trying(world.until_received())
    return "went on"


def cleans_up(world: World) -> Steps:
    try:
        yield from world.until_received()
        yield from world.until_received()
    finally:
        yield from world.trying(waiting_for(asyncio.sleep(0)))
        yield from world.until_received()


def fails_instead(world: World) -> Steps:
    yield from world.until_received()
    try:
        yield from world.until_received()
    except asyncio.CancelledError as exc:
        raise LookupError("instead") from exc


def withdraws_it(world: World) -> Steps:
    yield from world.until_received()
    yield from world.trying(world.until_received())
    current_task().uncancel()
    yield from world.trying(world.until_received())


async def cancel_while_parked(world: World, task: asyncio.Task[Any]) -> None:
    await let_others_run()
    world.connection.send()
    await let_others_run()
    task.cancel("enough")
    await send_thrice(world, task)


async def cancel_twice_while_parked(world: World, task: asyncio.Task[Any]) -> None:
    await let_others_run()
    world.connection.send()
    await let_others_run()
    task.cancel("enough")
    task.cancel("more than enough")
    await send_thrice(world, task)


async def cancel_when_it_is_readable(world: World, task: asyncio.Task[Any]) -> None:
    await let_others_run()
    world.connection.send()
    await let_others_run()
    world.connection.send()
    task.cancel("enough")
    await send_thrice(world, task)


async def cancel_after_an_interruption(world: World, task: asyncio.Task[Any]) -> None:
    await let_others_run()
    world.connection.watch.interrupt_reader(LookupError("interrupted"))
    task.cancel("enough")
    await send_thrice(world, task)


async def cancel_before_the_first_step(world: World, task: asyncio.Task[Any]) -> None:
    task.cancel("enough")
    await send_thrice(world, task)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "outside",
    [
        cancel_while_parked,
        cancel_twice_while_parked,
        cancel_when_it_is_readable,
        cancel_after_an_interruption,
        cancel_before_the_first_step,
    ],
    ids=lambda outside: outside.__name__,
)
@pytest.mark.parametrize(
    "scenario",
    [lets_it_pass, swallows_it, cleans_up, fails_instead, withdraws_it],
    ids=lambda scenario: scenario.__name__,
)
async def test_a_cancellation_from_outside_is_what_a_plain_coroutine_would_see(
    scenario: Scenario, outside: Outside
) -> None:
    assert await outcome_of(run_steps, scenario, outside) == await outcome_of(run_plainly, scenario, outside)


@pytest.mark.anyio
async def test_an_interruption_is_thrown_in_and_can_be_survived() -> None:
    async def interrupt(world: World, task: asyncio.Task[Any]) -> None:
        for _ in range(3):
            await let_others_run()
            world.connection.watch.interrupt_reader(LookupError("interrupted"))
        await let_others_run()
        world.connection.send()

    def steps(world: World) -> Steps:
        for _ in range(4):
            yield from world.trying(world.until_received())

    seen = [((LookupError, "interrupted"), 0)] * 3 + [(None, 0)]
    for run in (run_steps, run_plainly):
        assert (await outcome_of(run, steps, interrupt)).seen == seen


@pytest.mark.anyio
@pytest.mark.parametrize("run", [run_steps, run_plainly])
async def test_a_timeout_around_the_steps_is_a_timeout(run: Callable[[Steps], Awaitable[Any]]) -> None:
    with contextlib.closing(World()) as world:

        def steps() -> Steps:
            while True:
                yield from world.until_received()
                limit.reschedule(0)

        async def send() -> None:
            await let_others_run()
            world.connection.send()

        sending = asyncio.create_task(send())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(None) as limit:
                await run(steps())

        assert current_task().cancelling() == 0
        await sending


# a step that cancels its own task


def a_socket(world: World) -> Steps:
    yield from world.until_received()
    return "received"


def another_socket(world: World) -> Steps:
    yield from world.other.until_received()
    return "received"


def room_to_write(world: World) -> Steps:
    yield from waiting_for(world.connection.watch.wait_writable())


def a_pending_future(world: World) -> Steps:
    def set_result() -> None:
        if not world.future.done():
            world.future.set_result("result")

    asyncio.get_running_loop().call_soon(set_result)
    try:
        return (yield from waiting_for(world.future))
    finally:
        world.seen.append((world.future.done(), world.future.cancelled()))


def a_future_that_is_done(world: World) -> Steps:
    world.future.set_result("result")
    return (yield from waiting_for(world.future))


def a_shielded_future(world: World) -> Steps:
    try:
        yield from waiting_for(asyncio.shield(world.future))
    finally:
        world.seen.append(world.future.cancelled())


def others(world: World) -> Steps:
    yield from waiting_for(asyncio.sleep(0))
    return "had their turn"


def a_task(world: World) -> Steps:
    async def child() -> None:
        await asyncio.sleep(60)

    task = asyncio.create_task(child())
    try:
        yield from waiting_for(asyncio.sleep(0))
    except asyncio.CancelledError as exc:
        world.seen.append(exc.args)
    current_task().cancel("again")
    try:
        yield from waiting_for(task)
    finally:
        world.seen.append((task.done(), task.cancelled()))


def a_task_that_takes_its_time_to_end(world: World) -> Steps:
    async def child() -> str:
        begun.set_result(None)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError as exc:
            world.seen.append(exc.args)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        return "did not mind"

    begun = asyncio.get_running_loop().create_future()
    with contextlib.suppress(asyncio.CancelledError):
        yield from waiting_for(asyncio.sleep(0))
    task = asyncio.create_task(child())
    yield from waiting_for(begun)
    yield from world.until_received()
    current_task().cancel("again")
    return (yield from waiting_for(task))


def several_tasks(world: World) -> Steps:
    results = yield from waiting_for(asyncio.gather(world.future, asyncio.sleep(0, 1), return_exceptions=True))
    return [type(result) for result in results]


def nothing_any_more(world: World) -> Steps:
    return "ended"
    yield


def nothing_and_fails(world: World) -> Steps:
    raise LookupError("instead")
    yield


def nothing_before_it_withdraws(world: World) -> Steps:
    current_task().uncancel()
    yield from world.until_received()
    return "withdrawn, where Python can"


def nothing_before_it_cancels_again(world: World) -> Steps:
    current_task().cancel("twice")
    yield from world.until_received()
    return "went on"


def nothing_before_it_withdraws_and_cancels_again(world: World) -> Steps:
    current_task().uncancel()
    current_task().cancel("twice")
    yield from waiting_for(asyncio.sleep(0))
    return "went on"


def what_nobody_can_wait_for(world: World) -> Steps:
    try:
        yield 42
    except RuntimeError:
        return "refused"


WAITS: list[Scenario] = [
    a_socket,
    another_socket,
    room_to_write,
    a_pending_future,
    a_future_that_is_done,
    a_shielded_future,
    others,
    a_task,
    a_task_that_takes_its_time_to_end,
    several_tasks,
    nothing_any_more,
    nothing_and_fails,
    nothing_before_it_withdraws,
    nothing_before_it_cancels_again,
    nothing_before_it_withdraws_and_cancels_again,
    what_nobody_can_wait_for,
]


@pytest.mark.anyio
@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize("wait", WAITS, ids=lambda wait: wait.__name__)
async def test_a_step_that_cancels_its_task_sees_what_a_plain_coroutine_would_see(
    wait: Scenario, goes_on: bool
) -> None:
    def steps(world: World) -> Steps:
        yield from world.until_received()
        current_task().cancel("enough")
        if not goes_on:
            return (yield from wait(world))
        yield from world.trying(wait(world))
        yield from world.trying(world.until_received())
        yield from world.trying(waiting_for(asyncio.sleep(0)))

    assert await outcome_of(run_steps, steps) == await outcome_of(run_plainly, steps)


@pytest.mark.anyio
@pytest.mark.parametrize("ending", [nothing_any_more, nothing_and_fails], ids=lambda ending: ending.__name__)
async def test_a_cancellation_by_the_last_step_is_for_the_caller(ending: Scenario) -> None:
    async def run_and_wait(run: Callable[[Steps], Awaitable[Any]], world: World) -> list[Any]:
        def steps() -> Steps:
            yield from world.until_received()
            current_task().cancel("enough")
            return (yield from ending(world))

        seen: list[Any] = []
        try:
            seen.append(await run(steps()))
        except LookupError as exc:
            seen.append(exc.args)
        seen.append(current_task().cancelling())
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError as exc:
            seen.append(exc.args)
        await asyncio.sleep(0)
        return seen

    found: list[list[Any]] = []
    for run in (run_steps, run_plainly):
        with contextlib.closing(World()) as world:
            task = asyncio.create_task(run_and_wait(run, world))
            await send_thrice(world, task)
            found.append(await task)

    assert found[0] == found[1]
    assert found[0][-1] == ("enough",)
