# SPDX-License-Identifier: Apache-2.0
"""A threads portal over any event loop that other threads can make call a function.

anyio's `BlockingPortal` is not used: its ``start_task_soon()`` waits for the event loop, and a
worker that reports to an event loop which is itself waiting for that thread would hang both.
"""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ._scopes import CancelScope
from ._threads import ThreadsPortal

if TYPE_CHECKING:
    from typing import Self

    from .abc import AsyncBackend

__all__ = ("EventLoopPortal",)

P = ParamSpec("P")
T = TypeVar("T")


class EventLoopPortal(ThreadsPortal):
    """The portal into the running event loop.

    Args:
        backend: the backend of that event loop.
        call_soon: see `AnyIOBackend.thread_safe_call_soon`.
    """

    def __init__(self, backend: AsyncBackend, call_soon: Callable[[Callable[[], object]], object]) -> None:
        self._backend = backend
        self._call_soon = call_soon
        self._group = backend.create_task_group()
        self._thread = threading.get_ident()
        self._open = False
        self._lock = threading.Lock()  # between "is it open" and the request to the event loop, nobody may close

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._open = True
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
        /,
    ) -> bool | None:
        with self._lock:
            self._open = False
        drained = self._backend.create_event()
        self._call_soon(drained.set)  # behind all requests that were accepted
        await self._backend.ignore_cancellation(drained.wait())
        return await self._group.__aexit__(exc_type, exc_val, exc_tb)

    def run_coroutine_soon(
        self,
        coro_func: Callable[P, Coroutine[Any, Any, T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> concurrent.futures.Future[T]:
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        call = partial(coro_func, *args, **kwargs)
        self._request(lambda: self._group.start_soon(self._await, call, future))
        return future

    def run_sync_soon(
        self,
        func: Callable[P, T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> concurrent.futures.Future[T]:
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._request(partial(_call, partial(func, *args, **kwargs), future))
        return future

    def _request(self, func: Callable[[], object]) -> None:
        if threading.get_ident() == self._thread:
            raise RuntimeError("this must be called in another thread than the event loop's")
        with self._lock:
            if not self._open:
                raise RuntimeError("the portal is not open")
            self._call_soon(func)

    async def _await(
        self, coro_func: Callable[[], Coroutine[Any, Any, T]], future: concurrent.futures.Future[T]
    ) -> None:
        # The future stays "pending" while the coroutine runs, because one that is "running" refuses
        # to be cancelled.
        if future.cancelled():
            future.set_running_or_notify_cancel()
            return
        with self._backend.open_cancel_scope() as scope:
            future.add_done_callback(partial(self._follow_cancellation, scope))
            try:
                result = await coro_func()
            except self._backend.get_cancelled_exc_class():
                future.cancel()
                future.set_running_or_notify_cancel()
                raise
            except BaseException as exc:  # goes to the one who waits for the future
                _fail(future, exc)
            else:
                if future.set_running_or_notify_cancel():
                    future.set_result(result)

    def _follow_cancellation(self, scope: CancelScope, future: concurrent.futures.Future[Any]) -> None:
        if future.cancelled():
            with suppress(RuntimeError):  # the event loop is gone, and the coroutine with it
                self._call_soon(scope.cancel)


def _call(func: Callable[[], T], future: concurrent.futures.Future[T]) -> None:
    if future.cancelled():
        future.set_running_or_notify_cancel()
        return
    try:
        result = func()
    except BaseException as exc:  # goes to the one who waits for the future
        _fail(future, exc)
    else:
        if future.set_running_or_notify_cancel():
            future.set_result(result)


def _fail(future: concurrent.futures.Future[Any], exc: BaseException) -> None:
    if future.set_running_or_notify_cancel():
        future.set_exception(exc)
    if not isinstance(exc, Exception):
        raise exc  # Ctrl-C and the like are the event loop's business too
