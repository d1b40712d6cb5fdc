# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from abc import abstractmethod
from types import TracebackType
from typing import Any, Protocol

__all__ = ("ICondition", "IEvent", "ILock")


class ILock(Protocol):
    """A lock for tasks. It belongs to the task that acquired it."""

    @abstractmethod
    async def __aenter__(self) -> Any:
        """Acquires the lock."""

    @abstractmethod
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
        /,
    ) -> None:
        """Releases the lock."""

    @abstractmethod
    async def acquire(self) -> Any:
        """Waits for the lock and takes it. A cancelled call has not taken it.

        Raises:
            RuntimeError: this task has it already.
        """

    @abstractmethod
    def release(self) -> None:
        """Gives the lock to the next waiter, or frees it.

        Raises:
            RuntimeError: this task does not have it.
        """

    @abstractmethod
    def locked(self) -> bool:
        """Tells whether a task has the lock."""


class IEvent(Protocol):
    """A flag that tasks can wait for. It is set once and for all."""

    @abstractmethod
    async def wait(self) -> Any:
        """Waits until the flag is set; returns at once if it is."""

    @abstractmethod
    def set(self) -> None:
        """Sets the flag and wakes all waiters. Safe to repeat."""

    @abstractmethod
    def is_set(self) -> bool:
        """Tells whether the flag is set."""


class ICondition(ILock, Protocol):
    """A lock whose owner can wait for what others do under it."""

    @abstractmethod
    async def wait(self) -> Any:
        """Releases the lock, waits to be notified, and takes the lock again, also if it is
        cancelled.

        Raises:
            RuntimeError: this task does not have the lock.
        """

    @abstractmethod
    def notify(self, n: int = 1, /) -> None:
        """Wakes up to ``n`` waiters, in the order of their arrival.

        Raises:
            RuntimeError: this task does not have the lock.
        """

    @abstractmethod
    def notify_all(self) -> None:
        """Wakes all waiters.

        Raises:
            RuntimeError: this task does not have the lock.
        """
