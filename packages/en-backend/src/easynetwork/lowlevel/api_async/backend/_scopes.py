# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from abc import ABCMeta, abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

__all__ = ("CancelScope",)


class CancelScope(metaclass=ABCMeta):
    """A ``with`` block that can be cancelled as a whole, at once or at a deadline.

    Cancellation is a state: every wait inside is interrupted until the block is left, which
    swallows its cancellation. Deadlines are absolute, in the backend's time
    (`AsyncBackend.current_time`), in seconds; `math.inf` is none.
    """

    @abstractmethod
    def __enter__(self) -> Self:
        """Opens the scope, which can be done once."""

    @abstractmethod
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
        /,
    ) -> bool:
        """Closes the scope, in the task that opened it.

        True if the exception was this scope's own cancellation.
        """

    @abstractmethod
    def cancel(self) -> None:
        """Cancels what runs in the scope, or will. Safe to repeat."""

    @abstractmethod
    def cancel_called(self) -> bool:
        """Tells whether `cancel` was called or the deadline has passed."""

    @abstractmethod
    def cancelled_caught(self) -> bool:
        """Tells, once the scope is closed, whether it swallowed its cancellation.

        A block may end before it notices.
        """

    @abstractmethod
    def when(self) -> float:
        """The deadline."""

    @abstractmethod
    def reschedule(self, when: float, /) -> None:
        """Moves the deadline, also of an open scope. It does not undo a cancellation.

        Raises:
            ValueError: ``when`` is NaN.
        """

    @property
    def deadline(self) -> float:
        """The deadline; setting it is `reschedule`."""
        return self.when()

    @deadline.setter
    def deadline(self, value: float) -> None:
        self.reschedule(value)
