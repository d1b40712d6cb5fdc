# SPDX-License-Identifier: Apache-2.0
"""A backend without sockets."""

from __future__ import annotations

import asyncio
import contextvars
import errno
import socket as _socket
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, TypeVarTuple

import anyio

from easynetwork.exceptions import UnsupportedOperation

from ..api_async.backend.anyio_backend import AnyIOBackend
from ..api_async.backend.utils import call_outside_tasks, running_library
from ..socket import INETSocketAttribute
from .impairments import Impairments
from .memory_datagrams import MemoryDatagramEndpoint, MemoryDatagramListener, MemoryDatagramNetwork
from .memory_sockets import AddressBook, InetAddress, loopback, resolve
from .memory_streams import MemoryListener, MemoryStream

if TYPE_CHECKING:
    from ..datagrams import DatagramEndpoint
    from ..streams import ByteStream

__all__ = ("MemoryBackend",)

Args = TypeVarTuple("Args")
ListenerT = TypeVar("ListenerT", MemoryListener, MemoryDatagramListener)
T = TypeVar("T")

_WILDCARDS: Final = ("0.0.0.0", "::")


class MemoryBackend(AnyIOBackend):
    """Tasks and time of any event loop that anyio knows, and a network that is in memory.

    Unlike other backends, it has a state: those who shall meet use the same instance, in one event
    loop. Hosts are numeric, or ``localhost``. The runner options of `bootstrap` are those of
    `anyio.run`. With `trio.testing.MockClock` all time-outs are a matter of microseconds.

    Args:
        impairments: what happens to datagrams on their way; the default is nothing. Streams are
            never impaired.
    """

    def __init__(self, *, impairments: Impairments | None = None) -> None:
        self._listeners: AddressBook[MemoryListener] = AddressBook()
        self._datagrams = MemoryDatagramNetwork(self, impairments=impairments or Impairments())

    def bootstrap(
        self,
        coro_func: Callable[[*Args], Coroutine[Any, Any, T]],
        *args: *Args,
        runner_options: Mapping[str, Any] | None = None,
    ) -> T:
        return anyio.run(coro_func, *args, **(runner_options or {}))

    def thread_safe_call_soon(self) -> Callable[[Callable[[], object]], object]:
        if running_library() == "asyncio":
            loop = asyncio.get_running_loop()
            return lambda func: loop.call_soon_threadsafe(call_outside_tasks, func)
        trio: Any = sys.modules["trio"]  # where it runs, it was imported; where it does not, it is not needed
        token = trio.lowlevel.current_trio_token()
        return lambda func: token.run_sync_soon(contextvars.copy_context().run, func)

    # streams

    async def create_tcp_connection(
        self,
        host: str,
        port: int,
        *,
        local_address: tuple[str, int] | None = None,
        happy_eyeballs_delay: float | None = None,
    ) -> MemoryStream:
        destination = resolve(host, port)
        listener = self._listeners.find(destination)
        await self.coro_yield()  # as a real connection takes its time
        if listener is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"cannot connect to {destination}: nobody listens")
        source = loopback(destination, 0) if local_address is None else resolve(*local_address)
        return listener.connect(source=self._listeners.choose(source), destination=destination)

    async def create_tcp_listeners(
        self,
        host: str | Sequence[str] | None,
        port: int,
        backlog: int,
        *,
        reuse_port: bool = False,
    ) -> Sequence[MemoryListener]:
        def bind(address: InetAddress) -> MemoryListener:
            address = self._listeners.choose(address)
            listener = MemoryListener(self, address, backlog=backlog)
            self._listeners.enter(address, listener)
            return listener

        return await _bind_all(host, port, reuse_port, bind)

    async def wrap_stream_socket(self, socket: _socket.socket) -> ByteStream:
        _no_real_sockets()

    # datagrams

    async def create_udp_endpoint(
        self,
        remote_host: str,
        remote_port: int,
        *,
        local_address: tuple[str, int] | None = None,
        family: int = _socket.AF_UNSPEC,
    ) -> MemoryDatagramEndpoint:
        local = None if local_address is None else resolve(*local_address, family)
        return self._datagrams.open_endpoint(resolve(remote_host, remote_port, family), local)

    async def create_udp_listeners(
        self,
        host: str | Sequence[str] | None,
        port: int,
        *,
        reuse_port: bool = False,
    ) -> Sequence[MemoryDatagramListener]:
        return await _bind_all(host, port, reuse_port, self._datagrams.open_listener)

    async def wrap_connected_datagram_socket(self, socket: _socket.socket) -> DatagramEndpoint:
        _no_real_sockets()


async def _bind_all(
    host: str | Sequence[str] | None, port: int, reuse_port: bool, bind: Callable[[InetAddress], ListenerT]
) -> list[ListenerT]:
    """Binds all hosts, with one port, or none of them."""
    if reuse_port:
        raise ValueError("reuse_port: the memory network has no SO_REUSEPORT")
    listeners: list[ListenerT] = []
    try:
        for one in [host] if isinstance(host, str) and host else host or _WILDCARDS:
            listeners.append(bind(resolve(one, port)))
            port = listeners[0].extra(INETSocketAttribute.sockname).port
    except BaseException:
        for listener in listeners:
            await listener.aclose()
        raise
    return listeners


def _no_real_sockets() -> NoReturn:
    raise UnsupportedOperation("the memory network has no real sockets")
