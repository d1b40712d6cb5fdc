# SPDX-License-Identifier: Apache-2.0
"""Listening sockets."""

from __future__ import annotations

import errno
import socket as _socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from ..streams import ClosedListenerError, StreamListener
from .streams import SocketStream, socket_attributes

if TYPE_CHECKING:
    from ..unix_files import SocketFile
    from .watch import SocketWatcher

__all__ = ("SocketListener",)

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
        backlog: as the socket was told to listen with.
        file: what to remove when it is closed.
    """

    def __init__(
        self,
        watcher: SocketWatcher,
        sock: _socket.socket,
        make_stream: Callable[[SocketWatcher, _socket.socket], SocketStream],
        backlog: int,
        file: SocketFile | None = None,
    ) -> None:
        self._watcher = watcher
        self._socket = sock
        self._make_stream = make_stream
        self.backlog = backlog
        self._file = file
        self._watch = watcher.watch_socket(sock)

    def backend(self) -> SocketWatcher:
        return self._watcher

    def is_closing(self) -> bool:
        return self._socket.fileno() < 0

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return socket_attributes(self._socket)

    def accept_nowait(self) -> SocketStream | None:
        while True:
            if self.is_closing():
                raise _closed_error()
            try:
                sock, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError):
                return None
            except OSError as exc:
                if exc.errno not in _GONE_BEFORE_ACCEPTED:
                    raise
            else:
                return self._make_stream(self._watcher, sock)

    async def accept(self) -> SocketStream:
        while (stream := self.accept_nowait()) is None:
            await self._watch.wait_readable()
        return stream

    async def aclose(self) -> None:
        if self.is_closing():
            return
        self._watch.stop(_closed_error())
        self._socket.close()
        if self._file is not None:
            self._file.remove()


def _closed_error() -> ClosedListenerError:
    return ClosedListenerError(errno.EBADF, "the listener is closed")
