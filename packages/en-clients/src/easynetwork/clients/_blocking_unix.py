# SPDX-License-Identifier: Apache-2.0
"""Connected Unix sockets for threads: they carry control messages as well."""

from __future__ import annotations

import errno
import socket as _socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

from easynetwork.lowlevel.unix_messages import CLOSE_ON_EXEC, CONTROL_CUT, UnixReads

from ._blocking_datagram import BlockingDatagramSocket
from ._blocking_stream import BlockingSocketStream
from ._control import check_whole

if TYPE_CHECKING:
    from easynetwork.lowlevel.streams import ControlSink, RawControlMessage
    from easynetwork.lowlevel.unix_files import SocketFile

__all__ = ("BlockingUnixDatagramSocket", "BlockingUnixStream")


class BlockingUnixStream(BlockingSocketStream):
    """A stream whose reads all ask for control messages, once `deliver_control` was called."""

    _sink: ControlSink | None = None
    _control_bufsize = 0

    def deliver_control(self, sink: ControlSink, bufsize: int) -> None:
        """As `easynetwork.lowlevel.streams.ControlByteStream.deliver_control`."""
        self._sink, self._control_bufsize = sink, bufsize

    def receive(self, max_bytes: int, deadline: float) -> bytes:
        data, messages, flags, _ = self._polled.read(
            deadline, self._socket.recvmsg, max_bytes, self._control_bufsize, CLOSE_ON_EXEC
        )
        if self._sink is not None:
            self._sink(len(data), messages, bool(flags & CONTROL_CUT))
        if not data:
            self._polled.check_usable()  # an end that is ours looks like the peer's
        return data

    def send_message(self, data: bytes, messages: Sequence[RawControlMessage], deadline: float) -> None:
        """Sends ``data`` and the control messages in one system call, after waiting for room if
        there is none.

        Raises:
            OSError: not all of ``data`` could leave in that call (``EMSGSIZE``), and the connection
                was broken off; or as `send`.
        """
        if not data:
            raise OSError(errno.EINVAL, "control messages of a stream travel with a byte at least")
        sent = self._polled.write(deadline, self._socket.sendmsg, (data,), messages)
        if sent < len(data):
            self.break_off()
            raise OSError(errno.EMSGSIZE, "the packet is too long to leave in one call with its control data")


class BlockingUnixDatagramSocket(BlockingDatagramSocket):
    """A datagram socket whose datagrams are bounded by nothing but the sender's buffer."""

    def __init__(self, sock: _socket.socket, longest_wait: float, file: SocketFile | None = None) -> None:
        super().__init__(sock, longest_wait, file)
        self._reads = UnixReads(sock)

    def receive(self, deadline: float) -> bytes:
        data, _, flags = self.receive_message(0, deadline)
        check_whole(flags)
        return data

    def receive_message(self, control_bufsize: int, deadline: float) -> tuple[bytes, list[RawControlMessage], int]:
        """Like `receive`, with the control messages that came with the datagram, and the flags of
        ``recvmsg(2)``.

        What is in the messages belongs to the caller. ``MSG_TRUNC`` and ``MSG_CTRUNC`` are the
        caller's to look at.
        """
        data, messages, flags, _ = self._polled.read(deadline, self._reads.recvmsg, control_bufsize)
        if not data:
            self._polled.check_usable()  # an interruption looks like an empty datagram
        return data, messages, flags

    def send_message(self, data: bytes, messages: Sequence[RawControlMessage], deadline: float) -> None:
        """Like `send`, with control messages."""
        self._polled.write(deadline, self._socket.sendmsg, (data,), messages)
