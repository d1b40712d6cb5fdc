# SPDX-License-Identifier: Apache-2.0
"""The futures and executors of `concurrent.futures`, for tasks."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from .api_async.backend.utils import ensure_backend

if TYPE_CHECKING:
    from typing import Self

    from .api_async.backend.abc import AsyncBackend

__all__ = ("AsyncExecutor", "unwrap_future")

P = ParamSpec("P")
T = TypeVar("T")
T_Executor = TypeVar("T_Executor", bound=concurrent.futures.Executor)


class AsyncExecutor(Generic[T_Executor]):
    """Runs functions in an executor and lets tasks wait for them.

    As an ``async with`` block it ends with `shutdown`.

    Args:
        executor: the executor, which is this object's to shut down.
        backend: the running backend, its name, or None to find it.
        handle_contexts: whether functions see the caller's context variables. Must be False if they
            run in other processes, where a context cannot go.
    """

    def __init__(
        self,
        executor: T_Executor,
        backend: str | AsyncBackend | None = None,
        *,
        handle_contexts: bool = True,
    ) -> None:
        _check_executor(executor)
        self._executor = executor
        self._backend = ensure_backend(backend)
        self._handle_contexts = handle_contexts

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.shutdown()

    @property
    def wrapped(self) -> T_Executor:
        """The executor."""
        return self._executor

    def backend(self) -> AsyncBackend:
        """The backend whose tasks wait here."""
        return self._backend

    async def run(self, func: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls ``func(*args, **kwargs)`` in the executor and waits for the result, as
        `unwrap_future` does.
        """
        return await unwrap_future(self._submit(func, *args, **kwargs), self._backend)

    def map(self, func: Callable[..., T], *iterables: Iterable[Any]) -> AsyncGenerator[T, None]:
        """Submits a call for each tuple of arguments at once, and gives the results in that order.

        Calls that have not begun when the generator is closed are cancelled.
        """
        return self._results([self._submit(func, *args) for args in zip(*iterables, strict=False)])

    async def _results(self, futures: list[concurrent.futures.Future[T]]) -> AsyncGenerator[T, None]:
        try:
            for future in futures:
                yield await unwrap_future(future, self._backend)
        finally:
            for future in futures:
                future.cancel()

    async def shutdown(self, *, cancel_futures: bool = False) -> None:
        """Refuses new calls and waits for those that run; with ``cancel_futures``, those that wait
        are cancelled.
        """
        await self._backend.run_in_thread(partial(self._executor.shutdown, wait=True, cancel_futures=cancel_futures))

    def shutdown_nowait(self, *, cancel_futures: bool = False) -> None:
        """Like `shutdown`, but waits for nothing."""
        self._executor.shutdown(wait=False, cancel_futures=cancel_futures)

    def _submit(self, func: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> concurrent.futures.Future[T]:
        if self._handle_contexts:
            return self._executor.submit(copy_context().run, partial(func, *args, **kwargs))
        return self._executor.submit(func, *args, **kwargs)


def _check_executor(executor: object) -> None:
    if not isinstance(executor, concurrent.futures.Executor):
        raise TypeError(f"executor: expected a concurrent.futures.Executor, got {executor!r}")


async def unwrap_future(future: concurrent.futures.Future[T], backend: AsyncBackend) -> T:
    """Waits for ``future`` and returns its result.

    If this is cancelled, so is the future; one that runs already is waited for before the
    cancellation goes on.

    Raises:
        BaseException: what the future raised; `concurrent.futures.CancelledError` if somebody else
            cancelled it.
    """
    if not future.done():
        await _wait(future, backend)
    return future.result()


async def _wait(future: concurrent.futures.Future[Any], backend: AsyncBackend) -> None:
    loop_thread = threading.get_ident()
    done = backend.create_event()

    async with backend.create_threads_portal() as portal:

        def notify(_: concurrent.futures.Future[Any]) -> None:
            if threading.get_ident() == loop_thread:
                done.set()
            else:
                with suppress(RuntimeError):  # nobody waits any more
                    portal.run_sync_soon(done.set)

        future.add_done_callback(notify)
        try:
            await done.wait()
        except backend.get_cancelled_exc_class():
            future.cancel()
            await backend.ignore_cancellation(done.wait())
            raise
