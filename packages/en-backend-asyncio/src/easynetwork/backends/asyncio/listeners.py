# SPDX-License-Identifier: Apache-2.0
"""Listening TCP sockets."""

from __future__ import annotations

import asyncio
import errno
import os
import socket as _socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from easynetwork.lowlevel.streams import ClosedListenerError, StreamListener

from .readiness import require_readiness
from .sockets import SocketStream, prepared_stream, socket_attributes
from .waiter import Waiter

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend

__all__ = ("SocketListener", "open_tcp_listeners")

_GONE_BEFORE_ACCEPTED: Final = frozenset(
    # accept(2): errors that are pending on the new connection are to be treated like "try again".
    {
        errno.ECONNABORTED,
        errno.EPROTO,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.EHOSTUNREACH,
        errno.EOPNOTSUPP,
        errno.EPERM,  # a firewall rule forbids the connection
        getattr(errno, "ENONET", errno.ECONNABORTED),
        getattr(errno, "EHOSTDOWN", errno.ECONNABORTED),
    }
)

_SAME_PORT_ATTEMPTS: Final = 10
"""How often a free port of one address is looked for on the others before giving up."""


class SocketListener(StreamListener):
    """A `StreamListener` over a listening, non-blocking TCP socket, which it owns from now on."""

    def __init__(self, backend: AsyncBackend, loop: asyncio.AbstractEventLoop, sock: _socket.socket) -> None:
        self._backend = backend
        self._loop = loop
        self._socket = sock
        self._fd = sock.fileno()
        self._acceptable = Waiter(loop, self._unwatch)
        self._watched = False

    def backend(self) -> AsyncBackend:
        return self._backend

    def is_closing(self) -> bool:
        return self._socket.fileno() < 0

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return socket_attributes(self._socket)

    async def accept(self) -> SocketStream:
        while True:
            if self.is_closing():
                raise _closed_error()
            try:
                sock, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError):
                self._watch()
                await self._acceptable.wait()
            except OSError as exc:
                if exc.errno not in _GONE_BEFORE_ACCEPTED:
                    raise
            else:
                return prepared_stream(self._backend, self._loop, sock)

    def _watch(self) -> None:
        if not self._watched:
            self._watched = True
            self._loop.add_reader(self._fd, self._acceptable.wake)

    def _unwatch(self) -> None:
        """Nobody accepts for now: the kernel's queue holds the peers."""
        self._watched = False
        self._loop.remove_reader(self._fd)

    async def aclose(self) -> None:
        if self.is_closing():
            return
        self._loop.remove_reader(self._fd)
        self._socket.close()
        self._acceptable.wake_soon(_closed_error())


def _closed_error() -> ClosedListenerError:
    return ClosedListenerError(errno.EBADF, "the listener is closed")


async def open_tcp_listeners(
    backend: AsyncBackend,
    host: str | Sequence[str] | None,
    port: int,
    backlog: int,
    *,
    reuse_port: bool = False,
) -> list[SocketListener]:
    """Binds and listens on every address of ``host`` (None or an empty string: all interfaces). Port 0 is one free port for all.

    Raises:
        OSError: an address is unknown, in use, or not allowed; nothing stays open.
    """
    loop = asyncio.get_running_loop()
    require_readiness(loop)
    if reuse_port and not hasattr(_socket, "SO_REUSEPORT"):
        raise ValueError("reuse_port: this platform has no SO_REUSEPORT")
    addresses = await _resolve(backend, host, port)
    for attempt in range(_SAME_PORT_ATTEMPTS):
        try:
            sockets = _listen_on_all(addresses, backlog, reuse_port)
        except OSError as exc:
            port_was_chosen_for_us = port == 0 and len(addresses) > 1
            if not port_was_chosen_for_us or exc.errno != errno.EADDRINUSE or attempt == _SAME_PORT_ATTEMPTS - 1:
                raise
        else:
            return [SocketListener(backend, loop, sock) for sock in sockets]
    raise AssertionError("unreachable")


async def _resolve(
    backend: AsyncBackend, host: str | Sequence[str] | None, port: int
) -> list[tuple[int, tuple[Any, ...]]]:
    hosts: Sequence[str | None] = [host or None] if host is None or isinstance(host, str) else host
    found: dict[tuple[int, tuple[Any, ...]], None] = {}  # a set that keeps the order
    for one in hosts:
        infos = await backend.getaddrinfo(
            one, port, family=_socket.AF_UNSPEC, type=_socket.SOCK_STREAM, flags=_socket.AI_PASSIVE
        )
        found.update(dict.fromkeys((int(family), address) for family, _, _, _, address in infos))
    return list(found)


def _listen_on_all(
    addresses: Sequence[tuple[int, tuple[Any, ...]]], backlog: int, reuse_port: bool
) -> list[_socket.socket]:
    sockets: list[_socket.socket] = []
    port = addresses[0][1][1]
    try:
        for family, (host, _, *rest) in addresses:
            try:
                sock = _socket.socket(family, _socket.SOCK_STREAM)
            except OSError as exc:
                if exc.errno == errno.EAFNOSUPPORT and len(addresses) > 1:
                    continue  # a resolver may know IPv6 where the kernel does not
                raise
            sockets.append(sock)
            sock.setblocking(False)
            _listen(sock, (host, port, *rest), backlog, reuse_port)
            port = sock.getsockname()[1]
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _listen(sock: _socket.socket, address: tuple[Any, ...], backlog: int, reuse_port: bool) -> None:
    if os.name == "posix" and sys.platform != "cygwin":
        # A restart must not wait for old connections in TIME_WAIT. On Windows the option would let others take the port.
        sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    if reuse_port:
        sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEPORT, 1)
    if sock.family == _socket.AF_INET6:
        sock.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 1)  # IPv4 has a socket of its own
    try:
        sock.bind(address)
    except OSError as exc:
        raise OSError(exc.errno, f"cannot bind to {address[:2]}: {exc.strerror}") from None
    sock.listen(backlog)
