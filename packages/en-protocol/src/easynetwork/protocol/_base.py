# SPDX-License-Identifier: Apache-2.0
"""What all protocol objects do: check their two collaborators, and convert."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast

from easynetwork.converter import AbstractPacketConverterComposite
from easynetwork.serializers._validation import check_instance
from easynetwork.serializers.abc import AbstractPacketSerializer

__all__ = ("ProtocolBase", "inherits")

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
        serializer_type: type[object],
    ) -> None:
        check_instance("serializer", serializer, serializer_type)
        if converter is not None:
            check_instance("converter", converter, AbstractPacketConverterComposite)
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


def inherits(obj: object, owner: type[object], *names: str) -> bool:
    """Tells whether the methods of ``obj`` are those of ``owner``.

    If a subclass has changed one, a short cut around it is forbidden.
    """
    return all(getattr(type(obj), name) is getattr(owner, name) for name in names)
