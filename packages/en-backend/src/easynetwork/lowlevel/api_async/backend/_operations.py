# SPDX-License-Identifier: Apache-2.0
"""What a backend can do with tasks, time, locks and threads: one small interface for each kind."""

from __future__ import annotations

import math
from abc import ABCMeta, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager
from types import coroutine
from typing import Any, TypeVar, TypeVarTuple

from ._scopes import CancelScope
from ._sync import ICondition, IEvent, ILock
from ._tasks import TaskGroup, TaskInfo
from ._threads import ThreadsPortal

__all__ = ("Cancellation", "Synchronization", "Tasks", "Threads", "Time")

Args = TypeVarTuple("Args")
T = TypeVar("T")


class Time(metaclass=ABCMeta):
    """The event loop's clock. All times are in seconds."""

    @abstractmethod
    def current_time(self) -> float:
        """The time of the event loop, which has nothing to do with the time of day.

        Every deadline is given in it.
        """

    @abstractmethod
    async def sleep(self, delay: float) -> None:
        """Waits for ``delay`` seconds; 0 lets other tasks run once.

        Raises:
            ValueError: ``delay`` is negative or NaN.
        """

    @abstractmethod
    async def sleep_forever(self) -> Any:
        """Waits until it is cancelled."""

    async def sleep_until(self, deadline: float) -> None:
        """Waits until ``deadline``; if that is over, lets other tasks run once."""
        await self.sleep(max(deadline - self.current_time(), 0))


class Cancellation(Time):
    """How to limit, and how to survive, what is being waited for."""

    @abstractmethod
    def get_cancelled_exc_class(self) -> type[BaseException]:
        """The exception that means cancellation. Whoever catches it has to let it go on."""

    @abstractmethod
    def open_cancel_scope(self, *, deadline: float = math.inf) -> CancelScope:
        """Makes a scope that is cancelled at ``deadline``, and that can be cancelled by hand."""

    def move_on_after(self, delay: float) -> CancelScope:
        """Makes a scope that is left silently ``delay`` seconds from now."""
        return self.open_cancel_scope(deadline=self.current_time() + delay)

    def move_on_at(self, deadline: float) -> CancelScope:
        """Makes a scope that is left silently at ``deadline``."""
        return self.open_cancel_scope(deadline=deadline)

    @contextmanager
    def timeout(self, delay: float) -> Generator[CancelScope, None, None]:
        """Opens a scope that is left with `TimeoutError` after ``delay`` seconds."""
        with self.timeout_at(self.current_time() + delay) as scope:
            yield scope

    @contextmanager
    def timeout_at(self, deadline: float) -> Generator[CancelScope, None, None]:
        """Opens a scope that is left with `TimeoutError` at ``deadline``.

        Cancelled by hand, it is left silently.
        """
        with self.open_cancel_scope(deadline=deadline) as scope:
            yield scope
        if scope.cancelled_caught() and self.current_time() >= scope.when():
            raise TimeoutError("timed out")

    @abstractmethod
    async def ignore_cancellation(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs ``coroutine`` to its end and returns its result, even if this task is cancelled
        meanwhile.

        The cancellation is delivered at the task's next wait. The coroutine may run in a task and a
        context of its own.
        """

    @abstractmethod
    async def coro_yield(self) -> None:
        """Lets other tasks run once, and a pending cancellation be delivered."""

    @abstractmethod
    async def cancel_shielded_coro_yield(self) -> None:
        """Lets other tasks run once; a pending cancellation is delivered at the next wait."""


class Tasks(metaclass=ABCMeta):
    """How programs and tasks are run."""

    @abstractmethod
    def bootstrap(
        self,
        coro_func: Callable[[*Args], Coroutine[Any, Any, T]],
        *args: *Args,
        runner_options: Mapping[str, Any] | None = None,
    ) -> T:
        """Runs ``coro_func(*args)`` as a whole program in a new event loop, and returns its result.

        ``runner_options`` go to the library's own runner (`asyncio.Runner`, `trio.run`).

        Raises:
            RuntimeError: an event loop is running in this thread.
        """

    @abstractmethod
    def create_task_group(self) -> TaskGroup:
        """Makes a task group, not yet open."""

    @abstractmethod
    def get_current_task(self) -> TaskInfo:
        """Says which task is running.

        Raises:
            RuntimeError: there is none.
        """

    def run_steps(self, steps: Generator[Any, Any, T]) -> Awaitable[T]:
        """Awaits ``steps``, a generator of what is to be waited for, as `types.coroutine` makes a
        coroutine of.

        An event loop may step it without waking the task, as long as the code inside cannot tell
        the difference.
        """
        return _await_all(steps)

    async def gather(self, *coroutines: Coroutine[Any, Any, T]) -> list[T]:
        """Runs the coroutines at the same time and returns their results in the order given.

        Raises:
            ExceptionGroup: one of them failed, and the others were cancelled.
        """
        try:
            async with self.create_task_group() as group:
                tasks = [await group.start(_finish, coroutine) for coroutine in coroutines]
        finally:
            for coroutine in coroutines:
                coroutine.close()  # those that were not reached
        return [await task.join() for task in tasks]


class Synchronization(metaclass=ABCMeta):
    """How tasks wait for each other. What is made here is not for other threads."""

    @abstractmethod
    def create_lock(self) -> ILock:
        """Makes a lock."""

    @abstractmethod
    def create_event(self) -> IEvent:
        """Makes an event, not set."""

    @abstractmethod
    def create_condition_var(self, lock: ILock | None = None) -> ICondition:
        """Makes a condition variable over ``lock``, which is one of `create_lock`; None makes a new
        one.

        Who waits or notifies must have taken the lock through the condition.

        Raises:
            TypeError: the lock is not this backend's.
        """


class Threads(metaclass=ABCMeta):
    """How event loop and threads meet."""

    @abstractmethod
    async def run_in_thread(
        self,
        func: Callable[[*Args], T],
        /,
        *args: *Args,
        abandon_on_cancel: bool = False,
    ) -> T:
        """Calls ``func(*args)`` in a worker thread, in a copy of the caller's context, and waits
        for the result.

        If this is cancelled, it waits for the function all the same and returns its result before
        the cancellation is delivered; with ``abandon_on_cancel`` it leaves at once, and the thread
        finishes alone.
        """

    @abstractmethod
    def create_threads_portal(self) -> ThreadsPortal:
        """Makes a portal, not yet open, through which other threads call into this event loop."""


@coroutine
def _await_all(steps: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
    return (yield from steps)


async def _finish(coroutine: Coroutine[Any, Any, T]) -> T:
    return await coroutine
