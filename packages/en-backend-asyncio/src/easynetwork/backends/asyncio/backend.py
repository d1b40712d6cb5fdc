# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import socket as _socket
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from easynetwork.lowlevel.api_async.backend.abc import TaskInfo
from easynetwork.lowlevel.api_async.backend.anyio_backend import AnyIOBackend

from .connect import connect_tcp, wrap_stream_socket
from .listeners import open_tcp_listeners
from .tasks import finish_first, yield_first
from .udp import connect_udp, open_udp_listeners, wrap_datagram_socket
from .unix import (
    connect_unix_datagram,
    connect_unix_stream,
    open_unix_datagram_listener,
    open_unix_stream_listener,
)

if TYPE_CHECKING:
    from easynetwork.lowlevel.datagrams import (
        ControlDatagramEndpoint,
        ControlDatagramListener,
        DatagramEndpoint,
        DatagramListener,
    )
    from easynetwork.lowlevel.streams import ByteStream, ControlByteStream, StreamListener
    from easynetwork.lowlevel.unix_files import UnixPath

__all__ = ("AsyncIOBackend",)

Args = TypeVarTuple("Args")
T = TypeVar("T")


class AsyncIOBackend(AnyIOBackend):
    """The backend for asyncio event loops, uvloop's among them."""

    def bootstrap(
        self,
        coro_func: Callable[[*Args], Coroutine[Any, Any, T]],
        *args: *Args,
        runner_options: Mapping[str, Any] | None = None,
    ) -> T:
        _refuse_nested_loops()
        with asyncio.Runner(**(runner_options or {})) as runner:
            return runner.run(_call(coro_func, args))

    # what anyio does too, but only for its own cancellation, or at the price of a search for the backend

    def current_time(self) -> float:
        return asyncio.get_running_loop().time()

    def get_cancelled_exc_class(self) -> type[BaseException]:
        return asyncio.CancelledError

    async def ignore_cancellation(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return await finish_first(coroutine)

    async def cancel_shielded_coro_yield(self) -> None:
        await yield_first()

    def get_current_task(self) -> TaskInfo:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("no task is running")
        return TaskInfo(id(task), task.get_name(), task.get_coro())

    def thread_safe_call_soon(self) -> Callable[[Callable[[], object]], object]:
        loop = asyncio.get_running_loop()
        return lambda func: loop.call_soon_threadsafe(_call_outside_tasks, func)

    # sockets

    async def create_tcp_connection(
        self,
        host: str,
        port: int,
        *,
        local_address: tuple[str, int] | None = None,
        happy_eyeballs_delay: float | None = None,
    ) -> ByteStream:
        return await connect_tcp(
            self, host, port, local_address=local_address, happy_eyeballs_delay=happy_eyeballs_delay
        )

    async def create_tcp_listeners(
        self,
        host: str | Sequence[str] | None,
        port: int,
        backlog: int,
        *,
        reuse_port: bool = False,
    ) -> Sequence[StreamListener]:
        return await open_tcp_listeners(self, host, port, backlog, reuse_port=reuse_port)

    async def wrap_stream_socket(self, socket: _socket.socket) -> ByteStream:
        return wrap_stream_socket(self, asyncio.get_running_loop(), socket)

    async def create_udp_endpoint(
        self,
        remote_host: str,
        remote_port: int,
        *,
        local_address: tuple[str, int] | None = None,
        family: int = _socket.AF_UNSPEC,
    ) -> DatagramEndpoint:
        return await connect_udp(self, remote_host, remote_port, local_address=local_address, family=family)

    async def create_udp_listeners(
        self,
        host: str | Sequence[str] | None,
        port: int,
        *,
        reuse_port: bool = False,
    ) -> Sequence[DatagramListener]:
        return await open_udp_listeners(self, host, port, reuse_port=reuse_port)

    async def wrap_connected_datagram_socket(self, socket: _socket.socket) -> DatagramEndpoint:
        return wrap_datagram_socket(self, asyncio.get_running_loop(), socket)

    async def create_unix_stream_connection(
        self, path: UnixPath, *, local_path: UnixPath | None = None
    ) -> ControlByteStream:
        return await connect_unix_stream(self, path, local_path=local_path)

    async def create_unix_stream_listener(
        self, path: UnixPath, backlog: int, *, mode: int | None = None
    ) -> StreamListener:
        return await open_unix_stream_listener(self, path, backlog, mode=mode)

    async def create_unix_datagram_endpoint(
        self, path: UnixPath, *, local_path: UnixPath | None = None
    ) -> ControlDatagramEndpoint:
        return await connect_unix_datagram(self, path, local_path=local_path)

    async def create_unix_datagram_listener(
        self, path: UnixPath, *, mode: int | None = None
    ) -> ControlDatagramListener:
        return await open_unix_datagram_listener(self, path, mode=mode)


def _refuse_nested_loops() -> None:
    # asyncio.Runner refuses too, but only when it has made an event loop that it then cannot close.
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("an event loop is running in this thread already")


def _call_outside_tasks(func: Callable[[], object]) -> None:
    # If sniffio is there, anyio asks it for the event loop; it sees asyncio only in tasks, and a callback is none.
    sniffio: Any = sys.modules.get("sniffio")
    if sniffio is not None:
        sniffio.current_async_library_cvar.set("asyncio")
    func()


async def _call(coro_func: Callable[[*Args], Coroutine[Any, Any, T]], args: tuple[*Args]) -> T:
    return await coro_func(*args)
