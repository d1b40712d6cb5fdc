# SPDX-License-Identifier: Apache-2.0
"""Surviving `asyncio.Task.cancel`, which no anyio shield keeps away."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import anyio
import anyio.lowlevel

__all__ = ("finish_first", "yield_first")

T = TypeVar("T")


async def finish_first(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs ``coroutine`` to its end before a cancellation of this task is delivered.

    It gets a task of its own, because `asyncio.Task.cancel` cancels the very future that a task
    waits for.
    """
    task = asyncio.create_task(coroutine)
    cancellation: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):
        while not task.done():
            try:
                await asyncio.wait((task,))
            except asyncio.CancelledError as exc:
                cancellation = exc
    if cancellation is not None:
        _deliver_at_next_wait(cancellation)
    return task.result()


async def yield_first() -> None:
    """Lets other tasks run once before a cancellation of this task is delivered."""
    try:
        await anyio.lowlevel.cancel_shielded_checkpoint()
    except asyncio.CancelledError as exc:
        _deliver_at_next_wait(exc)


def _deliver_at_next_wait(cancellation: asyncio.CancelledError) -> None:
    # The same request once more, not another one: asyncio.timeout() and asyncio.TaskGroup count
    # them. Known doubt: before Python 3.13 uncancel() does not withdraw it, so asyncio.timeout()
    # cannot swallow its own if nothing is awaited in the rest of its block.
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()
    task.cancel(*cancellation.args)
