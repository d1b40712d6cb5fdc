# SPDX-License-Identifier: Apache-2.0
"""Rules of `Time` and `Cancellation`."""

from __future__ import annotations

import math
from typing import Final

from ..api_async.backend.abc import AsyncBackend
from ._rules import SHORT, must_raise, until_idle

__all__ = ("SCOPE_RULES",)


async def _time_goes_on(backend: AsyncBackend) -> None:
    before = backend.current_time()
    await backend.sleep(0)
    await backend.sleep_until(before)
    await backend.sleep(SHORT)
    assert backend.current_time() >= before + SHORT - 0.005


async def _negative_sleep_is_an_error(backend: AsyncBackend) -> None:
    for delay in (-1, math.nan):
        await must_raise(ValueError, backend.sleep(delay))


async def _others_run_while_a_task_yields(backend: AsyncBackend) -> None:
    async def sleep() -> None:
        await backend.sleep(0)

    async def other() -> None:
        ran.append(True)

    for pause in (sleep, backend.coro_yield, backend.cancel_shielded_coro_yield):
        ran: list[bool] = []
        async with backend.create_task_group() as group:
            group.start_soon(other)
            for _ in range(2):  # once may be before the other's turn, once after it
                await pause()
            assert ran


async def _a_timeout_raises_the_builtin_error(backend: AsyncBackend) -> None:
    for timeout in (backend.timeout(0), backend.timeout_at(backend.current_time()), backend.timeout(SHORT)):
        try:
            with timeout:
                await backend.sleep_forever()
        except TimeoutError:
            continue
        raise AssertionError("there was no TimeoutError")


async def _a_timeout_in_time_does_nothing(backend: AsyncBackend) -> None:
    with backend.timeout(60) as scope:
        await backend.coro_yield()
    assert not scope.cancel_called()
    assert not scope.cancelled_caught()


async def _a_timeout_cancelled_by_hand_is_left_silently(backend: AsyncBackend) -> None:
    with backend.timeout(math.inf) as scope:
        scope.cancel()
        await backend.sleep_forever()
    assert scope.cancelled_caught()


async def _move_on_leaves_silently(backend: AsyncBackend) -> None:
    for scope in (backend.move_on_after(0), backend.move_on_at(backend.current_time()), backend.move_on_after(SHORT)):
        with scope:
            await backend.sleep_forever()
        assert scope.cancel_called()
        assert scope.cancelled_caught()


async def _a_scope_can_be_rescheduled(backend: AsyncBackend) -> None:
    with backend.open_cancel_scope() as scope:
        assert scope.deadline == scope.when() == math.inf
        scope.deadline = later = backend.current_time() + 60
        assert scope.when() == later
        scope.reschedule(backend.current_time())
        await backend.sleep_forever()
    assert scope.cancelled_caught()
    try:
        scope.reschedule(math.nan)
    except ValueError:
        return
    raise AssertionError("NaN was taken for a deadline")


async def _every_wait_in_a_cancelled_scope_is_interrupted(backend: AsyncBackend) -> None:
    with backend.open_cancel_scope() as scope:
        scope.cancel()
        scope.cancel()
        for _ in range(2):
            await must_raise(backend.get_cancelled_exc_class(), backend.coro_yield())
    await backend.coro_yield()


async def _a_scope_cancelled_before_it_is_opened_is_cancelled(backend: AsyncBackend) -> None:
    scope = backend.open_cancel_scope()
    scope.cancel()
    with scope:
        await backend.sleep_forever()
    assert scope.cancelled_caught()


async def _a_block_that_ends_before_it_notices_was_not_cancelled(backend: AsyncBackend) -> None:
    with backend.open_cancel_scope() as scope:
        scope.cancel()
    assert scope.cancel_called()
    assert not scope.cancelled_caught()


async def _an_outer_cancellation_leaves_the_inner_scope(backend: AsyncBackend) -> None:
    inner = backend.open_cancel_scope()
    with backend.open_cancel_scope() as outer:
        with inner:
            outer.cancel()
            await backend.sleep_forever()
        raise AssertionError("the inner scope swallowed the outer one's cancellation")
    assert outer.cancelled_caught()
    assert not inner.cancelled_caught()


async def _an_error_in_a_cancelled_scope_leaves_it(backend: AsyncBackend) -> None:
    async def fail_in_scope() -> None:
        with backend.open_cancel_scope() as scope:
            scope.cancel()
            try:
                await backend.sleep_forever()
            finally:
                raise LookupError("mine")

    await must_raise(LookupError, fail_in_scope())


async def _a_shielded_yield_is_not_interrupted(backend: AsyncBackend) -> None:
    with backend.open_cancel_scope() as scope:
        scope.cancel()
        await backend.cancel_shielded_coro_yield()
    assert not scope.cancelled_caught()


async def _an_ignored_cancellation_is_delivered_afterwards(backend: AsyncBackend) -> None:
    reached: list[str] = []

    async def work() -> str:
        await until_idle(backend)
        return "result"

    with backend.open_cancel_scope() as scope:
        scope.cancel()
        reached.append(await backend.ignore_cancellation(work()))
        await backend.coro_yield()
        reached.append("not reached")
    assert reached == ["result"]
    assert scope.cancelled_caught()


async def _an_error_behind_an_ignored_cancellation_comes_out(backend: AsyncBackend) -> None:
    async def fails() -> None:
        await backend.coro_yield()
        raise LookupError("mine")

    await must_raise(LookupError, backend.ignore_cancellation(fails()))
    with backend.open_cancel_scope() as scope:
        scope.cancel()
        await must_raise(LookupError, backend.ignore_cancellation(fails()))


SCOPE_RULES: Final = (
    _time_goes_on,
    _negative_sleep_is_an_error,
    _others_run_while_a_task_yields,
    _a_timeout_raises_the_builtin_error,
    _a_timeout_in_time_does_nothing,
    _a_timeout_cancelled_by_hand_is_left_silently,
    _move_on_leaves_silently,
    _a_scope_can_be_rescheduled,
    _every_wait_in_a_cancelled_scope_is_interrupted,
    _a_scope_cancelled_before_it_is_opened_is_cancelled,
    _a_block_that_ends_before_it_notices_was_not_cancelled,
    _an_outer_cancellation_leaves_the_inner_scope,
    _an_error_in_a_cancelled_scope_leaves_it,
    _a_shielded_yield_is_not_interrupted,
    _an_ignored_cancellation_is_delivered_afterwards,
    _an_error_behind_an_ignored_cancellation_comes_out,
)
