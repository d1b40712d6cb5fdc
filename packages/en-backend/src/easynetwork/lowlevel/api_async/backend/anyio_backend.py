# SPDX-License-Identifier: Apache-2.0
"""What anyio gives for more than one event loop; a backend on such a loop adds how programs run,
and sockets.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

import anyio
import anyio.lowlevel
import anyio.to_thread

from ._anyio_tasks import AnyIOTaskGroup
from ._portal import EventLoopPortal
from .abc import AsyncBackend, CancelScope, ICondition, IEvent, ILock, TaskGroup, TaskInfo, ThreadsPortal

if TYPE_CHECKING:
    from typing import Self

__all__ = ("AnyIOBackend",)

Args = TypeVarTuple("Args")
T = TypeVar("T")


class AnyIOBackend(AsyncBackend):
    """The part of a backend that is the same on every event loop that anyio knows."""

    @abstractmethod
    def thread_safe_call_soon(self) -> Callable[[Callable[[], object]], object]:
        """Gives the function by which other threads make the running event loop call something.

        The calls are made in the order of the requests, each in a copy of the requester's context,
        where anyio has to know its event loop. The function does not wait; it raises `RuntimeError`
        when the event loop is gone.
        """

    # time and cancellation

    def current_time(self) -> float:
        return anyio.current_time()

    async def sleep(self, delay: float) -> None:
        if not delay >= 0:  # written so that NaN fails too; asyncio takes both for 0
            raise ValueError(f"delay: expected a number of seconds >= 0, got {delay!r}")
        await anyio.sleep(delay)

    async def sleep_forever(self) -> None:
        await anyio.sleep_forever()

    def get_cancelled_exc_class(self) -> type[BaseException]:
        return anyio.get_cancelled_exc_class()

    def open_cancel_scope(self, *, deadline: float = math.inf) -> CancelScope:
        return _AnyIOCancelScope(anyio.CancelScope(deadline=deadline))

    async def ignore_cancellation(self, coroutine: Coroutine[Any, Any, T]) -> T:
        with anyio.CancelScope(shield=True):
            return await coroutine
        raise AssertionError("unreachable: this scope is never cancelled")

    async def coro_yield(self) -> None:
        await anyio.lowlevel.checkpoint()

    async def cancel_shielded_coro_yield(self) -> None:
        await anyio.lowlevel.cancel_shielded_checkpoint()

    # tasks

    def create_task_group(self) -> TaskGroup:
        return AnyIOTaskGroup(self)

    def get_current_task(self) -> TaskInfo:
        task = anyio.get_current_task()
        return TaskInfo(task.id, task.name or "", task.coro)

    # synchronization

    def create_lock(self) -> ILock:
        return anyio.Lock()

    def create_event(self) -> IEvent:
        return anyio.Event()

    def create_condition_var(self, lock: ILock | None = None) -> ICondition:
        if not isinstance(lock, anyio.Lock | None):
            raise TypeError(f"lock: expected what create_lock() returns, got {lock!r}")
        return anyio.Condition(lock)

    # threads

    async def run_in_thread(
        self,
        func: Callable[[*Args], T],
        /,
        *args: *Args,
        abandon_on_cancel: bool = False,
    ) -> T:
        if abandon_on_cancel:
            return await anyio.to_thread.run_sync(func, *args, abandon_on_cancel=True)
        await anyio.lowlevel.checkpoint_if_cancelled()
        return await self.ignore_cancellation(_run_in_thread(func, args))

    def create_threads_portal(self) -> ThreadsPortal:
        return EventLoopPortal(self, self.thread_safe_call_soon())


class _AnyIOCancelScope(CancelScope):
    def __init__(self, scope: anyio.CancelScope) -> None:
        self._scope = scope

    def __enter__(self) -> Self:
        self._scope.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
        /,
    ) -> bool:
        return bool(self._scope.__exit__(exc_type, exc_val, exc_tb))

    def cancel(self) -> None:
        self._scope.cancel()

    def cancel_called(self) -> bool:
        return self._scope.cancel_called

    def cancelled_caught(self) -> bool:
        return self._scope.cancelled_caught

    def when(self) -> float:
        return self._scope.deadline

    def reschedule(self, when: float, /) -> None:
        if math.isnan(when):
            raise ValueError("a deadline cannot be NaN")
        self._scope.deadline = when


async def _run_in_thread(func: Callable[[*Args], T], args: tuple[*Args]) -> T:
    return await anyio.to_thread.run_sync(func, *args)
