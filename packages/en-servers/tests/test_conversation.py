# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.servers.engine.conversation import EOF, Outcome, converse

pytestmark = pytest.mark.anyio

Turn = AsyncGenerator[Any, str]


class Script:
    """A `receive` that has its answers beforehand: packets, `EOF`, errors. It notes what was wished."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.wishes: list[Any] = []

    async def __call__(self, wish: Any) -> Any:
        self.wishes.append(wish)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


def drive(turn: Turn, receive: Callable[[Any], Awaitable[Any]]) -> Awaitable[Outcome]:
    return converse([turn], receive)


async def test_a_generator_that_asks_for_nothing_is_silent() -> None:
    async def turn() -> Turn:
        return
        yield

    assert await drive(turn(), Script()) is Outcome.SILENT


async def test_a_generator_gets_what_it_wished_for_and_is_done() -> None:
    got: list[str] = []

    async def turn() -> Turn:
        got.append((yield "first wish"))
        got.append((yield None))

    script = Script("one", "two")

    assert await drive(turn(), script) is Outcome.DONE
    assert got == ["one", "two"]
    assert script.wishes == ["first wish", None]


@pytest.mark.parametrize("packets_before", [0, 1])
async def test_the_end_closes_the_generator(packets_before: int) -> None:
    """Between two turns (it waits at its first yield) and inside of one."""
    events: list[Any] = []

    async def turn() -> Turn:
        try:
            while True:
                events.append((yield))
        except GeneratorExit:
            events.append("closed")
            raise

    assert await drive(turn(), Script(*["packet"] * packets_before, EOF)) is Outcome.EOF
    assert events == ["packet"] * packets_before + ["closed"]


async def test_a_generator_may_end_in_peace_when_it_is_closed() -> None:
    async def turn() -> Turn:
        try:
            yield
        except GeneratorExit:
            return

    assert await drive(turn(), Script(EOF)) is Outcome.EOF


async def test_clean_up_at_the_end_may_wait(backend: AsyncBackend) -> None:
    cleaned: list[bool] = []

    async def turn() -> Turn:
        try:
            yield
        finally:
            await backend.coro_yield()
            cleaned.append(True)

    assert await drive(turn(), Script(EOF)) is Outcome.EOF
    assert cleaned == [True]


async def test_what_clean_up_raises_at_the_end_comes_out() -> None:
    async def turn() -> Turn:
        try:
            yield
        finally:
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await drive(turn(), Script(EOF))


async def test_a_task_group_around_a_yield_may_be_closed(backend: AsyncBackend) -> None:
    """It wraps everything that passes through it, `GeneratorExit` too."""

    async def turn() -> Turn:
        async with backend.create_task_group() as outer, backend.create_task_group() as inner:
            outer.start_soon(backend.sleep_forever)
            inner.start_soon(backend.sleep_forever)
            yield

    assert await drive(turn(), Script(EOF)) is Outcome.EOF


async def test_what_a_closed_task_group_raises_besides_comes_out(backend: AsyncBackend) -> None:
    async def fail_at_the_end() -> None:
        try:
            await backend.sleep_forever()
        finally:
            raise LookupError("mine")

    async def turn() -> Turn:
        async with backend.create_task_group() as tasks:
            await tasks.start(fail_at_the_end)
            yield

    with pytest.raises(ExceptionGroup) as caught:
        await drive(turn(), Script(EOF))

    assert [repr(exc) for exc in caught.value.exceptions] == ["LookupError('mine')"]


async def test_a_generator_that_goes_on_after_it_was_closed_is_an_error() -> None:
    async def turn() -> Turn:
        try:
            yield
        except GeneratorExit:
            yield

    generator = turn()
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        await drive(generator, Script(EOF))
    with pytest.raises(StopAsyncIteration):  # CPython's way to say that it has ended now
        await generator.aclose()


async def test_an_error_is_thrown_in_and_the_generator_goes_on() -> None:
    events: list[Any] = []

    async def turn() -> Turn:
        for wish in ("first", "second", "third"):
            try:
                events.append((yield wish))
            except TimeoutError as exc:
                events.append(exc)

    late, later = TimeoutError("late"), TimeoutError("later")
    script = Script(late, "packet", later)

    assert await drive(turn(), script) is Outcome.DONE
    assert events == [late, "packet", later]
    assert script.wishes == ["first", "second", "third"]


async def test_an_error_that_is_not_caught_comes_out() -> None:
    async def turn() -> Turn:
        yield

    error = ValueError("bad frame")
    with pytest.raises(ValueError, match="bad frame") as caught:
        await drive(turn(), Script(error))

    assert caught.value is error


@pytest.mark.parametrize("packets_before", [0, 1])
async def test_what_the_generator_raises_comes_out(packets_before: int) -> None:
    async def turn() -> Turn:
        for _ in range(packets_before):
            yield
        raise LookupError("mine")
        yield

    with pytest.raises(LookupError, match="mine"):
        await drive(turn(), Script(*["packet"] * packets_before))


async def test_a_stop_iteration_is_an_error_and_no_end() -> None:
    async def turn() -> Turn:
        yield
        raise StopAsyncIteration

    with pytest.raises(RuntimeError, match="StopAsyncIteration"):
        await drive(turn(), Script("packet"))


async def test_cancellation_is_thrown_in_and_goes_on(backend: AsyncBackend) -> None:
    events: list[str] = []

    async def turn() -> Turn:
        try:
            yield
        except backend.get_cancelled_exc_class():
            events.append("cancelled")
            raise
        finally:
            events.append("cleaned up")

    with backend.move_on_after(0) as scope:
        await drive(turn(), lambda wish: backend.sleep_forever())

    assert scope.cancelled_caught()
    assert events == ["cancelled", "cleaned up"]


async def test_a_generator_that_ends_in_peace_after_a_cancellation_is_the_last(backend: AsyncBackend) -> None:
    """If it has swallowed its caller's cancellation, the next one would do the same."""
    started: list[bool] = []

    async def turn() -> Turn:
        started.append(True)
        with contextlib.suppress(backend.get_cancelled_exc_class()):
            yield

    with backend.move_on_after(0):
        assert await converse((turn() for _ in range(2)), lambda wish: backend.sleep_forever()) is Outcome.INTERRUPTED

    assert started == [True]


async def test_a_generator_that_goes_on_is_closed_at_the_second_interruption_when_all_is_over(
    backend: AsyncBackend,
) -> None:
    events: list[str] = []

    async def turn() -> Turn:
        try:
            while True:
                with contextlib.suppress(backend.get_cancelled_exc_class()):
                    yield
                events.append("interrupted")
        finally:
            events.append("closed")

    with backend.move_on_after(0):
        assert await converse([turn()], lambda wish: backend.sleep_forever(), lambda: True) is Outcome.INTERRUPTED

    assert events == ["interrupted", "closed"]


async def test_a_cancel_scope_may_be_open_around_a_yield(backend: AsyncBackend) -> None:
    events: list[Any] = []

    async def turn() -> Turn:
        with backend.move_on_after(0.01):
            yield "first"
        events.append("moved on")
        events.append((yield "second"))

    async def receive(wish: str) -> str:
        if wish == "first":
            await backend.sleep_forever()
        return "packet"

    assert await drive(turn(), receive) is Outcome.INTERRUPTED
    assert events == ["moved on", "packet"]


async def test_everything_runs_in_the_caller_s_task(backend: AsyncBackend) -> None:
    tasks = [backend.get_current_task()]

    async def turn() -> Turn:
        tasks.append(backend.get_current_task())
        yield
        tasks.append(backend.get_current_task())

    await drive(turn(), Script("packet"))

    assert len(set(tasks)) == 1
