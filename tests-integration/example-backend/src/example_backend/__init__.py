# SPDX-License-Identifier: Apache-2.0
"""A backend for easynetwork that is as short as it can be: asyncio, with a future for each wait."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar, TypeVarTuple

from easynetwork.exceptions import BusyResourceError
from easynetwork.lowlevel.api_async.backend.utils import call_outside_tasks, refuse_nested_event_loop
from easynetwork.lowlevel.socket_transports import SocketBackend, SocketWatch

__all__ = ("ExampleBackend",)

Args = TypeVarTuple("Args")
T = TypeVar("T")


class ExampleBackend(SocketBackend):
    """How programs run, and how sockets are watched; tasks and time come from anyio, transports
    from `SocketBackend`.
    """

    def bootstrap(
        self,
        coro_func: Callable[[*Args], Coroutine[Any, Any, T]],
        *args: *Args,
        runner_options: Mapping[str, Any] | None = None,
    ) -> T:
        refuse_nested_event_loop()
        with asyncio.Runner(**(runner_options or {})) as runner:
            return runner.run(coro_func(*args))

    def thread_safe_call_soon(self) -> Callable[[Callable[[], object]], object]:
        loop = asyncio.get_running_loop()
        return lambda func: loop.call_soon_threadsafe(call_outside_tasks, func)

    def watch_socket(self, socket: socket.socket) -> SocketWatch:
        loop, fd = asyncio.get_running_loop(), socket.fileno()
        return ExampleWatch(
            _Readiness(lambda wake: loop.add_reader(fd, wake), lambda: loop.remove_reader(fd)),
            _Readiness(lambda wake: loop.add_writer(fd, wake), lambda: loop.remove_writer(fd)),
        )


class ExampleWatch(SocketWatch):
    """Tells one reader and one writer when their socket is ready."""

    def __init__(self, input: _Readiness, output: _Readiness) -> None:
        self._input = input
        self._output = output

    async def wait_readable(self, deadline: float | None = None) -> None:
        async with asyncio.timeout_at(deadline):
            await self._input.wait()

    async def wait_writable(self) -> None:
        await self._output.wait()

    def interrupt_reader(self, error: Exception) -> None:
        self._input.end_wait(error)

    def stop(self, error: Exception) -> None:
        self._input.stop(error)
        self._output.stop(error)


class _Readiness:
    """What one task at a time waits for."""

    def __init__(self, watch: Callable[[Callable[[], None]], None], unwatch: Callable[[], object]) -> None:
        self._watch = watch
        self._unwatch = unwatch
        self._waiting: asyncio.Future[None] | None = None
        self._stopped: Exception | None = None

    async def wait(self) -> None:
        if self._stopped is not None:
            raise self._stopped
        if self._waiting is not None:
            raise BusyResourceError("another task waits for this socket already")
        self._waiting = waiting = asyncio.get_running_loop().create_future()
        self._watch(self.end_wait)
        try:
            await waiting
        finally:
            if self._waiting is waiting:  # it was cancelled
                self.end_wait()

    def stop(self, error: Exception) -> None:
        self._stopped = error
        self.end_wait(error)

    def end_wait(self, error: Exception | None = None) -> None:
        # The watch ends here and not in the task, which runs later, when the descriptor may already
        # belong to another socket.
        if self._waiting is None:
            return
        waiting, self._waiting = self._waiting, None
        self._unwatch()
        if waiting.done():
            return
        if error is None:
            waiting.set_result(None)
        else:
            waiting.set_exception(error)
