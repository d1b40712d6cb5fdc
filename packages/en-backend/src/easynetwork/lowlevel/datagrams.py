# SPDX-License-Identifier: Apache-2.0
"""What the servers and clients ask of a datagram socket: whole messages, which may be lost, never cut or glued."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import TYPE_CHECKING, Any

from .typed_attr import TypedAttributeProvider

if TYPE_CHECKING:
    from .api_async.backend.abc import AsyncBackend

__all__ = ("DatagramEndpoint", "DatagramListener")


class _DatagramSocket(TypedAttributeProvider, metaclass=ABCMeta):
    """What both share. Deadlines are absolute, in the backend's time, in seconds; None waits without limit."""

    @abstractmethod
    async def aclose(self) -> None:
        """Closes the socket; safe to repeat. Tasks that wait in it get an `OSError`."""

    @abstractmethod
    def is_closing(self) -> bool:
        """Tells whether `aclose` was called."""

    @abstractmethod
    def backend(self) -> AsyncBackend:
        """The backend whose event loop this socket belongs to."""


class DatagramEndpoint(_DatagramSocket):
    """A socket that exchanges datagrams with one peer."""

    @abstractmethod
    async def receive(self, deadline: float | None = None) -> bytes:
        """Waits for the next datagram, which may be empty. A cancelled call, or one that timed out, has taken none.

        Raises:
            TimeoutError: nothing came before the deadline.
            OSError: the peer could not be reached (an ICMP error), or the socket was closed, maybe by another task.
        """

    @abstractmethod
    async def send(self, data: bytes | bytearray | memoryview) -> None:
        """Sends ``data`` as one datagram and returns when the kernel has it. A cancelled call has sent nothing.

        Raises:
            OSError: the datagram is too long, the peer could not be reached, or the socket was closed.
        """


class DatagramListener(_DatagramSocket):
    """A bound socket that exchanges datagrams with anybody. Addresses are what the socket itself gives and takes."""

    @abstractmethod
    async def receive(self, deadline: float | None = None) -> tuple[bytes, Any]:
        """Like `DatagramEndpoint.receive`, with the sender's address. One peer's ICMP errors are not raised here."""

    @abstractmethod
    async def send(self, data: bytes | bytearray | memoryview, address: Any) -> None:
        """Like `DatagramEndpoint.send`, to ``address``."""
