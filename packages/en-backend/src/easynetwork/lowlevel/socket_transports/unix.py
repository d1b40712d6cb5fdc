# SPDX-License-Identifier: Apache-2.0
"""Where Unix sockets come from."""

from __future__ import annotations

import contextlib
import errno
import socket as _socket
from collections.abc import Generator
from typing import TYPE_CHECKING, Final

from easynetwork.exceptions import UnsupportedOperation

from ..pauses import growing_pauses
from ..unix_files import SocketFile, UnixPath, bind_unix_socket, unix_address
from .datagrams import SocketDatagramEndpoint, SocketDatagramListener
from .listeners import SocketListener
from .unix_streams import UnixSocketStream, unix_stream

if TYPE_CHECKING:
    from ..socket import UnixSocketAddress
    from .backend import SocketBackend

__all__ = (
    "connect_unix_datagram",
    "connect_unix_stream",
    "open_unix_datagram_listener",
    "open_unix_stream_listener",
)

_SEND_BUFFER: Final = 1 << 20
"""Bytes that a datagram listener asks for, because it is one buffer for all peers. The system may give less (net.core.wmem_max)."""


async def open_unix_stream_listener(
    backend: SocketBackend, path: UnixPath, backlog: int, *, mode: int | None = None
) -> SocketListener:
    """Listens on ``path``, as `UnixSockets.create_unix_stream_listener` says."""
    _require_unix_sockets()
    with _new_socket(_socket.SOCK_STREAM) as sock:
        file = bind_unix_socket(sock, unix_address(path), mode)
        with _removed_on_error(file):
            sock.listen(backlog)
    return SocketListener(backend, sock, unix_stream, file)


async def open_unix_datagram_listener(
    backend: SocketBackend, path: UnixPath, *, mode: int | None = None
) -> SocketDatagramListener:
    """Binds ``path``, as `UnixSockets.create_unix_datagram_listener` says."""
    _require_unix_sockets()
    with _new_socket(_socket.SOCK_DGRAM) as sock:
        with contextlib.suppress(OSError):
            sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, _SEND_BUFFER)
        file = bind_unix_socket(sock, unix_address(path), mode)
    return SocketDatagramListener(backend, sock, file)


async def connect_unix_datagram(
    backend: SocketBackend, path: UnixPath, *, local_path: UnixPath | None = None
) -> SocketDatagramEndpoint:
    """Connects to ``path``, as `UnixSockets.create_unix_datagram_endpoint` says."""
    _require_unix_sockets()
    address = unix_address(path)
    with _new_socket(_socket.SOCK_DGRAM) as sock:
        file = None if local_path is None else bind_unix_socket(sock, unix_address(local_path))
        with _removed_on_error(file), _named(address):
            sock.connect(address.as_raw())
    return SocketDatagramEndpoint(backend, sock, file)


async def connect_unix_stream(
    backend: SocketBackend, path: UnixPath, *, local_path: UnixPath | None = None
) -> UnixSocketStream:
    """Connects to ``path``, as `UnixSockets.create_unix_stream_connection` says."""
    _require_unix_sockets()
    address = unix_address(path)
    with _new_socket(_socket.SOCK_STREAM) as sock:
        file = None if local_path is None else bind_unix_socket(sock, unix_address(local_path))
        with _removed_on_error(file), _named(address):
            await _connect(backend, sock, address)
    return UnixSocketStream(backend, sock, file)


async def _connect(backend: SocketBackend, sock: _socket.socket, address: UnixSocketAddress) -> None:
    """Waits while the listener's queue is full, which connect(2) does not do for non-blocking sockets; nothing tells when it no longer is."""
    for pause in growing_pauses():
        try:
            return sock.connect(address.as_raw())
        except BlockingIOError as exc:
            if exc.errno != errno.EAGAIN:
                raise
        await backend.sleep(pause)


def _require_unix_sockets() -> None:
    if not hasattr(_socket, "AF_UNIX"):
        raise UnsupportedOperation("this platform has no Unix sockets")


@contextlib.contextmanager
def _new_socket(kind: _socket.SocketKind) -> Generator[_socket.socket, None, None]:
    """Gives a non-blocking socket, and closes it if what is done to it fails."""
    sock = _socket.socket(_socket.AF_UNIX, kind)
    try:
        sock.setblocking(False)
        yield sock
    except BaseException:
        sock.close()
        raise


@contextlib.contextmanager
def _removed_on_error(file: SocketFile | None) -> Generator[None, None, None]:
    try:
        yield
    except BaseException:
        if file is not None:
            with contextlib.suppress(OSError):
                file.remove()
        raise


@contextlib.contextmanager
def _named(address: UnixSocketAddress) -> Generator[None, None, None]:
    try:
        yield
    except OSError as exc:
        raise OSError(
            exc.errno or errno.ENAMETOOLONG, f"cannot connect to '{address}': {exc.strerror or exc}"
        ) from None
