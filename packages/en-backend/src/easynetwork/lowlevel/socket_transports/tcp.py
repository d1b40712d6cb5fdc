# SPDX-License-Identifier: Apache-2.0
"""Where TCP streams come from."""

from __future__ import annotations

import contextlib
import errno
import os
import socket as _socket
from collections.abc import Sequence
from typing import Any

from ..api_async.backend._sockets import NameResolution, StreamSockets
from ..happy_eyeballs import connect_first
from ..socket import set_tcp_keepalive, set_tcp_nodelay
from .binding import bind_all
from .listeners import SocketListener
from .streams import SocketStream
from .unix_streams import unix_stream
from .watch import SocketWatcher

__all__ = ("TCPSockets",)

_AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]

_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR})
"""What connect(2) says of a connection that will be made without us."""


class TCPSockets(SocketWatcher, NameResolution, StreamSockets):
    """TCP for backends that can watch sockets."""

    async def create_tcp_connection(
        self,
        host: str,
        port: int,
        *,
        local_address: tuple[str, int] | None = None,
        happy_eyeballs_delay: float | None = None,
    ) -> SocketStream:
        self.check_sockets_can_be_watched()
        remote = await self.getaddrinfo(host, port, type=_socket.SOCK_STREAM)
        local: list[_AddressInfo] = []
        if local_address is not None:
            local = list(await self.getaddrinfo(*local_address, type=_socket.SOCK_STREAM, flags=_socket.AI_PASSIVE))
            families = {info[0] for info in local}
            remote = [info for info in remote if info[0] in families]
            if not remote:
                raise OSError(f"no address of {host!r} is of the same family as local_address")

        async def connect(info: _AddressInfo) -> SocketStream:
            return await _connect_one(self, info, local)

        return await connect_first(self, remote, connect, happy_eyeballs_delay)

    async def create_tcp_listeners(
        self,
        host: str | Sequence[str] | None,
        port: int,
        backlog: int,
        *,
        reuse_port: bool = False,
    ) -> list[SocketListener]:
        self.check_sockets_can_be_watched()
        sockets = await bind_all(self, host, port, _socket.SOCK_STREAM, backlog=backlog, reuse_port=reuse_port)
        return [SocketListener(self, sock, _prepared_stream, backlog) for sock in sockets]

    async def wrap_stream_socket(self, socket: _socket.socket) -> SocketStream:
        self.check_sockets_can_be_watched()
        is_unix = socket.family == getattr(_socket, "AF_UNIX", None)
        if socket.type != _socket.SOCK_STREAM or not (is_unix or socket.family in (_socket.AF_INET, _socket.AF_INET6)):
            raise ValueError("socket: expected a TCP or Unix stream socket")
        socket.getpeername()
        return unix_stream(self, socket) if is_unix else _prepared_stream(self, socket)


async def _connect_one(watcher: SocketWatcher, info: _AddressInfo, local: list[_AddressInfo]) -> SocketStream:
    family, kind, proto, _, address = info
    sock = _socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        for local_family, _, _, _, local_sockaddr in local:
            if local_family == family:
                sock.bind(local_sockaddr)
                break
        await _connect(watcher, sock, address)
        return _prepared_stream(watcher, sock)
    except BaseException:
        sock.close()
        raise


async def _connect(watcher: SocketWatcher, sock: _socket.socket, address: tuple[Any, ...]) -> None:
    error = sock.connect_ex(address)
    if error in _UNDER_WAY:
        watch = watcher.watch_socket(sock)
        try:
            await watch.wait_writable()
        finally:
            watch.stop(OSError(errno.EBADF, "the connection was given up"))
        error = sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
    if error:
        raise OSError(error, f"cannot connect to {address[:2]}: {os.strerror(error)}")


def _prepared_stream(watcher: SocketWatcher, sock: _socket.socket) -> SocketStream:
    """A stream of a connected TCP socket, set up as packets want it: sent at once, and a dead peer
    is noticed in the end.
    """
    sock.setblocking(False)
    for set_option in (set_tcp_nodelay, set_tcp_keepalive):
        with contextlib.suppress(OSError):
            set_option(sock, True)
    return SocketStream(watcher, sock)
