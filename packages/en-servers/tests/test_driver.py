# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from functools import partial
from typing import Any

import pytest

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.protocol.receivers import NEED_DATA
from easynetwork.servers.engine.driver import END, Outcome, drive

pytestmark = pytest.mark.anyio

Turn = AsyncGenerator[Any, str]


class Script:
    """A source that has its answers beforehand: packets, `END`, errors. It notes what was yielded.

    Args:
        answers: given one after the other; each of them is waited for, unless it is there already.
    """

    receive_errors: tuple[type[Exception], ...] = ()
    corked = False
    closed = False
    is_over = False

    def __init__(self, backend: AsyncBackend, *answers: Any, waits: bool) -> None:
        self.backend = backend
        self.answers = list(answers)
        self.waits = waits
        self.yielded: list[Any] = []
        self.uncorked = 0

    def take(self, yielded: Any, /) -> Any:
        self.yielded.append(yielded)
        return NEED_DATA if self.waits else self.read()

    def until_readable(self) -> Iterable[Any]:
        return self.wait().__await__()

    async def wait(self) -> None:
        await self.backend.coro_yield()

    def read(self) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def receive_failed(self, error: Exception, /) -> Any:
        raise error

    def uncork(self) -> None:
        self.corked = False
        self.uncorked += 1


class Silent(Script):
    """A source whose packets never come."""

    def __init__(self, backend: AsyncBackend) -> None:
        super().__init__(backend, waits=True)

    async def wait(self) -> None:
        await self.backend.sleep_forever()


MakeScript = Callable[..., Script]
Run = Callable[[Turn, Script], Awaitable[Outcome]]


@pytest.fixture(params=["at once", "after a wait"])
def script(request: pytest.FixtureRequest, backend: AsyncBackend) -> MakeScript:
    """Makes a source whose packets are here when they are asked for, or not yet."""
    return partial(Script, backend, waits=request.param == "after a wait")


@pytest.fixture
def run(backend: AsyncBackend) -> Run:
    """Runs one generator with a source."""
    return lambda generator, source: backend.run_steps(drive(lambda _: generator, source, once=True))


async def test_a_generator_that_asks_for_nothing_is_silent(run: Run, script: MakeScript) -> None:
    async def turn() -> Turn:
        return
        yield

    assert await run(turn(), script()) is Outcome.NOT_STARTED


async def test_a_generator_gets_what_it_asked_for_and_is_finished(run: Run, script: MakeScript) -> None:
    got: list[str] = []

    async def turn() -> Turn:
        got.append((yield "first parameters"))
        got.append((yield None))

    source = script("one", "two")

    assert await run(turn(), source) is Outcome.FINISHED
    assert got == ["one", "two"]
    assert source.yielded == ["first parameters", None]


@pytest.mark.parametrize("packets_before", [0, 1])
async def test_the_end_closes_the_generator(packets_before: int, run: Run, script: MakeScript) -> None:
    """Between two turns (it waits at its first yield) and inside of one."""
    events: list[Any] = []

    async def turn() -> Turn:
        try:
            while True:
                events.append((yield))
        except GeneratorExit:
            events.append("closed")
            raise

    assert await run(turn(), script(*["packet"] * packets_before, END)) is Outcome.END
    assert events == ["packet"] * packets_before + ["closed"]


async def test_a_generator_may_end_in_peace_when_it_is_closed(run: Run, script: MakeScript) -> None:
    async def turn() -> Turn:
        try:
            yield
        except GeneratorExit:
            return

    assert await run(turn(), script(END)) is Outcome.END


async def test_clean_up_at_the_end_may_wait(backend: AsyncBackend, run: Run, script: MakeScript) -> None:
    cleaned: list[bool] = []

    async def turn() -> Turn:
        try:
            yield
        finally:
            await backend.coro_yield()
            cleaned.append(True)

    assert await run(turn(), script(END)) is Outcome.END
    assert cleaned == [True]


async def test_what_clean_up_raises_at_the_end_comes_out(run: Run, script: MakeScript) -> None:
    async def turn() -> Turn:
        try:
            yield
        finally:
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await run(turn(), script(END))


async def test_a_task_group_around_a_yield_may_be_closed(backend: AsyncBackend, run: Run, script: MakeScript) -> None:
    """It wraps everything that passes through it, `GeneratorExit` too."""

    async def turn() -> Turn:
        async with backend.create_task_group() as outer, backend.create_task_group() as inner:
            outer.start_soon(backend.sleep_forever)
            inner.start_soon(backend.sleep_forever)
            yield

    assert await run(turn(), script(END)) is Outcome.END


async def test_what_a_closed_task_group_raises_besides_comes_out(
    backend: AsyncBackend, run: Run, script: MakeScript
) -> None:
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
        await run(turn(), script(END))

    assert [repr(exc) for exc in caught.value.exceptions] == ["LookupError('mine')"]


async def test_a_generator_that_goes_on_after_it_was_closed_is_an_error(run: Run, script: MakeScript) -> None:
    async def turn() -> Turn:
        try:
            yield
        except GeneratorExit:
            yield

    generator = turn()
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        await run(generator, script(END))
    with pytest.raises(StopAsyncIteration):  # CPython's way to say that it has ended now
        await generator.aclose()


async def test_an_error_is_thrown_in_and_the_generator_goes_on(run: Run, script: MakeScript) -> None:
    events: list[Any] = []

    async def turn() -> Turn:
        for parameters in ("first", "second", "third"):
            try:
                events.append((yield parameters))
            except TimeoutError as exc:
                events.append(exc)

    late, later = TimeoutError("late"), TimeoutError("later")
    source = script(late, "packet", later)

    assert await run(turn(), source) is Outcome.FINISHED
    assert events == [late, "packet", later]
    assert source.yielded == ["first", "second", "third"]


async def test_an_error_that_is_not_caught_comes_out(run: Run, script: MakeScript) -> None:
    async def turn() -> Turn:
        yield

    error = ValueError("bad frame")
    with pytest.raises(ValueError, match="bad frame") as caught:
        await run(turn(), script(error))

    assert caught.value is error


@pytest.mark.parametrize("packets_before", [0, 1])
async def test_what_the_generator_raises_comes_out(packets_before: int, run: Run, script: MakeScript) -> None:
    async def turn() -> Turn:
        for _ in range(packets_before):
            yield
        raise LookupError("mine")
        yield

    with pytest.raises(LookupError, match="mine"):
        await run(turn(), script(*["packet"] * packets_before))


async def test_a_stop_iteration_is_an_error_and_no_end(run: Run, script: MakeScript) -> None:
    async def turn() -> Turn:
        yield
        raise StopAsyncIteration

    with pytest.raises(RuntimeError, match="StopAsyncIteration"):
        await run(turn(), script("packet"))


async def test_cancellation_is_thrown_in_and_goes_on(backend: AsyncBackend, run: Run) -> None:
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
        await run(turn(), Silent(backend))

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
        turns = (turn() for _ in range(2))
        assert await backend.run_steps(drive(lambda _: next(turns), Silent(backend))) is Outcome.CANCELLED

    assert started == [True]


async def test_a_generator_that_goes_on_is_closed_at_the_second_cancellation_when_all_is_over(
    backend: AsyncBackend, run: Run
) -> None:
    events: list[str] = []
    source = Silent(backend)
    source.is_over = True

    async def turn() -> Turn:
        try:
            while True:
                with contextlib.suppress(backend.get_cancelled_exc_class()):
                    yield
                events.append("cancelled")
        finally:
            events.append("closed")

    with backend.move_on_after(0):
        assert await run(turn(), source) is Outcome.CANCELLED

    assert events == ["cancelled", "closed"]


async def test_a_cancel_scope_may_be_open_around_a_yield(backend: AsyncBackend, run: Run) -> None:
    events: list[Any] = []

    async def turn() -> Turn:
        with backend.move_on_after(0.01):
            yield "first"
        events.append("moved on")
        events.append((yield "second"))

    class FirstIsSilent(Script):
        async def wait(self) -> None:
            if self.yielded == ["first"]:
                await backend.sleep_forever()

    assert await run(turn(), FirstIsSilent(backend, "packet", waits=True)) is Outcome.CANCELLED
    assert events == ["moved on", "packet"]


async def test_everything_runs_in_the_caller_s_task(backend: AsyncBackend, run: Run, script: MakeScript) -> None:
    tasks = [backend.get_current_task()]

    async def turn() -> Turn:
        tasks.append(backend.get_current_task())
        yield
        tasks.append(backend.get_current_task())

    await run(turn(), script("packet"))

    assert len(set(tasks)) == 1


# one after the other


async def test_one_generator_after_the_other_while_packets_come(backend: AsyncBackend, script: MakeScript) -> None:
    got: list[str] = []

    async def turn() -> Turn:
        got.append((yield))

    source = script("one", "two", END)

    assert await backend.run_steps(drive(lambda _: turn(), source)) is Outcome.END
    assert got == ["one", "two"]


async def test_no_generator_is_started_once_the_source_is_closed(backend: AsyncBackend, script: MakeScript) -> None:
    got: list[str] = []

    async def turn() -> Turn:
        got.append((yield))
        source.closed = True

    source = script("one", "two")

    assert await backend.run_steps(drive(lambda _: turn(), source)) is Outcome.FINISHED
    assert got == ["one"]


# waiting for packets


async def test_packet_is_waited_for_again_if_it_is_not_here_after_all(backend: AsyncBackend, run: Run) -> None:
    got: list[str] = []

    async def turn() -> Turn:
        got.append((yield))

    source = Script(backend, NEED_DATA, NEED_DATA, "packet", waits=True)

    assert await run(turn(), source) is Outcome.FINISHED
    assert got == ["packet"]
    assert source.yielded == [None], "it is the same `yield`"


class Failing(Script):
    """A source whose waits fail, and which knows what to make of it."""

    receive_errors = (ConnectionError,)

    async def wait(self) -> None:
        raise self.errors.pop(0)

    def __init__(self, backend: AsyncBackend, *errors: Exception, answers: Iterable[Any]) -> None:
        super().__init__(backend, *answers, waits=True)
        self.errors = list(errors)

    def receive_failed(self, error: Exception, /) -> Any:
        return self.read()


async def test_source_answers_for_the_errors_that_it_names(backend: AsyncBackend, run: Run) -> None:
    events: list[Any] = []

    async def turn() -> Turn:
        events.append((yield))
        for _ in range(2):
            try:
                yield
            except (LookupError, ValueError) as exc:
                events.append(exc)
        yield

    bad, other = ValueError("bad"), LookupError("other")
    errors = [ConnectionResetError(), ConnectionResetError(), ConnectionResetError(), other, ConnectionResetError()]
    source = Failing(backend, *errors, answers=[NEED_DATA, "packet", bad, END])

    assert await run(turn(), source) is Outcome.END
    assert events == ["packet", bad, other], "what the answer raises is thrown in, and so is what is not named"


# answers that are held back


class Corking(Script):
    """A source that has more packets, so that answers to the first are held back."""

    def take(self, yielded: Any, /) -> Any:
        self.corked = len(self.answers) > 1
        return super().take(yielded)


@pytest.fixture
def corking(backend: AsyncBackend) -> MakeScript:
    return partial(Corking, backend, waits=False)


async def test_step_that_never_waits_leaves_the_answers_held(run: Run, corking: MakeScript) -> None:
    async def turn() -> Turn:
        yield
        yield
        assert source.corked
        yield

    source = corking("one", "two", "three")

    assert await run(turn(), source) is Outcome.FINISHED
    assert source.uncorked == 0


async def test_answers_are_sent_before_the_handler_s_wait_reaches_the_event_loop(
    backend: AsyncBackend, run: Run, corking: MakeScript
) -> None:
    events: list[Any] = []

    async def turn() -> Turn:
        yield
        assert source.corked
        await backend.coro_yield()
        events.append((source.corked, source.uncorked))
        await backend.coro_yield()
        events.append((yield))

    source = corking("one", "two", "three")

    assert await run(turn(), source) is Outcome.FINISHED
    assert events == [(False, 1), "two"]
    assert source.uncorked == 1


@pytest.mark.parametrize("waits", [1, 2])
async def test_wait_of_a_handler_whose_answers_are_held_can_be_cancelled(
    backend: AsyncBackend, run: Run, corking: MakeScript, waits: int
) -> None:
    events: list[Any] = []

    async def turn() -> Turn:
        yield
        for _ in range(waits):
            try:
                with backend.move_on_after(0):
                    await backend.sleep_forever()
            finally:
                events.append("moved on")
        events.append((yield))

    assert await run(turn(), corking("one", "two")) is Outcome.FINISHED
    assert events == ["moved on"] * waits + ["two"]


@pytest.mark.parametrize("waits", [0, 1, 2])
async def test_what_a_handler_raises_while_answers_are_held_comes_out(
    backend: AsyncBackend, run: Run, corking: MakeScript, waits: int
) -> None:
    error = LookupError("mine")

    async def turn() -> Turn:
        yield
        for _ in range(waits):
            await backend.coro_yield()
        raise error

    with pytest.raises(LookupError) as caught:
        await run(turn(), corking("one", "two"))

    assert caught.value is error
