# SPDX-License-Identifier: Apache-2.0
"""A connected Unix stream socket, whose bytes may come with control messages."""

from __future__ import annotations

import contextlib
import errno
import socket as _socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

from easynetwork.exceptions import BusyResourceError

from ..socket_errors import stream_error
from ..streams import ControlByteStream, ControlSink, RawControlMessage
from ..unix_messages import CLOSE_ON_EXEC, CONTROL_CUT
from .streams import SocketStream, closed_error

if TYPE_CHECKING:
    from ..unix_files import SocketFile
    from .watch import SocketWatcher

__all__ = ("UnixSocketStream", "unix_stream")


class UnixSocketStream(SocketStream, ControlByteStream):
    """A `ControlByteStream` over a connected, non-blocking Unix socket, which it owns from now on.

    Args:
        file: what to remove when it is closed.
    """

    def __init__(
        self,
        watcher: SocketWatcher,
        sock: _socket.socket,
        file: SocketFile | None = None,
    ) -> None:
        super().__init__(watcher, sock)
        self._file = file
        self._sink: ControlSink | None = None
        self._control_bufsize = 0
        self._tells_all = False  # the sink wants to know of reads without control messages, too

    # receiving

    def deliver_control(self, sink: ControlSink, bufsize: int) -> None:
        self._sink = sink
        self._control_bufsize = bufsize

    def receive_nowait(self, max_bytes: int) -> bytes | None:
        if self._sink is None:
            return super().receive_nowait(max_bytes)
        if self._closing:
            raise closed_error()
        try:
            data, messages, flags, _ = self._socket.recvmsg(max_bytes, self._control_bufsize, CLOSE_ON_EXEC)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as exc:
            raise stream_error(exc) from None
        if messages or self._tells_all or flags & CONTROL_CUT:
            self._tells_all = self._sink(len(data), messages, bool(flags & CONTROL_CUT))
        return data

    # sending

    async def send_message(self, data: bytes | bytearray | memoryview, messages: Sequence[RawControlMessage]) -> None:
        if not data:
            raise OSError(errno.EINVAL, "control messages of a stream travel with a byte at least")
        if self._has_sender:
            raise BusyResourceError("another task is sending to this stream")
        while (sent := self._sendmsg_nowait(data, messages)) == 0:
            await self._wait_for_room()
        if sent < len(data):
            self.abort()  # the peer has a fragment, and nothing may follow it
            raise OSError(
                errno.EMSGSIZE, f"only {sent} of {len(data)} bytes could leave together with control messages"
            )

    def _sendmsg_nowait(self, data: bytes | bytearray | memoryview, messages: Sequence[RawControlMessage]) -> int:
        if self._closing:
            raise closed_error()
        try:
            return self._socket.sendmsg((data,), messages)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as exc:
            raise stream_error(exc) from None

    # closing

    def _release(self) -> None:
        super()._release()
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):  # closing a stream never fails because of the file system
                file.remove()


def unix_stream(watcher: SocketWatcher, sock: _socket.socket) -> UnixSocketStream:
    """A stream of a connected Unix socket."""
    sock.setblocking(False)
    return UnixSocketStream(watcher, sock)
