# SPDX-License-Identifier: Apache-2.0
"""What the servers and clients ask of a connection: bytes both ways, in order, over anything.

TCP, Unix, TLS and in-memory streams are objects of this one shape. They pull: nothing is read while
nobody waits in a receiving method, and nothing is kept that was sent, so a stream needs no buffer
marks and its bounds are those of its caller and of the kernel.
"""

from __future__ import annotations

import math
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Generator, Iterable, Sequence
from types import coroutine
from typing import TYPE_CHECKING, Any

from easynetwork.exceptions import BusyResourceError

from .defaults import SHUTDOWN_TIMEOUT
from .typed_attr import TypedAttributeProvider

if TYPE_CHECKING:
    from .api_async.backend._runtime import Runtime

__all__ = (
    "ByteStream",
    "ClosedListenerError",
    "ControlByteStream",
    "ControlSink",
    "RawControlMessage",
    "SendStalledError",
    "StreamListener",
)

RawControlMessage = tuple[int, int, bytes]
"""Level, type and data of a control message, as `socket.socket.recvmsg` gives it and ``sendmsg``
takes it."""

ControlSink = Callable[[int, Sequence[RawControlMessage], bool], bool]
"""Is told of a read with control messages: its number of bytes, the messages, and whether some were
cut off (``MSG_CTRUNC``).

It returns whether it has to be told of the next read too if that brings none."""


class ByteStream(TypedAttributeProvider, metaclass=ABCMeta):
    """A bidirectional stream of bytes.

    One task may receive while another sends; two that do the same thing at the same time get
    `BusyResourceError`. Deadlines are absolute, in the backend's time
    (`AsyncBackend.current_time`), in seconds; None waits without limit.
    """

    send_timeout: float = math.inf
    """Seconds that the peer may take nothing while a send waits, before the connection is given up:
    between once and twice as many."""

    shutdown_timeout: float = SHUTDOWN_TIMEOUT
    """Seconds that the peer may take nothing of what is left when the stream is closed."""

    _has_sender = False  # a task that waits until it can send more

    # The four primitives, which never suspend: two calls, and what to wait for when they could do
    # nothing.

    @abstractmethod
    def receive_nowait(self, max_bytes: int) -> bytes | None:
        """Returns 1 to ``max_bytes`` bytes that are here, ``b""`` once the peer has ended its side
        in order, or None if nothing is here.

        Raises:
            TruncatedStreamError: the stream ended where its own rules (TLS) do not allow it to.
            ConnectionError: the connection is lost, or this stream was aborted or closed.
        """

    @abstractmethod
    def until_readable(self, deadline: float | None = None) -> Iterable[Any]:
        """Gives what to tell the event loop, with ``yield from`` in a `types.coroutine`, to wait
        until `receive_nowait` is worth a try.

        To be woken is no promise: there may be nothing after all. A wait that is cancelled has
        taken nothing.

        Raises:
            TimeoutError: nothing came before the deadline.
            ConnectionError: this stream was aborted or closed, also by another task meanwhile.
            BusyResourceError: another task is receiving.
        """

    @abstractmethod
    def send_nowait(self, data: bytes | bytearray | memoryview) -> int:
        """Sends what can be sent without waiting and returns the number of bytes; 0 also while
        another task waits in `send`.

        If it was not all of ``data``, the caller must send the rest, or abort the stream.

        Raises:
            ConnectionError: the connection is lost, or this stream was aborted or closed.
        """

    @abstractmethod
    def until_writable(self) -> Iterable[Any]:
        """Gives what to wait for, as `until_readable` does, until `send_nowait` is worth a try.

        Raises:
            SendStalledError: the peer took nothing for `send_timeout` seconds. The stream has been
                aborted.
            ConnectionError: this stream was aborted or closed, also by another task meanwhile.
            BusyResourceError: another task is sending.
        """

    @property
    def has_begun_record(self) -> bool:
        """Whether bytes have left that `send_nowait` has not counted, because those behind them
        have not (TLS): to be followed by the rest.
        """
        return False

    # What is made of them.

    async def receive(self, max_bytes: int, deadline: float | None = None) -> bytes:
        """Waits for data and returns 1 to ``max_bytes`` bytes of it, or ``b""`` once the peer has
        ended its side in order.

        A cancelled call, or one that timed out, has taken nothing from the stream.

        Raises:
            TimeoutError: nothing came before the deadline.
            Exception: as `receive_nowait` and `until_readable`.
        """
        while True:
            try:
                await self._wait_for_input(deadline)
            except TimeoutError:
                data = self.receive_nowait(max_bytes)  # it may be here, and nobody had the time to tell
                if data is None:
                    raise
            else:
                data = self.receive_nowait(max_bytes)
            if data is not None:
                return data

    @coroutine
    def _wait_for_input(self, deadline: float | None) -> Generator[Any, Any, None]:
        yield from self.until_readable(deadline)

    @abstractmethod
    def interrupt_receive(self, error: Exception) -> None:
        """Makes a task that waits until the stream is readable raise ``error``; it has taken
        nothing, and the stream can be used as before.

        Does nothing if no task waits.
        """

    async def send(self, data: bytes | bytearray | memoryview) -> None:
        """Sends all of ``data`` and returns when the kernel (or the next stream's buffer) has it.

        Waits while the peer does not read.

        If it is cancelled or fails after a part has left, the stream has been aborted: no later
        byte can follow a fragment.

        Raises:
            BusyResourceError: another task is sending.
            ConnectionError: as `send_nowait` and `until_writable`.
        """
        if self._has_sender:
            raise BusyResourceError("another task is sending to this stream")
        sent = self.send_nowait(data)
        if sent < len(data):
            await self._send_rest(memoryview(data), sent)

    async def _send_rest(self, data: memoryview, sent: int) -> None:
        try:
            while sent < len(data):
                await self._wait_for_room()
                sent += self.send_nowait(data[sent:])
        except BaseException:
            if sent or self.has_begun_record:
                self.abort()  # the peer has a fragment, and nothing may follow it
            raise

    @coroutine
    def _wait_for_room(self) -> Generator[Any, Any, None]:
        if self._has_sender:
            raise BusyResourceError("another task is sending to this stream")
        self._has_sender = True
        try:
            yield from self.until_writable()
        finally:
            self._has_sender = False

    @abstractmethod
    async def send_eof(self) -> None:
        """Tells the peer that no more will be sent; receiving goes on.

        Does nothing the second time.

        Raises:
            UnsupportedOperation: the stream cannot end one side alone (TLS).
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Closes in order: all that was sent reaches a peer that still reads, and then the end.

        Safe to repeat.

        The stream is closed when this returns or raises. If it is cancelled while it has to wait,
        the connection is aborted. A peer that takes nothing for `shutdown_timeout` seconds loses
        the connection.
        """

    @abstractmethod
    def abort(self) -> None:
        """Closes at once, without waiting; the peer may see a reset.

        Does nothing on a closed stream. Never raises.
        """

    @abstractmethod
    def is_closing(self) -> bool:
        """Tells whether `aclose` or `abort` was called."""

    @abstractmethod
    def backend(self) -> Runtime:
        """The event loop that this stream belongs to: clock, scopes, events, threads."""


class ControlByteStream(ByteStream):
    """A stream that carries control messages beside its bytes (Unix sockets)."""

    @abstractmethod
    def deliver_control(self, sink: ControlSink, bufsize: int) -> None:
        """From now on every read asks for control messages too (recvmsg(2)), and tells ``sink`` of
        them before it returns its bytes.

        What is in the messages belongs to the sink; received descriptors are closed on exec. Until
        this is called, the kernel throws control messages away. On Linux a read ends with the bytes
        that control messages were sent with, whatever came before and behind them.

        Args:
            bufsize: bytes that the control messages of one read may take.
        """

    @abstractmethod
    async def send_message(self, data: bytes | bytearray | memoryview, messages: Sequence[RawControlMessage]) -> None:
        """Sends ``data`` and the control messages in one system call, after waiting for room if
        there is none.

        Raises:
            OSError: not all of ``data`` could leave in that call (``EMSGSIZE``), and the stream was
                aborted; or as `send`.
        """


class StreamListener(TypedAttributeProvider, metaclass=ABCMeta):
    """Where streams come from."""

    backlog: int
    """How many connections may wait to be accepted."""

    @abstractmethod
    def accept_nowait(self) -> ByteStream | None:
        """Takes the next connection that is here already; None if there is none.

        Raises:
            OSError, ClosedListenerError: as `accept`.
        """

    @abstractmethod
    async def accept(self) -> ByteStream:
        """Waits for the next connection. A cancelled call has lost none.

        Connections that the peer gave up before they were taken are passed over.

        Raises:
            OSError: the system cannot give a connection now (out of descriptors or memory); trying
                again later is right.
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
    def backend(self) -> Runtime:
        """The event loop that this listener belongs to."""


class ClosedListenerError(OSError):
    """The listener is closed."""


class SendStalledError(ConnectionAbortedError):
    """The peer has stopped taking what it is sent."""
