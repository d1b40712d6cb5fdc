# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..api_async.backend.abc import AsyncBackend

__all__ = ("Signal",)


class Signal:
    """Wakes everybody who waits for a change."""

    def __init__(self, backend: AsyncBackend) -> None:
        self._backend = backend
        self._event = backend.create_event()

    async def wait_until(self, condition: Callable[[], bool], deadline: float | None = None) -> None:
        """Waits until ``condition()`` is true, asking again after each change.

        Does not suspend if it is true already.

        Raises:
            TimeoutError: it was still false at the deadline.
            Exception: what ``condition()`` raised.
        """
        with contextlib.nullcontext() if deadline is None else self._backend.timeout_at(deadline):
            while not condition():
                await self._event.wait()
                await self._backend.coro_yield()  # who is woken all the time would not notice that it is cancelled

    def fire(self) -> None:
        event, self._event = self._event, self._backend.create_event()
        event.set()
