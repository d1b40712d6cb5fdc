# SPDX-License-Identifier: Apache-2.0
"""The protocol objects of stream transports."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeAlias, TypeVar, overload

from typing_extensions import Buffer

from easynetwork.converter import AbstractPacketConverterComposite
from easynetwork.exceptions import (
    DeserializeError,
    IncrementalDeserializeError,
    PacketConversionError,
    StreamProtocolParseError,
)
from easynetwork.serializers.abc import AbstractIncrementalPacketSerializer, BufferedIncrementalPacketSerializer

from ._base import ProtocolBase

__all__ = ("AnyStreamProtocolType", "BufferedStreamProtocol", "StreamProtocol", "StreamProtocolBase", "parse_error")

_SentT = TypeVar("_SentT")
_ReceivedT = TypeVar("_ReceivedT")
_DTOSentT = TypeVar("_DTOSentT")
_DTOReceivedT = TypeVar("_DTOReceivedT")


class StreamProtocolBase(ProtocolBase[_SentT, _ReceivedT]):
    """What the two protocol objects for streams share: sending, and how errors are reported."""

    _serializer: AbstractIncrementalPacketSerializer[Any, Any]

    @property
    def serializer(self) -> AbstractIncrementalPacketSerializer[Any, Any]:
        return self._serializer

    def generate_chunks(self, packet: _SentT) -> Generator[bytes, None, None]:
        """Yield the bytes of a packet."""
        yield from self._serializer.incremental_serialize(self._to_dto(packet))

    def _convert(self, packet: Any, remaining_data: bytes | bytearray | memoryview) -> _ReceivedT:
        try:
            return self._from_dto(packet)
        except PacketConversionError as exc:
            raise StreamProtocolParseError(bytes(remaining_data), exc) from exc


class StreamProtocol(StreamProtocolBase[_SentT, _ReceivedT]):
    """Packets in a stream of chunks.

    Args:
        serializer: Turns packets into bytes and back.
        converter: Turns business objects into the serializer's packets and back; without one they
            are the same.

    Raises:
        TypeError: An argument is of the wrong type.
    """

    @overload
    def __init__(
        self, serializer: AbstractIncrementalPacketSerializer[_SentT, _ReceivedT], converter: None = None
    ) -> None: ...

    @overload
    def __init__(
        self,
        serializer: AbstractIncrementalPacketSerializer[_DTOSentT, _DTOReceivedT],
        converter: AbstractPacketConverterComposite[_SentT, _ReceivedT, _DTOSentT, _DTOReceivedT],
    ) -> None: ...

    def __init__(
        self,
        serializer: AbstractIncrementalPacketSerializer[Any, Any],
        converter: AbstractPacketConverterComposite[_SentT, _ReceivedT, Any, Any] | None = None,
    ) -> None:
        super().__init__(serializer, converter, serializer_type=AbstractIncrementalPacketSerializer)

    def build_packet_from_chunks(self) -> Generator[None, bytes, tuple[_ReceivedT, bytes]]:
        """Read one packet. Each ``yield None`` asks for a chunk.

        Returns:
            The packet, and the bytes after it.

        Raises:
            StreamProtocolParseError: The serializer or the converter has refused the frame.
        """
        try:
            packet, remaining = yield from self._serializer.incremental_deserialize()
        except DeserializeError as exc:
            raise parse_error(exc) from exc
        return self._convert(packet, remaining), remaining


class BufferedStreamProtocol(StreamProtocolBase[_SentT, _ReceivedT]):
    """Packets in a buffer that the serializer makes, and that is fed by a copy of each read.

    Args:
        serializer: Turns packets into bytes and back.
        converter: Turns business objects into the serializer's packets and back; without one they
            are the same.

    Raises:
        TypeError: An argument is of the wrong type.
    """

    @overload
    def __init__(
        self, serializer: BufferedIncrementalPacketSerializer[_SentT, _ReceivedT, Any], converter: None = None
    ) -> None: ...

    @overload
    def __init__(
        self,
        serializer: BufferedIncrementalPacketSerializer[_DTOSentT, _DTOReceivedT, Any],
        converter: AbstractPacketConverterComposite[_SentT, _ReceivedT, _DTOSentT, _DTOReceivedT],
    ) -> None: ...

    def __init__(
        self,
        serializer: BufferedIncrementalPacketSerializer[Any, Any, Any],
        converter: AbstractPacketConverterComposite[_SentT, _ReceivedT, Any, Any] | None = None,
    ) -> None:
        super().__init__(serializer, converter, serializer_type=BufferedIncrementalPacketSerializer)
        self._buffered_serializer = serializer

    def create_buffer(self, sizehint: int) -> Buffer:
        """Make a writable buffer; `sizehint` is how many bytes the transport likes to read at
        once.
        """
        buffer: Buffer = self._buffered_serializer.create_deserializer_buffer(sizehint)
        return buffer

    def build_packet_from_buffer(
        self, buffer: Any
    ) -> Generator[int | None, int, tuple[_ReceivedT, bytes | bytearray | memoryview]]:
        """Read one packet from `buffer`, made by `create_buffer`.

        Each ``yield`` gives the position at which to write (``None`` is the start, a negative
        number counts from the end) and is sent the number of bytes written there.

        Returns:
            The packet, and the bytes after it, which may be a view of `buffer`.

        Raises:
            StreamProtocolParseError: The serializer or the converter has refused the frame.
        """
        try:
            packet, remaining = yield from self._buffered_serializer.buffered_incremental_deserialize(buffer)
        except DeserializeError as exc:
            raise parse_error(exc) from exc
        return self._convert(packet, remaining), remaining


AnyStreamProtocolType: TypeAlias = StreamProtocol[_SentT, _ReceivedT] | BufferedStreamProtocol[_SentT, _ReceivedT]
"""Either kind of protocol object for streams."""


def parse_error(error: DeserializeError) -> StreamProtocolParseError | RuntimeError:
    """Makes what a protocol object raises of what its serializer has raised."""
    if isinstance(error, IncrementalDeserializeError):
        return StreamProtocolParseError(error.remaining_data, error)
    # A bug of the serializer: nobody knows where the next frame starts.
    return RuntimeError("DeserializeError raised instead of IncrementalDeserializeError")
