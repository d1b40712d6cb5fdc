# SPDX-License-Identifier: Apache-2.0
"""What becomes of a datagram: a packet, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from easynetwork.exceptions import UnsupportedOperation
from easynetwork.protocol.encoders import make_datagram_decoder

if TYPE_CHECKING:
    from easynetwork.protocol import DatagramProtocol

__all__ = ("DatagramReader",)

_RequestT = TypeVar("_RequestT")
_DatagramT = TypeVar("_DatagramT", bound=Sized)


class DatagramReader(Generic[_DatagramT, _RequestT]):
    """For datagrams that are bytes.

    Transports whose datagrams are more than that bring a reader of their own.
    """

    def __init__(self, protocol: DatagramProtocol[Any, _RequestT]) -> None:
        self.decode = make_datagram_decoder(protocol)
        """Makes a packet of bytes; raises what `read` raises."""

    def check_control(self) -> None:
        """Refuses what cannot be had; the datagram waits for the next ``yield``.

        Raises:
            UnsupportedOperation: control messages were asked for.
        """
        raise UnsupportedOperation("this server does not receive control messages")

    def read(self, datagram: _DatagramT, data_received: Callable[[Any], object] | None) -> _RequestT:
        """The packet in ``datagram``, which is used up, whatever happens.

        Args:
            datagram: as it was received.
            data_received: takes the control messages that came with it; None throws them away. Only
                if `check_control` allows it.

        Raises:
            DatagramProtocolParseError: it is bad.
            RuntimeError: the protocol has raised something else (see the cause).
        """
        return self.decode(datagram)  # type: ignore[arg-type]  # the datagrams of this class are bytes; those of its subclasses have some

    def descriptors_in(self, datagram: _DatagramT) -> int:
        """How many file descriptors ``datagram`` holds."""
        return 0

    def discard(self, datagram: _DatagramT) -> None:
        """Nobody will read ``datagram``: gives back what it holds."""
