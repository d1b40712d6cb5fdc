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
    """For datagrams that are bytes. Transports whose datagrams are more than that bring a reader of their own."""

    def __init__(self, protocol: DatagramProtocol[Any, _RequestT]) -> None:
        self._decode = make_datagram_decoder(protocol)
        self.read: Callable[[_DatagramT], _RequestT] = self._decode  # type: ignore[assignment]  # those of this class are bytes
        """Gives the packet in a datagram, which is used up, whatever happens.

        Raises:
            DatagramProtocolParseError: it is bad.
            RuntimeError: the protocol has raised something else (see the cause).
        """

    def check_control(self) -> None:
        """Refuses what cannot be had; the datagram waits for the next ``yield``.

        Raises:
            UnsupportedOperation: control messages were asked for.
        """
        raise UnsupportedOperation("this server does not receive control messages")

    def read_with_control(self, datagram: _DatagramT, data_received: Callable[[Any], object]) -> _RequestT:
        """Like `read`, and gives the control messages of the datagram to ``data_received``."""
        raise NotImplementedError  # it was refused

    def discard(self, datagram: _DatagramT) -> None:
        """Nobody will read ``datagram``: gives back what it holds."""
