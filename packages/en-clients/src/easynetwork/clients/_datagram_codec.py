# SPDX-License-Identifier: Apache-2.0
"""Packets to datagrams and back, with the errors that users are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from easynetwork.exceptions import DatagramProtocolParseError

if TYPE_CHECKING:
    from easynetwork.protocol import DatagramProtocol

__all__ = ("DatagramCodec",)

_SentT = TypeVar("_SentT")
_ReceivedT = TypeVar("_ReceivedT")


class DatagramCodec(Generic[_SentT, _ReceivedT]):
    """A protocol whose own faults are told from those of the data."""

    def __init__(self, protocol: DatagramProtocol[_SentT, _ReceivedT]) -> None:
        self._protocol = protocol

    def encode(self, packet: _SentT) -> bytes:
        """The datagram for ``packet``.

        Raises:
            RuntimeError: the protocol has failed; its error is the cause.
        """
        try:
            return self._protocol.make_datagram(packet)
        except Exception as exc:
            raise RuntimeError("protocol.make_datagram() crashed") from exc

    def decode(self, datagram: bytes) -> _ReceivedT:
        """The packet in ``datagram``.

        Raises:
            DatagramProtocolParseError: the data is bad.
            RuntimeError: the protocol has failed; its error is the cause.
        """
        try:
            return self._protocol.build_packet_from_datagram(datagram)
        except DatagramProtocolParseError:
            raise
        except Exception as exc:
            raise RuntimeError("protocol.build_packet_from_datagram() crashed") from exc
