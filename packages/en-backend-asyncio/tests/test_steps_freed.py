# SPDX-License-Identifier: Apache-2.0
"""Errors and tasks are freed without the garbage collector, as those of a plain coroutine are."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest

from easynetwork.backends.asyncio.steps import run_steps

from .stepping import (
    Scenario,
    Steps,
    World,
    current_task,
    let_others_run,
    run_plainly,
    send_thrice,
    waiting_for,
)


class Failure(Exception):
    """An error that can be referred to weakly."""


def failing_in_a_callback(world: World) -> Steps:
    yield from world.until_received()
    raise Failure


def failing_at_once(world: World) -> Steps:
    raise Failure
    yield


def failing_after_another_error(world: World) -> Steps:
    yield from world.until_received()
    try:
        yield from world.other.until_received(asyncio.get_running_loop().time())
    except TimeoutError:
        raise Failure from None


def failing_in_the_task(world: World) -> Steps:
    yield from world.until_received()
    yield from waiting_for(asyncio.sleep(0))
    raise Failure


def failing_after_its_own_cancellation(world: World) -> Steps:
    yield from world.until_received()
    current_task().cancel()
    with contextlib.suppress(asyncio.CancelledError):
        yield from world.until_received()
    current_task().uncancel()
    raise Failure


def failing_with_a_cancellation_ahead(world: World) -> Steps:
    yield from world.until_received()
    current_task().cancel()
    raise Failure


def failing_with_another_task(world: World) -> Steps:
    async def fail() -> None:
        raise Failure

    yield from world.until_received()
    yield from asyncio.create_task(fail()).__await__()  # no frame has the task


FAILING: list[Scenario] = [
    failing_in_a_callback,
    failing_at_once,
    failing_after_another_error,
    failing_in_the_task,
    failing_after_its_own_cancellation,
    failing_with_a_cancellation_ahead,
    failing_with_another_task,
]


@contextlib.contextmanager
def without_garbage() -> Generator[None, None, None]:
    """Fails if something is left that only the garbage collector can free."""
    gc.collect()
    gc.disable()
    try:
        yield
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.anyio
@pytest.mark.parametrize("run", [run_steps, run_plainly])
@pytest.mark.parametrize("scenario", FAILING, ids=lambda scenario: scenario.__name__)
async def test_an_error_is_freed_when_it_was_caught(run: Callable[[Steps], Awaitable[Any]], scenario: Scenario) -> None:
    errors: list[weakref.ref[Failure]] = []

    async def main(world: World) -> None:
        try:
            await run(scenario(world))
        except Failure as exc:
            errors.append(weakref.ref(exc))

    with contextlib.closing(World()) as world, without_garbage():
        task = asyncio.create_task(main(world))
        await send_thrice(world, task)
        assert [error() for error in errors] == [None]


@pytest.mark.anyio
@pytest.mark.parametrize("run", [run_steps, run_plainly])
@pytest.mark.parametrize("scenario", FAILING, ids=lambda scenario: scenario.__name__)
async def test_an_error_is_freed_with_the_task_that_it_has_ended(
    run: Callable[[Steps], Awaitable[Any]], scenario: Scenario
) -> None:
    async def main(world: World) -> None:
        await run(scenario(world))

    with contextlib.closing(World()) as world, without_garbage():
        task = asyncio.create_task(main(world))
        await send_thrice(world, task)
        error = weakref.ref(task.exception() or LookupError())
        assert isinstance(error(), Failure)
        del task
        assert error() is None


@pytest.mark.anyio
@pytest.mark.parametrize("run", [run_steps, run_plainly])
@pytest.mark.parametrize("parked", [True, False])
async def test_a_cancelled_task_is_freed(run: Callable[[Steps], Awaitable[Any]], parked: bool) -> None:
    def steps(world: World) -> Steps:
        yield from world.until_received()
        if parked:
            yield from world.until_received()
        else:
            yield from waiting_for(asyncio.sleep(60))

    async def main(world: World) -> None:
        await run(steps(world))

    with contextlib.closing(World()) as world, without_garbage():
        task = asyncio.create_task(main(world))
        await let_others_run()
        world.connection.send()
        await let_others_run()
        task.cancel()
        await let_others_run()
        assert task.cancelled()
        freed = weakref.ref(task)
        del task
        assert freed() is None
