# SPDX-License-Identifier: Apache-2.0
"""Two serializers as one: the first for what is sent, the second for what is received.

``StapledPacketSerializer(sent, received)`` makes an object of the most capable class that both
halves allow: one-shot, incremental, or buffered.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ._validation import check_instance
from .abc import (
    AbstractIncrementalPacketSerializer,
    AbstractPacketSerializer,
    BufferedIncrementalPacketSerializer,
)

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import Buffer

__all__ = (
    "StapledBufferedIncrementalPacketSerializer",
    "StapledIncrementalPacketSerializer",
    "StapledPacketSerializer",
)

_SentT_contra = TypeVar("_SentT_contra", contravariant=True)
_ReceivedT_co = TypeVar("_ReceivedT_co", covariant=True)
_BufferT = TypeVar("_BufferT", bound="Buffer")


class StapledPacketSerializer(AbstractPacketSerializer[_SentT_contra, _ReceivedT_co]):
    """One-shot; incremental or buffered as well if both halves are.

    Args:
        sent_packet_serializer: For packets that are sent.
        received_packet_serializer: For packets that are received.
    """

    # What the halves must be able to do.
    _sent_type: type[object] = AbstractPacketSerializer
    _received_type: type[object] = AbstractPacketSerializer

    def __new__(
        cls,
        sent_packet_serializer: AbstractPacketSerializer[_SentT_contra, Any],
        received_packet_serializer: AbstractPacketSerializer[Any, _ReceivedT_co],
    ) -> Self:
        chosen: type[Any] = cls
        for candidate in _MOST_CAPABLE_FIRST:
            if issubclass(candidate, cls) and candidate._fits(sent_packet_serializer, received_packet_serializer):
                chosen = candidate
                break
        self: Self = super().__new__(chosen)
        return self

    def __init__(
        self,
        sent_packet_serializer: AbstractPacketSerializer[_SentT_contra, Any],
        received_packet_serializer: AbstractPacketSerializer[Any, _ReceivedT_co],
    ) -> None:
        super().__init__()
        check_instance("sent_packet_serializer", sent_packet_serializer, self._sent_type)
        check_instance("received_packet_serializer", received_packet_serializer, self._received_type)
        # Typed by the properties, which promise more in each subclass.
        self._sent: Any = sent_packet_serializer
        self._received: Any = received_packet_serializer

    @classmethod
    def _fits(cls, sent: object, received: object) -> bool:
        return isinstance(sent, cls._sent_type) and isinstance(received, cls._received_type)

    def serialize(self, packet: _SentT_contra) -> bytes:
        return self.sent_packet_serializer.serialize(packet)

    def deserialize(self, data: bytes) -> _ReceivedT_co:
        return self.received_packet_serializer.deserialize(data)

    @property
    def sent_packet_serializer(self) -> AbstractPacketSerializer[_SentT_contra, Any]:
        """The serializer for packets that are sent."""
        serializer: AbstractPacketSerializer[_SentT_contra, Any] = self._sent
        return serializer

    @property
    def received_packet_serializer(self) -> AbstractPacketSerializer[Any, _ReceivedT_co]:
        """The serializer for packets that are received."""
        serializer: AbstractPacketSerializer[Any, _ReceivedT_co] = self._received
        return serializer


class StapledIncrementalPacketSerializer(
    StapledPacketSerializer[_SentT_contra, _ReceivedT_co],
    AbstractIncrementalPacketSerializer[_SentT_contra, _ReceivedT_co],
):
    """Both halves are incremental."""

    _sent_type = _received_type = AbstractIncrementalPacketSerializer

    def incremental_serialize(self, packet: _SentT_contra) -> Generator[bytes, None, None]:
        return self.sent_packet_serializer.incremental_serialize(packet)

    def incremental_deserialize(self) -> Generator[None, bytes, tuple[_ReceivedT_co, bytes]]:
        return self.received_packet_serializer.incremental_deserialize()

    @property
    def sent_packet_serializer(self) -> AbstractIncrementalPacketSerializer[_SentT_contra, Any]:
        serializer: AbstractIncrementalPacketSerializer[_SentT_contra, Any] = self._sent
        return serializer

    @property
    def received_packet_serializer(self) -> AbstractIncrementalPacketSerializer[Any, _ReceivedT_co]:
        serializer: AbstractIncrementalPacketSerializer[Any, _ReceivedT_co] = self._received
        return serializer


class StapledBufferedIncrementalPacketSerializer(
    StapledIncrementalPacketSerializer[_SentT_contra, _ReceivedT_co],
    BufferedIncrementalPacketSerializer[_SentT_contra, _ReceivedT_co, _BufferT],
    Generic[_SentT_contra, _ReceivedT_co, _BufferT],
):
    """Both halves are incremental, and the one for received packets is buffered."""

    _sent_type = AbstractIncrementalPacketSerializer
    _received_type = BufferedIncrementalPacketSerializer

    def create_deserializer_buffer(self, sizehint: int) -> _BufferT:
        return self.received_packet_serializer.create_deserializer_buffer(sizehint)

    def buffered_incremental_deserialize(
        self, buffer: _BufferT
    ) -> Generator[int | None, int, tuple[_ReceivedT_co, bytes | bytearray | memoryview]]:
        return self.received_packet_serializer.buffered_incremental_deserialize(buffer)

    @property
    def received_packet_serializer(self) -> BufferedIncrementalPacketSerializer[Any, _ReceivedT_co, _BufferT]:
        serializer: BufferedIncrementalPacketSerializer[Any, _ReceivedT_co, _BufferT] = self._received
        return serializer


_MOST_CAPABLE_FIRST: tuple[type[StapledPacketSerializer[Any, Any]], ...] = (
    StapledBufferedIncrementalPacketSerializer,
    StapledIncrementalPacketSerializer,
)
