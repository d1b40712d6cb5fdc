# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import socket as _socket
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from typing import Any, TypeVar, TypeVarTuple

from easynetwork.lowlevel.api_async.backend.abc import TaskInfo
from easynetwork.lowlevel.api_async.backend.utils import call_outside_tasks, refuse_nested_event_loop
from easynetwork.lowlevel.socket_transports import SocketBackend, SocketWatch

from .steps import run_steps
from .tasks import finish_first, yield_first
from .watch import AsyncIOSocketWatch, require_readiness

__all__ = ("AsyncIOBackend",)

Args = TypeVarTuple("Args")
T = TypeVar("T")


class AsyncIOBackend(SocketBackend):
    """The backend for asyncio event loops, uvloop's among them."""

    def bootstrap(
        self,
        coro_func: Callable[[*Args], Coroutine[Any, Any, T]],
        *args: *Args,
        runner_options: Mapping[str, Any] | None = None,
    ) -> T:
        refuse_nested_event_loop()
        with asyncio.Runner(**(runner_options or {})) as runner:
            return runner.run(_call(coro_func, args))

    # what anyio does too, but only for its own cancellation, or at the price of a search for the
    # backend

    def current_time(self) -> float:
        return asyncio.get_running_loop().time()

    def get_cancelled_exc_class(self) -> type[BaseException]:
        return asyncio.CancelledError

    async def ignore_cancellation(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return await finish_first(coroutine)

    async def cancel_shielded_coro_yield(self) -> None:
        await yield_first()

    def run_steps(self, steps: Generator[Any, Any, T]) -> Awaitable[T]:
        return run_steps(steps)

    def thread_safe_call_soon(self) -> Callable[[Callable[[], object]], object]:
        loop = asyncio.get_running_loop()
        return lambda func: loop.call_soon_threadsafe(call_outside_tasks, func)

    def get_current_task(self) -> TaskInfo:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("no task is running")
        return TaskInfo(id(task), task.get_name(), task.get_coro())

    # sockets

    def watch_socket(self, socket: _socket.socket) -> SocketWatch:
        return AsyncIOSocketWatch(asyncio.get_running_loop(), socket.fileno())

    def check_sockets_can_be_watched(self) -> None:
        require_readiness(asyncio.get_running_loop())


async def _call(coro_func: Callable[[*Args], Coroutine[Any, Any, T]], args: tuple[*Args]) -> T:
    return await coro_func(*args)
