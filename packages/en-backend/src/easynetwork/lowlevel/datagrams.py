# SPDX-License-Identifier: Apache-2.0
"""What the servers and clients ask of a datagram socket: whole messages, which may be lost, never
cut or glued.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final

from .streams import RawControlMessage
from .typed_attr import TypedAttributeProvider

if TYPE_CHECKING:
    from .api_async.backend._runtime import Runtime

__all__ = (
    "SEND_TIMEOUT",
    "ControlDatagramEndpoint",
    "ControlDatagramListener",
    "DatagramEndpoint",
    "DatagramListener",
)

SEND_TIMEOUT: Final = 5.0
"""Seconds, long for a program that works, and short for one that hangs."""


class _DatagramSocket(TypedAttributeProvider, metaclass=ABCMeta):
    """What both share.

    Deadlines are absolute, in the backend's time, in seconds; None waits without limit.
    """

    send_timeout: float = SEND_TIMEOUT
    """Seconds that a peer may leave its queue full before a send to it is given up."""

    @abstractmethod
    async def aclose(self) -> None:
        """Closes the socket; safe to repeat. Tasks that wait in it get an `OSError`.

        Raises:
            OSError: the socket is closed, but its file (of a Unix socket) could not be removed.
        """

    @abstractmethod
    def is_closing(self) -> bool:
        """Tells whether `aclose` was called."""

    @abstractmethod
    def backend(self) -> Runtime:
        """The backend whose event loop this socket belongs to."""


class DatagramEndpoint(_DatagramSocket):
    """A socket that exchanges datagrams with one peer."""

    @abstractmethod
    def receive(self, deadline: float | None = None) -> Coroutine[Any, Any, bytes]:
        """Waits for the next datagram, which may be empty.

        A cancelled call, or one that timed out, has taken none.

        Raises:
            TimeoutError: nothing came before the deadline.
            OSError: the peer could not be reached (an ICMP error), the datagram was longer than the
                system's largest and is lost (``EMSGSIZE``), or the socket was closed, maybe by
                another task.
            BusyResourceError: another task is receiving.
        """

    @abstractmethod
    async def send(self, data: bytes | bytearray | memoryview) -> None:
        """Sends ``data`` as one datagram and returns when the kernel has it.

        A cancelled call has sent nothing.

        Raises:
            OSError: the datagram is too long, the peer could not be reached, its queue was full for
                `send_timeout` seconds (``ENOBUFS``), or the socket was closed.
        """


class DatagramListener(_DatagramSocket):
    """A bound socket that exchanges datagrams with anybody.

    Addresses are what the socket itself gives and takes.
    """

    @abstractmethod
    def receive(self, deadline: float | None = None) -> Coroutine[Any, Any, tuple[bytes, Any]]:
        """Like `DatagramEndpoint.receive`, with the sender's address.

        One peer's ICMP errors are not raised here.

        Returns without suspending while datagrams are there, but gives the other tasks a turn every
        few milliseconds.

        Raises:
            ClosedListenerError: the listener was closed, also by another task meanwhile.
        """

    @abstractmethod
    def interrupt_receive(self, error: Exception) -> None:
        """Makes a task that waits in a receiving method raise ``error``; it has taken nothing.

        Does nothing if no task waits.
        """

    @abstractmethod
    def send_nowait(self, data: bytes | bytearray | memoryview, address: Any) -> bool:
        """Sends ``data`` to ``address`` if that can be done without waiting; tells whether it was
        done.

        Raises:
            OSError: as `send`, but for the full queue.
        """

    @abstractmethod
    async def send(self, data: bytes | bytearray | memoryview, address: Any) -> None:
        """Like `DatagramEndpoint.send`, to ``address``.

        A peer whose queue is full holds up nobody else.
        """


class ControlDatagramEndpoint(DatagramEndpoint):
    """One that carries control messages beside its datagrams."""

    @abstractmethod
    def receive_message(
        self, control_bufsize: int, deadline: float | None = None
    ) -> Coroutine[Any, Any, tuple[bytes, list[RawControlMessage], int]]:
        """Like `receive`, with the control messages that came with the datagram, and the flags of
        ``recvmsg(2)``.

        What is in the messages belongs to the caller; received descriptors are closed on exec.
        ``MSG_TRUNC`` and ``MSG_CTRUNC`` are the caller's to look at.

        Args:
            control_bufsize: bytes that the control messages may take; 0 asks for none.
        """

    @abstractmethod
    async def send_message(self, data: bytes | bytearray | memoryview, messages: Sequence[RawControlMessage]) -> None:
        """Like `send`, with control messages."""


class ControlDatagramListener(DatagramListener):
    """One that carries control messages beside its datagrams."""

    @abstractmethod
    def receive_message(
        self, control_bufsize: int, deadline: float | None = None
    ) -> Coroutine[Any, Any, tuple[bytes, list[RawControlMessage], int, Any]]:
        """Like `receive`, with control messages as in `ControlDatagramEndpoint.receive_message`,
        and the address last, as ``recvmsg()`` has it.
        """

    @abstractmethod
    def send_message_nowait(
        self, data: bytes | bytearray | memoryview, messages: Sequence[RawControlMessage], address: Any
    ) -> bool:
        """Like `send_nowait`, with control messages."""

    @abstractmethod
    async def send_message(
        self, data: bytes | bytearray | memoryview, messages: Sequence[RawControlMessage], address: Any
    ) -> None:
        """Like `send`, with control messages."""
