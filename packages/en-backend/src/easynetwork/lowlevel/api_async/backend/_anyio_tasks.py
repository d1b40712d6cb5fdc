# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, TypeVarTuple

import anyio
import anyio.abc

from ._tasks import Task, TaskGroup, TaskInfo

if TYPE_CHECKING:
    from typing import Self

    from .abc import AsyncBackend

__all__ = ("AnyIOTask", "AnyIOTaskGroup")

Args = TypeVarTuple("Args")
T = TypeVar("T")


class AnyIOTask(Task[T], Generic[T]):
    """What `AnyIOTaskGroup.start` runs, and the handle it returns."""

    def __init__(self, backend: AsyncBackend) -> None:
        self._backend = backend
        self._scope = anyio.CancelScope()
        self._ended = anyio.Event()
        self._info: TaskInfo
        self._result: T
        self._error: BaseException | None = None

    async def run(
        self,
        coro_func: Callable[[*Args], Coroutine[Any, Any, T]],
        args: tuple[*Args],
        *,
        task_status: anyio.abc.TaskStatus[None],
    ) -> None:
        """The body of the task."""
        self._info = self._backend.get_current_task()
        task_status.started()
        try:
            with self._scope:
                self._result = await self._keep_error(coro_func(*args))
        except self._backend.get_cancelled_exc_class():
            if not _is_stray_cancellation():
                raise
        finally:
            self._ended.set()
            del self  # an error's traceback would keep the task alive, and the task its error

    async def _keep_error(self, coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            return await coroutine
        except BaseException as exc:
            self._error = exc
            raise
        finally:
            del self

    @property
    def info(self) -> TaskInfo:
        return self._info

    def done(self) -> bool:
        return self._ended.is_set()

    def cancelled(self) -> bool:
        return self.done() and isinstance(self._error, self._backend.get_cancelled_exc_class())

    def cancel(self) -> bool:
        if self.done():
            return False
        self._scope.cancel()
        return True

    async def wait(self) -> None:
        await self._ended.wait()

    async def join(self) -> T:
        await self._ended.wait()
        return self._unwrap()

    async def join_or_cancel(self) -> T:
        try:
            await self._ended.wait()
        except self._backend.get_cancelled_exc_class():
            self.cancel()
            await self._backend.ignore_cancellation(self.wait())
            raise
        return self._unwrap()

    def _unwrap(self) -> T:
        if self._error is not None:
            raise self._error
        return self._result


class AnyIOTaskGroup(TaskGroup):
    def __init__(self, backend: AsyncBackend) -> None:
        self._backend = backend
        self._group = anyio.create_task_group()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
        /,
    ) -> bool | None:
        return await self._group.__aexit__(exc_type, exc_val, exc_tb)

    def start_soon(
        self,
        coro_func: Callable[[*Args], Coroutine[Any, Any, object]],
        /,
        *args: *Args,
        name: str | None = None,
    ) -> None:
        self._group.start_soon(self._contain, coro_func, args, name=name or _name_of(coro_func))

    async def start(
        self,
        coro_func: Callable[[*Args], Coroutine[Any, Any, T]],
        /,
        *args: *Args,
        name: str | None = None,
    ) -> Task[T]:
        task = AnyIOTask[T](self._backend)
        await self._group.start(task.run, coro_func, args, name=name or _name_of(coro_func))
        return task

    async def _contain(self, coro_func: Callable[[*Args], Coroutine[Any, Any, object]], args: tuple[*Args]) -> None:
        try:
            await coro_func(*args)
        except self._backend.get_cancelled_exc_class():
            if not _is_stray_cancellation():
                raise


def _is_stray_cancellation() -> bool:
    # No scope around the task is cancelled. Awaiting a cancelled asyncio task raises such an error,
    # or joining a task that was cancelled; if it left, anyio would cancel all the other tasks of
    # the group.
    return anyio.current_effective_deadline() > -math.inf


def _name_of(func: Callable[..., object]) -> str:
    return getattr(func, "__qualname__", None) or repr(func)
