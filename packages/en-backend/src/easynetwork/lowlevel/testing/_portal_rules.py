# SPDX-License-Identifier: Apache-2.0
"""Rules of `ThreadsPortal`."""

from __future__ import annotations

import concurrent.futures
import contextvars
import threading
from collections.abc import Callable
from typing import Final

from ..api_async.backend.abc import AsyncBackend, ThreadsPortal
from ._rules import must_raise

__all__ = ("PORTAL_RULES",)

_variable: contextvars.ContextVar[str] = contextvars.ContextVar("_variable", default="unset")


async def _calls_run_in_the_event_loop_with_the_caller_s_context(backend: AsyncBackend) -> None:
    async def look(prefix: str, *, suffix: str) -> tuple[int, str]:
        await backend.coro_yield()
        return threading.get_ident(), prefix + _variable.get() + suffix

    def in_thread(portal: ThreadsPortal) -> None:
        _variable.set("by the thread")
        home = loop_thread, "<by the thread>"
        assert portal.run_coroutine(look, "<", suffix=">") == home
        assert portal.run_coroutine_soon(look, "<", suffix=">").result() == home
        assert portal.run_sync(_variable.get) == portal.run_sync_soon(_variable.get).result() == "by the thread"
        assert portal.run_sync(threading.get_ident) == loop_thread
        assert portal.run_sync(int, "ff", base=16) == 255

    loop_thread = threading.get_ident()
    async with backend.create_threads_portal() as portal:
        await backend.run_in_thread(in_thread, portal)
    assert _variable.get() == "unset"


async def _errors_go_to_the_caller_alone(backend: AsyncBackend) -> None:
    async def fails() -> None:
        raise LookupError("mine")

    async with backend.create_threads_portal() as portal:
        await must_raise(LookupError, backend.run_in_thread(portal.run_coroutine, fails))
        await must_raise(ZeroDivisionError, backend.run_in_thread(portal.run_sync, lambda: 1 // 0))


async def _sync_calls_keep_their_order(backend: AsyncBackend) -> None:
    order: list[int] = []

    def in_thread(portal: ThreadsPortal) -> None:
        for number in range(10):
            portal.run_sync_soon(order.append, number)

    async with backend.create_threads_portal() as portal:
        await backend.run_in_thread(in_thread, portal)
    assert order == list(range(10))


async def _what_is_called_can_start_tasks_and_set_events(backend: AsyncBackend) -> None:
    ran = backend.create_event()

    async def task() -> None:
        ran.set()

    async with backend.create_task_group() as group, backend.create_threads_portal() as portal:
        await backend.run_in_thread(lambda: portal.run_sync(lambda: group.start_soon(task)))
        await ran.wait()


async def _cancelling_the_future_cancels_the_coroutine(backend: AsyncBackend) -> None:
    begun, ended = backend.create_event(), backend.create_event()

    async def waits() -> None:
        begun.set()
        try:
            await backend.sleep_forever()
        finally:
            ended.set()

    async with backend.create_threads_portal() as portal:
        future = await backend.run_in_thread(portal.run_coroutine_soon, waits)
        await begun.wait()
        assert await backend.run_in_thread(future.cancel)
        await ended.wait()
    assert future.cancelled()


async def _a_future_cancelled_in_time_never_begins(backend: AsyncBackend) -> None:
    calls: list[str] = []

    async def coroutine() -> None:
        calls.append("coroutine")

    async with backend.create_threads_portal() as portal:
        futures: list[concurrent.futures.Future[None]] = []

        def in_thread() -> None:
            futures.append(portal.run_coroutine_soon(coroutine))
            futures.append(portal.run_sync_soon(calls.append, "function"))

        _while_the_loop_stands_still(in_thread)
        assert all(future.cancel() for future in futures)
    assert calls == []
    assert not concurrent.futures.wait(futures, timeout=0).not_done


async def _the_event_loop_s_own_thread_is_refused(backend: AsyncBackend) -> None:
    async with backend.create_threads_portal() as portal:
        for call in (
            lambda: portal.run_sync(int),
            lambda: portal.run_sync_soon(int),
            lambda: portal.run_coroutine(backend.coro_yield),
            lambda: portal.run_coroutine_soon(backend.coro_yield),
        ):
            try:
                call()
            except RuntimeError:
                continue
            raise AssertionError("the event loop's thread could wait for itself")


async def _a_portal_that_is_not_open_is_refused(backend: AsyncBackend) -> None:
    portal = backend.create_threads_portal()
    await must_raise(RuntimeError, backend.run_in_thread(portal.run_sync, int))
    async with portal:
        pass
    await must_raise(RuntimeError, backend.run_in_thread(portal.run_sync, int))


async def _closing_waits_for_what_was_accepted(backend: AsyncBackend) -> None:
    async def work() -> str:
        await backend.coro_yield()
        return "result"

    futures: list[concurrent.futures.Future[str]] = []
    async with backend.create_threads_portal() as portal:
        _while_the_loop_stands_still(lambda: futures.append(portal.run_coroutine_soon(work)))
    assert futures[0].result(timeout=0) == "result"


async def _a_cancelled_portal_cancels_what_runs(backend: AsyncBackend) -> None:
    futures: list[concurrent.futures.Future[None]] = []
    with backend.open_cancel_scope() as scope:
        async with backend.create_threads_portal() as portal:
            futures.append(await backend.run_in_thread(portal.run_coroutine_soon, backend.sleep_forever))
            scope.cancel()
    assert futures[0].cancelled()


def _while_the_loop_stands_still(func: Callable[[], object]) -> None:
    thread = threading.Thread(target=func)
    thread.start()
    thread.join()


PORTAL_RULES: Final = (
    _calls_run_in_the_event_loop_with_the_caller_s_context,
    _errors_go_to_the_caller_alone,
    _sync_calls_keep_their_order,
    _what_is_called_can_start_tasks_and_set_events,
    _cancelling_the_future_cancels_the_coroutine,
    _a_future_cancelled_in_time_never_begins,
    _the_event_loop_s_own_thread_is_refused,
    _a_portal_that_is_not_open_is_refused,
    _closing_waits_for_what_was_accepted,
    _a_cancelled_portal_cancels_what_runs,
)
