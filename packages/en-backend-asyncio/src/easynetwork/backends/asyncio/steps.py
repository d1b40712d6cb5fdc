# SPDX-License-Identifier: Apache-2.0
"""Steps what a task waits for inside the event loop's callbacks.

To wake a task costs its own step, and a walk through each coroutine that is suspended in it. A
generator that mostly waits for one socket is stepped by the callback of that socket instead, while
the task sleeps on: in the task's name and context (``_enter_task``, which asyncio's page
"Extending" has for tasks of one's own), so that the code inside sees no difference. When the
generator waits for something else, or ends, the task takes over.
"""

from __future__ import annotations

import asyncio
from asyncio.tasks import _enter_task, _leave_task  # pyright: ignore[reportPrivateUsage]  # for libraries, see above
from collections.abc import Callable, Generator
from types import coroutine
from typing import Any, NamedTuple, TypeVar

from .waiter import Waiter

__all__ = ("run_steps",)

T = TypeVar("T")


@coroutine
def run_steps(steps: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
    """Awaits ``steps``, which yields what is to be waited for; callbacks step it while that is one
    socket.
    """
    task = asyncio.current_task()
    assert task is not None
    stepper = _Stepper(task, steps)
    del task
    answer: Any = None
    error: BaseException | None = None
    try:
        while True:
            try:
                trap = stepper.advance(answer, error)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]  # it is what the generator returns
            finally:
                error = None  # it has this frame in its traceback
            if isinstance(trap, Waiter):
                trap.stepper = stepper
            try:
                answer = yield trap
            except BaseException as exc:
                error = exc
            del trap  # may be a future with the error
    finally:
        stepper.end()


class _Trapped(NamedTuple):
    """A step has ended in something to wait for."""

    trap: Any


class _Raised(NamedTuple):
    """A step has ended the generator."""

    error: BaseException


class _Stepper:
    """Steps one generator in the name of ``task``."""

    __slots__ = ("_cancellation", "_loop", "_outcome", "_send", "_steps", "_task")  # 0.1 kB less for each connection

    def __init__(self, task: asyncio.Task[Any], steps: Generator[Any, Any, Any]) -> None:
        self._task = task
        self._loop = task.get_loop()
        self._steps = steps
        self._send = steps.send
        self._outcome: _Trapped | _Raised | None = None  # of the last step in a callback, if the task has to take over
        self._cancellation: tuple[Any] | None = None  # the message, if the step has cancelled its own task

    def advance(self, answer: Any, error: BaseException | None) -> Any:
        """Goes on in the task, which was told ``answer`` or ``error``; returns what to wait for."""
        outcome, self._outcome = self._outcome, None
        try:
            if outcome is None:
                return self._send(answer) if error is None else self._steps.throw(error)
            if self._cancellation is not None:
                self._cancel_again(*self._cancellation)
            if isinstance(outcome, _Raised):
                raise outcome.error
            return outcome.trap
        finally:
            del outcome, error  # their traceback has this frame

    def _cancel_again(self, message: Any) -> None:
        """Cancels the task as its step has done, but while it runs, so that it cancels what it
        waits for next.
        """
        self._cancellation = None
        self._task.cancel(message)
        self._task.uncancel()  # it is the same request; only the last one that is withdrawn can undo it

    def end(self) -> None:
        """Forgets the task.

        An error that leaves the generator has the stepper in its traceback, and the task may have
        the error.
        """
        del self._task

    def step(self, waiter: Waiter, wake_task: Callable[[asyncio.Future[None]], object]) -> None:
        """Goes on in a callback of the event loop.

        The task sleeps in ``waiter``, and is woken by ``wake_task``.
        """
        _enter_task(self._loop, self._task)
        try:
            trap = waiter.run_in_context(self._send, None)
        except BaseException as exc:
            self._outcome = _Raised(_without_last_frame(exc))
        else:
            if trap is waiter and self._cancellation is None:
                waiter.wake_task = wake_task
                return
            self._outcome = _Trapped(trap)
        finally:
            _leave_task(self._loop, self._task)
        waiter.stepper = None
        waiter.run_in_context(wake_task, waiter.done_future)
        del wake_task  # as in `Waiter.wake`

    def cancel(self, message: Any) -> None:
        """Notes that the step that runs has cancelled its own task."""
        self._cancellation = (message,)


def _without_last_frame(error: BaseException) -> BaseException:
    """Takes the frame that has caught ``error`` out of the traceback: it has the task, which may
    come to have the error.
    """
    traceback = error.__traceback__
    return error.with_traceback(traceback and traceback.tb_next)
