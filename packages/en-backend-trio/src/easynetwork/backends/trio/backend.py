# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextvars
import socket as _socket
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar, TypeVarTuple

import trio

from easynetwork.lowlevel.api_async.backend.abc import TaskInfo
from easynetwork.lowlevel.api_async.backend.utils import refuse_nested_event_loop
from easynetwork.lowlevel.interrupts import unwrapped_interrupts
from easynetwork.lowlevel.socket_transports import SocketBackend, SocketWatch

from .watch import TrioSocketWatch

__all__ = ("TrioBackend",)

Args = TypeVarTuple("Args")
T = TypeVar("T")


class TrioBackend(SocketBackend):
    """The backend for trio."""

    def bootstrap(
        self,
        coro_func: Callable[[*Args], Coroutine[Any, Any, T]],
        *args: *Args,
        runner_options: Mapping[str, Any] | None = None,
    ) -> T:
        refuse_nested_event_loop()
        with unwrapped_interrupts():
            return trio.run(coro_func, *args, **(runner_options or {}))

    # what anyio does too, but at the price of a search for the backend

    def current_time(self) -> float:
        return trio.current_time()

    def get_cancelled_exc_class(self) -> type[BaseException]:
        return trio.Cancelled

    def thread_safe_call_soon(self) -> Callable[[Callable[[], object]], object]:
        token = trio.lowlevel.current_trio_token()
        return lambda func: token.run_sync_soon(contextvars.copy_context().run, func)

    def get_current_task(self) -> TaskInfo:
        task = trio.lowlevel.current_task()
        return TaskInfo(id(task), task.name, task.coro)

    # sockets

    def watch_socket(self, socket: _socket.socket) -> SocketWatch:
        return TrioSocketWatch(socket.fileno())
