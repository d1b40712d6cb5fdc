# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from typing import Self

__all__ = ("Task", "TaskGroup", "TaskInfo")

Args = TypeVarTuple("Args")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class TaskInfo:
    """Says which task it is. Equal for the same running task, whoever asked."""

    id: int
    name: str = field(compare=False)
    coro: Any = field(compare=False, repr=False)
    """The coroutine object, or None if the backend does not tell."""


class Task(Generic[T_co], metaclass=ABCMeta):
    """A task that was started in a `TaskGroup`, as seen by the one who started it."""

    @property
    @abstractmethod
    def info(self) -> TaskInfo:
        """Says which task it is."""

    @abstractmethod
    def done(self) -> bool:
        """Tells whether the task has ended, in whatever way."""

    @abstractmethod
    def cancelled(self) -> bool:
        """Tells whether the task has ended by a cancellation."""

    @abstractmethod
    def cancel(self) -> bool:
        """Asks the task to end: every wait in it is interrupted from now on.

        False if it had ended already.
        """

    @abstractmethod
    async def wait(self) -> None:
        """Waits until the task has ended, in whatever way.

        Cancelling this leaves the task alone.
        """

    @abstractmethod
    async def join(self) -> T_co:
        """Waits for the task and returns its result. Cancelling this leaves the task alone.

        Raises:
            BaseException: what the task raised; the backend's cancellation error if it was
                cancelled.
        """

    @abstractmethod
    async def join_or_cancel(self) -> T_co:
        """Like `join`, but if this is cancelled, so is the task, which has ended before the
        cancellation goes on.
        """


class TaskGroup(metaclass=ABCMeta):
    """An ``async with`` block that is not left before all tasks in it have ended.

    If a task or the block itself raises, the others are cancelled, and the errors leave together as
    `ExceptionGroup`. A task that ends by a cancellation of its own is no error and disturbs nobody;
    if the whole group is cancelled, one cancellation leaves, however many tasks there were.
    """

    @abstractmethod
    async def __aenter__(self) -> Self:
        """Opens the group, which can be done once."""

    @abstractmethod
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
        /,
    ) -> bool | None:
        """Waits for all tasks.

        If this is cancelled, they are cancelled, and waited for all the same.
        """

    @abstractmethod
    def start_soon(
        self,
        coro_func: Callable[[*Args], Coroutine[Any, Any, object]],
        /,
        *args: *Args,
        name: str | None = None,
    ) -> None:
        """Starts ``coro_func(*args)`` in a new task at the next occasion, in a copy of the caller's
        context.

        Raises:
            RuntimeError: the group is not open.
        """

    @abstractmethod
    async def start(
        self,
        coro_func: Callable[[*Args], Coroutine[Any, Any, T]],
        /,
        *args: *Args,
        name: str | None = None,
    ) -> Task[T]:
        """Like `start_soon`, but waits until the task has begun.

        If this is cancelled, so is the task.

        Raises:
            RuntimeError: the group is not open.
        """
