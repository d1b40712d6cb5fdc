# SPDX-License-Identifier: Apache-2.0
"""A lock that costs nothing while nobody else wants it.

The event loops' locks suspend, or look up the running task, on every acquisition. A lock that is
taken for each packet must do neither.
"""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .api_async.backend._operations import Synchronization
    from .api_async.backend._sync import IEvent

__all__ = ("FairLock",)


class FairLock:
    """A mutual exclusion lock that is handed over in the order of the requests, without an owner
    and without a checkpoint.
    """

    def __init__(self, runtime: Synchronization) -> None:
        self._runtime = runtime
        self._locked = False
        self._waiting: deque[IEvent] = deque()

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def locked(self) -> bool:
        return self._locked

    def acquire_nowait(self) -> bool:
        """Takes the lock if it is free; tells whether it did."""
        if self._locked:
            return False
        self._locked = True
        return True

    async def acquire(self) -> bool:
        """Takes the lock, after those who asked before.

        Does not suspend if it is free. A cancelled call has not taken it.
        """
        if not self.acquire_nowait():
            granted = self._runtime.create_event()
            self._waiting.append(granted)
            try:
                await granted.wait()
            except BaseException:
                if granted.is_set():
                    self.release()  # it was handed over already, and goes to the next one
                else:
                    self._waiting.remove(granted)
                raise
        return True

    def release(self) -> None:
        """Hands the lock to who waits longest, or frees it.

        Raises:
            RuntimeError: it is not taken.
        """
        if not self._locked:
            raise RuntimeError("release() of a lock that is not taken")
        if self._waiting:
            self._waiting.popleft().set()
        else:
            self._locked = False
