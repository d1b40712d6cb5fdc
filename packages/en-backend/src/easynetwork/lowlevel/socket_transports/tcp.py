# SPDX-License-Identifier: Apache-2.0
"""Where TCP streams come from."""

from __future__ import annotations

import contextlib
import errno
import os
import socket as _socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..happy_eyeballs import connect_first
from ..socket import set_tcp_keepalive, set_tcp_nodelay
from .binding import bind_all
from .listeners import SocketListener
from .streams import SocketStream
from .unix_streams import unix_stream

if TYPE_CHECKING:
    from .backend import SocketBackend

__all__ = ("connect_tcp", "open_tcp_listeners", "wrap_stream_socket")

_AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]

_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR})
"""What connect(2) says of a connection that will be made without us."""


async def connect_tcp(
    backend: SocketBackend,
    host: str,
    port: int,
    *,
    local_address: tuple[str, int] | None = None,
    happy_eyeballs_delay: float | None = None,
) -> SocketStream:
    """Connects to the first address of ``host`` that answers.

    Args:
        local_address: host and port to connect from.
        happy_eyeballs_delay: seconds before the next address is tried beside the one that has not answered yet (RFC 8305).

    Raises:
        OSError: the host is unknown, or no address of it could be connected to.
    """
    remote = await backend.getaddrinfo(host, port, type=_socket.SOCK_STREAM)
    local: list[_AddressInfo] = []
    if local_address is not None:
        local = list(await backend.getaddrinfo(*local_address, type=_socket.SOCK_STREAM, flags=_socket.AI_PASSIVE))
        families = {info[0] for info in local}
        remote = [info for info in remote if info[0] in families]
        if not remote:
            raise OSError(f"no address of {host!r} is of the same family as local_address")

    async def connect(info: _AddressInfo) -> SocketStream:
        return await _connect_one(backend, info, local)

    return await connect_first(backend, remote, connect, happy_eyeballs_delay)


async def _connect_one(backend: SocketBackend, info: _AddressInfo, local: list[_AddressInfo]) -> SocketStream:
    family, kind, proto, _, address = info
    sock = _socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        for local_family, _, _, _, local_sockaddr in local:
            if local_family == family:
                sock.bind(local_sockaddr)
                break
        await _connect(backend, sock, address)
        return _prepared_stream(backend, sock)
    except BaseException:
        sock.close()
        raise


async def _connect(backend: SocketBackend, sock: _socket.socket, address: tuple[Any, ...]) -> None:
    error = sock.connect_ex(address)
    if error in _UNDER_WAY:
        watch = backend.watch_socket(sock)
        try:
            await watch.wait_writable()
        finally:
            watch.stop(OSError(errno.EBADF, "the connection was given up"))
        error = sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
    if error:
        raise OSError(error, f"cannot connect to {address[:2]}: {os.strerror(error)}")


def wrap_stream_socket(backend: SocketBackend, sock: _socket.socket) -> SocketStream:
    """Makes a stream of a connected TCP or Unix socket; the stream owns it from now on.

    Raises:
        OSError: the socket is not connected.
        ValueError: it is not a stream socket.
    """
    is_unix = sock.family == getattr(_socket, "AF_UNIX", None)
    if sock.type != _socket.SOCK_STREAM or not (is_unix or sock.family in (_socket.AF_INET, _socket.AF_INET6)):
        raise ValueError("socket: expected a TCP or Unix stream socket")
    sock.getpeername()
    return unix_stream(backend, sock) if is_unix else _prepared_stream(backend, sock)


async def open_tcp_listeners(
    backend: SocketBackend,
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
    sockets = await bind_all(backend, host, port, _socket.SOCK_STREAM, backlog=backlog, reuse_port=reuse_port)
    return [SocketListener(backend, sock, _prepared_stream) for sock in sockets]


def _prepared_stream(backend: SocketBackend, sock: _socket.socket) -> SocketStream:
    """A stream of a connected TCP socket, set up as packets want it: sent at once, and a dead peer is noticed in the end."""
    sock.setblocking(False)
    for set_option in (set_tcp_nodelay, set_tcp_keepalive):
        with contextlib.suppress(OSError):
            set_option(sock, True)
    return SocketStream(backend, sock)
