# SPDX-License-Identifier: Apache-2.0
"""What a task waits for when it waits for a socket: a future that wakes its task at once.

A task that waits for an `asyncio.Future` is woken in the loop's next iteration: one more handle,
and one more question to the selector for each packet. And between the two the task may be
cancelled, when what was read for it has to be kept. `Waiter` speaks the protocol by which tasks
wait for futures (``_asyncio_future_blocking``, see ``isfuture()`` in ``asyncio/base_futures.py``),
and runs the task inside of the loop's callback, in the task's name and context, exactly as the loop
would.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Generator
from types import coroutine
from typing import Any, Protocol

from easynetwork.exceptions import BusyResourceError

__all__ = ("Stepper", "Waiter")


class Stepper(Protocol):
    """Runs a part of a task in the place of the task (see ``steps``)."""

    def step(self, waiter: Waiter, wake_task: Callable[[asyncio.Future[None]], object], /) -> None: ...

    def cancel(self, message: Any, /) -> None: ...


class Waiter:
    """Made once, waited for again and again, by one task at a time.

    Args:
        loop: the event loop of the task.
        nobody_waits: called by `wake` if there is no task to run.
    """

    _asyncio_future_blocking = False

    stepper: Stepper | None = None
    """What `wake` runs in the place of the task that waits now."""

    def __init__(self, loop: asyncio.AbstractEventLoop, nobody_waits: Callable[[], object]) -> None:
        self._loop = loop
        self._nobody_waits = nobody_waits
        self.wake_task: Callable[[asyncio.Future[None]], object] | None = None
        """Wakes the task that waits; None while none does."""
        self.run_in_context: Callable[..., object]
        """Calls a function in the context of the task that waits."""
        self._context: contextvars.Context
        self._done_future: asyncio.Future[None] | None = None

    @property
    def done_future(self) -> asyncio.Future[None]:
        """What a task is told when nothing is wrong."""
        if self._done_future is None:
            self._done_future = self._loop.create_future()
            self._done_future.set_result(None)
        return self._done_future

    @property
    def is_waited_for(self) -> bool:
        """Whether a task waits, and nothing has woken it yet."""
        return self.wake_task is not None

    @coroutine
    def wait(self) -> Generator[Any, None, None]:
        """Suspends the task until it is woken.

        Raises:
            BusyResourceError: another task waits.
            What `wake_soon` was told, or the cancellation.
        """
        yield self.waited_for()

    def waited_for(self) -> Waiter:
        """What a generator-based coroutine has to yield at once, if it does not want to `wait` in
        one more.
        """
        if self.wake_task is not None:
            raise BusyResourceError("another task waits for this socket already")
        self._asyncio_future_blocking = True
        return self

    def wake(self) -> None:
        """Runs the task, here and now.

        Only for callbacks of the event loop: no other task may be running.
        """
        wake_task = self.wake_task
        if wake_task is None:
            self._nobody_waits()
        elif self.stepper is not None:
            self.wake_task = None
            self.stepper.step(self, wake_task)
        else:
            self.wake_task = None
            self.run_in_context(wake_task, self.done_future)
        del wake_task  # has the task, and since Python 3.12 an error that ends the task may have this frame

    def wake_soon(self, error: Exception) -> None:
        """Has the task, if there is one, run in the loop's next iteration, where it raises
        ``error``.
        """
        if self.wake_task is not None:
            failed: asyncio.Future[None] = self._loop.create_future()
            failed.set_exception(error)
            self._wake_with(failed)

    def _wake_with(self, future: asyncio.Future[None]) -> None:
        wake_task, self.wake_task = self.wake_task, None
        self.stepper = None
        assert wake_task is not None
        self._loop.call_soon(wake_task, future, context=self._context)

    # what a task asks of a future

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def done(self) -> bool:
        return self.wake_task is None

    def add_done_callback(
        self, callback: Callable[[asyncio.Future[None]], object], *, context: contextvars.Context
    ) -> None:
        self.wake_task = callback
        self._context = context
        self.run_in_context = context.run

    def cancel(self, msg: Any = None) -> bool:
        if self.wake_task is None:
            if self.stepper is None:
                return False  # the task is on its way already
            self.stepper.cancel(msg)
            return True
        cancelled: asyncio.Future[None] = self._loop.create_future()
        cancelled.cancel(msg)
        self._wake_with(cancelled)
        return True
