# SPDX-License-Identifier: Apache-2.0
"""Where Unix sockets come from."""

from __future__ import annotations

import contextlib
import errno
import socket as _socket
from collections.abc import Generator
from typing import TYPE_CHECKING, Final

from easynetwork.exceptions import UnsupportedOperation

from ..api_async.backend._sockets import UnixSockets as _UnixSockets
from ..backoff import backoff
from ..unix_files import SocketFile, UnixPath, bind_unix_socket, unix_address
from .datagrams import SocketDatagramEndpoint, SocketDatagramListener
from .listeners import SocketListener
from .unix_streams import UnixSocketStream, unix_stream
from .watch import SocketWatcher

if TYPE_CHECKING:
    from ..api_async.backend._runtime import Runtime
    from ..socket import UnixSocketAddress

__all__ = ("UnixSockets",)

_SEND_BUFFER: Final = 1 << 20
"""Bytes that a datagram listener asks for, because it is one buffer for all peers. The system may
give less (net.core.wmem_max)."""


class UnixSockets(SocketWatcher, _UnixSockets):
    """Unix sockets for backends that can watch sockets."""

    async def create_unix_stream_connection(
        self, path: UnixPath, *, local_path: UnixPath | None = None
    ) -> UnixSocketStream:
        self._check_unix_sockets()
        address = unix_address(path)
        with _new_socket(_socket.SOCK_STREAM) as sock:
            file = None if local_path is None else bind_unix_socket(sock, unix_address(local_path))
            with _removed_on_error(file), _named(address):
                await _connect(self, sock, address)
        return UnixSocketStream(self, sock, file)

    async def create_unix_stream_listener(
        self, path: UnixPath, backlog: int, *, mode: int | None = None
    ) -> SocketListener:
        self._check_unix_sockets()
        with _new_socket(_socket.SOCK_STREAM) as sock:
            file = bind_unix_socket(sock, unix_address(path), mode)
            with _removed_on_error(file):
                sock.listen(backlog)
        return SocketListener(self, sock, unix_stream, backlog, file)

    async def create_unix_datagram_endpoint(
        self, path: UnixPath, *, local_path: UnixPath | None = None
    ) -> SocketDatagramEndpoint:
        self._check_unix_sockets()
        address = unix_address(path)
        with _new_socket(_socket.SOCK_DGRAM) as sock:
            file = None if local_path is None else bind_unix_socket(sock, unix_address(local_path))
            with _removed_on_error(file), _named(address):
                sock.connect(address.as_raw())
        return SocketDatagramEndpoint(self, sock, file)

    async def create_unix_datagram_listener(self, path: UnixPath, *, mode: int | None = None) -> SocketDatagramListener:
        self._check_unix_sockets()
        with _new_socket(_socket.SOCK_DGRAM) as sock:
            with contextlib.suppress(OSError):
                sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, _SEND_BUFFER)
            file = bind_unix_socket(sock, unix_address(path), mode)
        return SocketDatagramListener(self, sock, file)

    def _check_unix_sockets(self) -> None:
        if not hasattr(_socket, "AF_UNIX"):
            raise UnsupportedOperation("this platform has no Unix sockets")
        self.check_sockets_can_be_watched()


async def _connect(runtime: Runtime, sock: _socket.socket, address: UnixSocketAddress) -> None:
    """Waits while the listener's queue is full, which connect(2) does not do for non-blocking
    sockets; nothing tells when it no longer is.
    """
    for pause in backoff():
        try:
            return sock.connect(address.as_raw())
        except BlockingIOError as exc:
            if exc.errno != errno.EAGAIN:
                raise
        await runtime.sleep(pause)


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
