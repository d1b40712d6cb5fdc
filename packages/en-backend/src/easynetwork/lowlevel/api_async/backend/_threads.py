# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import concurrent.futures
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from typing import Self

__all__ = ("ThreadsPortal",)

P = ParamSpec("P")
T = TypeVar("T")


class ThreadsPortal(metaclass=ABCMeta):
    """The way from other threads into the event loop; open inside its ``async with`` block.

    What is called runs in the event loop thread, in a copy of the caller's context. Every method
    raises `RuntimeError` when it is called in the event loop thread, which would wait for itself,
    or while the portal is not open.
    """

    @abstractmethod
    async def __aenter__(self) -> Self:
        """Opens the portal, which can be done once."""

    @abstractmethod
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
        /,
    ) -> bool | None:
        """Refuses new calls and waits for those that run. If this is cancelled, they are too."""

    @abstractmethod
    def run_coroutine_soon(
        self,
        coro_func: Callable[P, Coroutine[Any, Any, T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> concurrent.futures.Future[T]:
        """Starts ``coro_func(*args, **kwargs)`` in the event loop.

        Cancelling the future cancels the coroutine.
        """

    @abstractmethod
    def run_sync_soon(
        self,
        func: Callable[P, T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> concurrent.futures.Future[T]:
        """Calls ``func(*args, **kwargs)`` in the event loop thread at the next occasion."""

    def run_coroutine(
        self,
        coro_func: Callable[P, Coroutine[Any, Any, T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Like `run_coroutine_soon`, and waits for the result; an exception in this wait cancels
        the coroutine.

        Raises:
            concurrent.futures.CancelledError: the coroutine was cancelled.
        """
        return _wait(self.run_coroutine_soon(coro_func, *args, **kwargs))

    def run_sync(self, func: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Like `run_sync_soon`, and waits for the result."""
        return _wait(self.run_sync_soon(func, *args, **kwargs))


def _wait(future: concurrent.futures.Future[T]) -> T:
    try:
        return future.result()
    finally:
        future.cancel()  # does nothing to one that is done; a Ctrl-C here leaves no orphan in the event loop
