# SPDX-License-Identifier: Apache-2.0
"""What all protocol objects do: check their two collaborators, and convert."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast

from easynetwork.converter import AbstractPacketConverterComposite
from easynetwork.serializers.abc import AbstractPacketSerializer

__all__ = ("ProtocolBase",)

_SentT = TypeVar("_SentT")
_ReceivedT = TypeVar("_ReceivedT")

AnyConverter = AbstractPacketConverterComposite[_SentT, _ReceivedT, Any, Any]


class ProtocolBase(Generic[_SentT, _ReceivedT]):
    """A serializer and, if wanted, a converter."""

    def __init__(
        self,
        serializer: AbstractPacketSerializer[Any, Any],
        converter: AnyConverter[_SentT, _ReceivedT] | None,
        *,
        serializer_type: type[AbstractPacketSerializer[Any, Any]],
    ) -> None:
        if not isinstance(serializer, serializer_type):
            raise TypeError(f"serializer: expected a {serializer_type.__name__} instance, got {serializer!r}")
        if converter is not None and not isinstance(converter, AbstractPacketConverterComposite):
            raise TypeError(f"converter: expected an AbstractPacketConverterComposite instance, got {converter!r}")
        self._serializer = serializer
        self._converter = converter

    @property
    def serializer(self) -> AbstractPacketSerializer[Any, Any]:
        """What turns packets into bytes and back."""
        return self._serializer

    @property
    def converter(self) -> AnyConverter[_SentT, _ReceivedT] | None:
        """What turns business objects into the serializer's packets and back."""
        return self._converter

    def _to_dto(self, packet: _SentT) -> Any:
        if self._converter is None:
            return packet
        return self._converter.convert_to_dto_packet(packet)

    def _from_dto(self, packet: Any) -> _ReceivedT:
        if self._converter is None:
            return cast(_ReceivedT, packet)
        return self._converter.create_from_dto_packet(packet)
