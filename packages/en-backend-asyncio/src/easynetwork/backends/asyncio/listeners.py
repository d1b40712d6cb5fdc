# SPDX-License-Identifier: Apache-2.0
"""Listening sockets."""

from __future__ import annotations

import asyncio
import errno
import socket as _socket
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from easynetwork.lowlevel.streams import ClosedListenerError, StreamListener

from .binding import bind_all
from .readable import Readable
from .readiness import require_readiness
from .sockets import SocketStream, prepared_stream, socket_attributes

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
    from easynetwork.lowlevel.unix_files import SocketFile

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


class SocketListener(StreamListener):
    """A `StreamListener` over a listening, non-blocking socket, which it owns from now on.

    Args:
        make_stream: makes a stream of a connected socket.
        file: what to remove when it is closed.
    """

    def __init__(
        self,
        backend: AsyncBackend,
        loop: asyncio.AbstractEventLoop,
        sock: _socket.socket,
        make_stream: Callable[[AsyncBackend, asyncio.AbstractEventLoop, _socket.socket], SocketStream],
        file: SocketFile | None = None,
    ) -> None:
        self._backend = backend
        self._loop = loop
        self._socket = sock
        self._make_stream = make_stream
        self._file = file
        self._acceptable = Readable(loop, sock.fileno())

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
                await self._acceptable.wait()
            except OSError as exc:
                if exc.errno not in _GONE_BEFORE_ACCEPTED:
                    raise
            else:
                return self._make_stream(self._backend, self._loop, sock)

    async def aclose(self) -> None:
        if self.is_closing():
            return
        self._acceptable.stop(_closed_error())
        self._socket.close()
        if self._file is not None:
            self._file.remove()


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
    sockets = await bind_all(backend, host, port, _socket.SOCK_STREAM, backlog=backlog, reuse_port=reuse_port)
    return [SocketListener(backend, loop, sock, prepared_stream) for sock in sockets]
