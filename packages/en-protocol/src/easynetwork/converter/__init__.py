# SPDX-License-Identifier: Apache-2.0
"""Converters: between the DTO packets of a serializer and the business objects of an
application.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

__all__ = ("AbstractPacketConverter", "AbstractPacketConverterComposite", "StapledPacketConverter")

_SentT_contra = TypeVar("_SentT_contra", contravariant=True)
_ReceivedT_co = TypeVar("_ReceivedT_co", covariant=True)
_SentDTOT_co = TypeVar("_SentDTOT_co", covariant=True)
_ReceivedDTOT_contra = TypeVar("_ReceivedDTOT_contra", contravariant=True)
_PacketT = TypeVar("_PacketT")
_DTOT = TypeVar("_DTOT")


class AbstractPacketConverterComposite(ABC, Generic[_SentT_contra, _ReceivedT_co, _SentDTOT_co, _ReceivedDTOT_contra]):
    """Converts what is sent and what is received; the two may be of different types."""

    @abstractmethod
    def create_from_dto_packet(self, packet: _ReceivedDTOT_contra, /) -> _ReceivedT_co:
        """Make the business object of a received packet.

        Raises:
            PacketConversionError: The packet makes no sense. Anything else counts as a crash of the
                protocol.
        """

    @abstractmethod
    def convert_to_dto_packet(self, obj: _SentT_contra, /) -> _SentDTOT_co:
        """Make the packet that the serializer sends for a business object."""


class AbstractPacketConverter(
    AbstractPacketConverterComposite[_PacketT, _PacketT, _DTOT, _DTOT],
    Generic[_PacketT, _DTOT],
):
    """Converts in both directions between one business type and one packet type."""

    @abstractmethod
    def create_from_dto_packet(self, packet: _DTOT, /) -> _PacketT:
        raise NotImplementedError

    @abstractmethod
    def convert_to_dto_packet(self, obj: _PacketT, /) -> _DTOT:
        raise NotImplementedError


@dataclass(frozen=True)
class StapledPacketConverter(
    AbstractPacketConverterComposite[_SentT_contra, _ReceivedT_co, _SentDTOT_co, _ReceivedDTOT_contra]
):
    """Joins one converter for what is sent with another one for what is received."""

    sent_packet_converter: AbstractPacketConverterComposite[_SentT_contra, Any, _SentDTOT_co, Any]
    received_packet_converter: AbstractPacketConverterComposite[Any, _ReceivedT_co, Any, _ReceivedDTOT_contra]

    def __post_init__(self) -> None:
        for name in ("sent_packet_converter", "received_packet_converter"):
            if not isinstance(getattr(self, name), AbstractPacketConverterComposite):
                raise TypeError(f"{name}: expected an AbstractPacketConverterComposite instance")

    def create_from_dto_packet(self, packet: _ReceivedDTOT_contra, /) -> _ReceivedT_co:
        return self.received_packet_converter.create_from_dto_packet(packet)

    def convert_to_dto_packet(self, obj: _SentT_contra, /) -> _SentDTOT_co:
        return self.sent_packet_converter.convert_to_dto_packet(obj)
