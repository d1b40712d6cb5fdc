# SPDX-License-Identifier: Apache-2.0
"""Rules of `Threads.run_in_thread`, and of programs in threads of their own."""

from __future__ import annotations

import contextvars
import threading
from typing import Final

from ..api_async.backend.abc import AsyncBackend
from ._rules import must_raise

__all__ = ("THREAD_RULES",)

_variable: contextvars.ContextVar[str] = contextvars.ContextVar("_variable", default="unset")


async def _a_function_runs_elsewhere_with_the_context(backend: AsyncBackend) -> None:
    def look(*args: int) -> tuple[int, str, tuple[int, ...]]:
        seen = threading.get_ident(), _variable.get(), args
        _variable.set("by the thread")
        return seen

    token = _variable.set("by the caller")
    thread, value, args = await backend.run_in_thread(look, 1, 2)
    assert thread != threading.get_ident()
    assert (value, args) == ("by the caller", (1, 2))
    assert _variable.get() == "by the caller"
    _variable.reset(token)


async def _errors_of_the_function_come_out(backend: AsyncBackend) -> None:
    await must_raise(ZeroDivisionError, backend.run_in_thread(lambda: 1 // 0))


async def _the_result_comes_before_the_cancellation(backend: AsyncBackend) -> None:
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
    assert scope.cancelled_caught()


async def _a_function_can_be_abandoned(backend: AsyncBackend) -> None:
    release = threading.Event()
    with backend.move_on_after(0) as scope:
        await backend.run_in_thread(release.wait, abandon_on_cancel=True)
    release.set()
    assert scope.cancelled_caught()


async def _a_program_runs_in_a_thread_without_event_loop(backend: AsyncBackend) -> None:
    async def program(value: int) -> int:
        await backend.coro_yield()
        return value

    assert await backend.run_in_thread(backend.bootstrap, program, 1) == 1
    try:
        backend.bootstrap(program, 1)
    except RuntimeError:
        return
    raise AssertionError("a program was run inside a running event loop")


THREAD_RULES: Final = (
    _a_function_runs_elsewhere_with_the_context,
    _errors_of_the_function_come_out,
    _the_result_comes_before_the_cancellation,
    _a_function_can_be_abandoned,
    _a_program_runs_in_a_thread_without_event_loop,
)
