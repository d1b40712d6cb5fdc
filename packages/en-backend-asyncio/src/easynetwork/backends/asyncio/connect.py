# SPDX-License-Identifier: Apache-2.0
"""Outgoing TCP connections, and those that somebody else has made."""

from __future__ import annotations

import asyncio
import socket as _socket
from typing import TYPE_CHECKING, Any

from easynetwork.lowlevel.happy_eyeballs import connect_first

from .readiness import require_readiness
from .sockets import SocketStream, prepared_stream
from .unix_streams import unix_stream

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend

__all__ = ("connect_tcp", "wrap_stream_socket")

_AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]


async def connect_tcp(
    backend: AsyncBackend,
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
    loop = asyncio.get_running_loop()
    require_readiness(loop)
    remote = await backend.getaddrinfo(host, port, type=_socket.SOCK_STREAM)
    local: list[_AddressInfo] = []
    if local_address is not None:
        local = list(await backend.getaddrinfo(*local_address, type=_socket.SOCK_STREAM, flags=_socket.AI_PASSIVE))
        families = {info[0] for info in local}
        remote = [info for info in remote if info[0] in families]
        if not remote:
            raise OSError(f"no address of {host!r} is of the same family as local_address")

    async def connect(info: _AddressInfo) -> SocketStream:
        return await _connect_one(backend, loop, info, local)

    return await connect_first(backend, remote, connect, happy_eyeballs_delay)


async def _connect_one(
    backend: AsyncBackend, loop: asyncio.AbstractEventLoop, info: _AddressInfo, local: list[_AddressInfo]
) -> SocketStream:
    family, kind, proto, _, address = info
    sock = _socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        for local_family, _, _, _, local_sockaddr in local:
            if local_family == family:
                sock.bind(local_sockaddr)
                break
        await loop.sock_connect(sock, address)
        return prepared_stream(backend, loop, sock)
    except BaseException:
        sock.close()
        raise


def wrap_stream_socket(backend: AsyncBackend, loop: asyncio.AbstractEventLoop, sock: _socket.socket) -> SocketStream:
    """Makes a stream of a connected TCP or Unix socket; the stream owns it from now on.

    Raises:
        UnsupportedOperation: the loop cannot watch sockets.
        OSError: the socket is not connected.
        ValueError: it is not a stream socket.
    """
    require_readiness(loop)
    is_unix = sock.family == getattr(_socket, "AF_UNIX", None)
    if sock.type != _socket.SOCK_STREAM or not (is_unix or sock.family in (_socket.AF_INET, _socket.AF_INET6)):
        raise ValueError("socket: expected a TCP or Unix stream socket")
    sock.getpeername()
    return unix_stream(backend, loop, sock) if is_unix else prepared_stream(backend, loop, sock)
