# SPDX-License-Identifier: Apache-2.0
"""The protocol object of datagram transports."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from easynetwork.converter import AbstractPacketConverterComposite
from easynetwork.exceptions import DatagramProtocolParseError, DeserializeError, PacketConversionError
from easynetwork.serializers.abc import AbstractPacketSerializer

from ._base import ProtocolBase

__all__ = ("DatagramProtocol",)

_SentT = TypeVar("_SentT")
_ReceivedT = TypeVar("_ReceivedT")
_DTOSentT = TypeVar("_DTOSentT")
_DTOReceivedT = TypeVar("_DTOReceivedT")


class DatagramProtocol(ProtocolBase[_SentT, _ReceivedT]):
    """One packet is one datagram.

    Args:
        serializer: Turns packets into bytes and back.
        converter: Turns business objects into the serializer's packets and back; without one they
            are the same.

    Raises:
        TypeError: An argument is of the wrong type.
    """

    @overload
    def __init__(self, serializer: AbstractPacketSerializer[_SentT, _ReceivedT], converter: None = None) -> None: ...

    @overload
    def __init__(
        self,
        serializer: AbstractPacketSerializer[_DTOSentT, _DTOReceivedT],
        converter: AbstractPacketConverterComposite[_SentT, _ReceivedT, _DTOSentT, _DTOReceivedT],
    ) -> None: ...

    def __init__(
        self,
        serializer: AbstractPacketSerializer[Any, Any],
        converter: AbstractPacketConverterComposite[_SentT, _ReceivedT, Any, Any] | None = None,
    ) -> None:
        super().__init__(serializer, converter, serializer_type=AbstractPacketSerializer)

    def make_datagram(self, packet: _SentT) -> bytes:
        """Return the datagram for a packet."""
        return self._serializer.serialize(self._to_dto(packet))

    def build_packet_from_datagram(self, datagram: bytes) -> _ReceivedT:
        """Return the packet in a datagram.

        Raises:
            DatagramProtocolParseError: The serializer or the converter has refused it.
        """
        try:
            return self._from_dto(self._serializer.deserialize(datagram))
        except (DeserializeError, PacketConversionError) as exc:
            raise DatagramProtocolParseError(exc) from exc
