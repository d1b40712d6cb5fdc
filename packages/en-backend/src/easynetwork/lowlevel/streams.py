# SPDX-License-Identifier: Apache-2.0
"""What the servers and clients ask of a connection: bytes both ways, in order, over anything.

TCP, Unix, TLS and in-memory streams are objects of this one shape. They pull: nothing is read while nobody waits in a receiving method, and
nothing is kept that was sent, so a stream needs no buffer marks and its bounds are those of its caller and of the kernel.
"""

from __future__ import annotations

import math
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from .closing import SHUTDOWN_TIMEOUT
from .typed_attr import TypedAttributeProvider

if TYPE_CHECKING:
    from .api_async.backend.abc import AsyncBackend

__all__ = (
    "ByteStream",
    "ClosedListenerError",
    "ControlByteStream",
    "ControlSink",
    "GetBuffer",
    "RawControlMessage",
    "SendStalledError",
    "StreamListener",
)

RawControlMessage = tuple[int, int, bytes]
"""Level, type and data of a control message, as `socket.socket.recvmsg` gives it and ``sendmsg`` takes it."""

ControlSink = Callable[[int, Sequence[RawControlMessage], bool], object]
"""Is told of each read: its number of bytes, the control messages that came with them, and whether some were cut off (``MSG_CTRUNC``)."""

GetBuffer = Callable[[], memoryview]
"""Gives a writable buffer of at least one byte. It is called when data is there, so an idle connection needs none."""


class ByteStream(TypedAttributeProvider, metaclass=ABCMeta):
    """A bidirectional stream of bytes.

    One task may receive while another sends; two that do the same thing at the same time get `BusyResourceError`.
    Deadlines are absolute, in the backend's time (`AsyncBackend.current_time`), in seconds; None waits without limit.
    """

    send_timeout: float = math.inf
    """Seconds that the peer may take nothing while a send waits, before the connection is given up: between once and twice as many."""

    shutdown_timeout: float = SHUTDOWN_TIMEOUT
    """Seconds that the peer may take nothing of what is left when the stream is closed."""

    # The two that a program waits in most of the time are plain methods, so that a stream may hand on another coroutine as its own.

    @abstractmethod
    def receive(self, max_bytes: int, deadline: float | None = None) -> Coroutine[Any, Any, bytes]:
        """Waits for data and returns 1 to ``max_bytes`` bytes of it, or ``b""`` once the peer has ended its side in order.

        A cancelled call, or one that timed out, has taken nothing from the stream.

        Raises:
            TimeoutError: nothing came before the deadline.
            TruncatedStreamError: the stream ended where its own rules (TLS) do not allow it to.
            ConnectionError: the connection is lost, or this stream was aborted or closed, also by another task meanwhile.
            BusyResourceError: another task is receiving.
        """

    @abstractmethod
    def receive_into(self, get_buffer: GetBuffer, deadline: float | None = None) -> Coroutine[Any, Any, int]:
        """Like `receive`, into the buffer that ``get_buffer()`` gives; returns the number of bytes written, 0 at the end."""

    @abstractmethod
    def interrupt_receive(self, error: Exception) -> None:
        """Makes a task that waits in a receiving method raise ``error``; it has taken nothing, and the stream can be used as before.

        Does nothing if no task waits.
        """

    @abstractmethod
    async def send(self, data: bytes | bytearray | memoryview) -> None:
        """Sends all of ``data`` and returns when the kernel (or the next stream's buffer) has it. Waits while the peer does not read.

        If it is cancelled or fails after a part has left, the stream has been aborted: no later byte can follow a fragment.

        Raises:
            SendStalledError: the peer took nothing for `send_timeout` seconds. The stream has been aborted.
            ConnectionError: the connection is lost, or this stream was aborted or closed, also by another task meanwhile.
            BusyResourceError: another task is sending.
        """

    def send_nowait(self, data: bytes | bytearray | memoryview) -> int:
        """Sends what can be sent without waiting and returns the number of bytes; 0 also if the stream prefers `send`.

        After a part has left, the caller must send the rest, or abort the stream.

        Raises:
            ConnectionError: the connection is lost, or this stream was aborted or closed.
        """
        return 0

    @abstractmethod
    async def send_eof(self) -> None:
        """Tells the peer that no more will be sent; receiving goes on. Does nothing the second time.

        Raises:
            UnsupportedOperation: the stream cannot end one side alone (TLS).
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Closes in order: all that was sent reaches a peer that still reads, and then the end. Safe to repeat.

        The stream is closed when this returns or raises. If it is cancelled while it has to wait, the connection is aborted.
        A peer that takes nothing for `shutdown_timeout` seconds loses the connection.
        """

    @abstractmethod
    def abort(self) -> None:
        """Closes at once, without waiting; the peer may see a reset. Does nothing on a closed stream. Never raises."""

    @abstractmethod
    def is_closing(self) -> bool:
        """Tells whether `aclose` or `abort` was called."""

    @abstractmethod
    def backend(self) -> AsyncBackend:
        """The backend whose event loop this stream belongs to."""


class ControlByteStream(ByteStream):
    """A stream that carries control messages beside its bytes (Unix sockets)."""

    @abstractmethod
    def deliver_control(self, sink: ControlSink, bufsize: int) -> None:
        """From now on every read asks for control messages too (recvmsg(2)), and tells ``sink`` before it returns its bytes.

        What is in the messages belongs to the sink; received descriptors are closed on exec. Until this is called, the kernel throws control
        messages away. On Linux a read ends with the bytes that control messages were sent with, whatever came before and behind them.

        Args:
            bufsize: bytes that the control messages of one read may take.
        """

    @abstractmethod
    async def send_message(self, data: bytes | bytearray | memoryview, messages: Sequence[RawControlMessage]) -> None:
        """Sends ``data`` and the control messages in one system call, after waiting for room if there is none.

        Raises:
            OSError: not all of ``data`` could leave in that call (``EMSGSIZE``), and the stream was aborted; or as `send`.
        """


class StreamListener(TypedAttributeProvider, metaclass=ABCMeta):
    """Where streams come from."""

    @abstractmethod
    async def accept(self) -> ByteStream:
        """Waits for the next connection. A cancelled call has lost none.

        Connections that the peer gave up before they were taken are passed over.

        Raises:
            OSError: the system cannot give a connection now (out of descriptors or memory); trying again later is right.
            ClosedListenerError: the listener was closed, also by another task meanwhile.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Stops listening; safe to repeat. Tasks that wait in `accept` get `ClosedListenerError`.

        Raises:
            OSError: the socket is closed, but its file (of a Unix socket) could not be removed.
        """

    @abstractmethod
    def is_closing(self) -> bool:
        """Tells whether `aclose` was called."""

    @abstractmethod
    def backend(self) -> AsyncBackend:
        """The backend whose event loop this listener belongs to."""


class ClosedListenerError(OSError):
    """The listener is closed."""


class SendStalledError(ConnectionAbortedError):
    """The peer has stopped taking what it is sent."""
