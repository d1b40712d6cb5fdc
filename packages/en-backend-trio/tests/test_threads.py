# SPDX-License-Identifier: Apache-2.0
"""Threads and trio; the rules of every backend are in the suite."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable

import pytest
import trio

from easynetwork.backends.trio import TrioBackend
from easynetwork.lowlevel.api_async.backend.abc import ThreadsPortal
from easynetwork.lowlevel.futures import AsyncExecutor


@pytest.mark.anyio
async def test_worker_threads_are_trio_s(backend: TrioBackend) -> None:
    async def in_the_event_loop() -> str:
        await trio.lowlevel.checkpoint()
        return threading.current_thread().name

    assert await backend.run_in_thread(trio.from_thread.run, in_the_event_loop) == threading.current_thread().name


@pytest.mark.anyio
async def test_the_portal_is_open_to_threads_that_trio_does_not_know(backend: TrioBackend) -> None:
    async def double(number: int) -> int:
        await trio.lowlevel.checkpoint()
        return 2 * number

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        async with backend.create_threads_portal() as portal:
            result = await AsyncExecutor(pool, backend).run(portal.run_coroutine, double, 21)

    assert result == 42


@pytest.mark.anyio
async def test_a_coroutine_that_a_scope_of_trio_ends_is_no_cancelled_future(backend: TrioBackend) -> None:
    async def give_up() -> str:
        with trio.move_on_after(0):
            await trio.sleep_forever()
        return "gave up"

    async with backend.create_threads_portal() as portal:
        assert await backend.run_in_thread(portal.run_coroutine, give_up) == "gave up"


@pytest.mark.anyio
async def test_a_cancelled_portal_cancels_what_it_runs(backend: TrioBackend) -> None:
    begun = trio.Event()
    futures: list[concurrent.futures.Future[None]] = []

    async def wait_for_ever() -> None:
        begun.set()
        await trio.sleep_forever()

    def ask(portal: ThreadsPortal) -> None:
        futures.append(portal.run_coroutine_soon(wait_for_ever))

    with trio.CancelScope() as scope:
        async with backend.create_threads_portal() as portal:
            await backend.run_in_thread(ask, portal)
            await begun.wait()
            scope.cancel()

    assert futures[0].cancelled()


def test_calls_into_a_trio_that_is_gone_are_runtime_errors(backend: TrioBackend) -> None:
    async def main() -> Callable[[Callable[[], object]], object]:
        return backend.thread_safe_call_soon()

    call_soon = backend.bootstrap(main)

    with pytest.raises(RuntimeError):
        call_soon(int)
