# SPDX-License-Identifier: Apache-2.0
"""The two public receivers. Each chooses between the fast way and the general way when it is made."""

from __future__ import annotations

from typing import Any, TypeVar

from easynetwork.serializers._validation import check_instance, check_positive_int
from easynetwork.serializers.composite import (
    StapledBufferedIncrementalPacketSerializer,
    StapledIncrementalPacketSerializer,
)
from easynetwork.serializers.framing import FramedPacketSerializer

from .._stream import AnyStreamProtocolType, BufferedStreamProtocol, StreamProtocol
from ._abc import NeedData, StreamReceiver, WritableReceiver
from ._framed import FramedBuffer, FramedChunks
from ._generated import GeneratedBuffer, GeneratedChunks

__all__ = ("BufferReceiver", "ChunkReceiver", "make_receiver")

_T_co = TypeVar("_T_co", covariant=True)


class ChunkReceiver(StreamReceiver[_T_co]):
    """Reads chunks with a `StreamProtocol`.

    Raises:
        TypeError: `protocol` is something else.
    """

    def __init__(self, protocol: StreamProtocol[Any, _T_co]) -> None:
        check_instance("protocol", protocol, StreamProtocol)
        serializer = _framed_serializer(protocol)
        self._way: StreamReceiver[_T_co]
        if serializer is None:
            self._way = GeneratedChunks(protocol)
        else:
            self._way = FramedChunks(serializer, protocol.converter)

    def next_packet(self) -> _T_co | NeedData:
        return self._way.next_packet()

    def feed(self, data: bytes) -> None:
        self._way.feed(data)

    @property
    def ended(self) -> bool:
        return self._way.ended

    @property
    def has_partial_frame(self) -> bool:
        return self._way.has_partial_frame


class BufferReceiver(WritableReceiver[_T_co]):
    """Reads a buffer with a `BufferedStreamProtocol`.

    Args:
        protocol: Makes the buffer and reads from it.
        sizehint: How many bytes the transport likes to read at once.

    Raises:
        TypeError: `protocol` is something else, or `sizehint` is no integer.
        ValueError: `sizehint` is not positive.
    """

    def __init__(self, protocol: BufferedStreamProtocol[Any, _T_co], sizehint: int) -> None:
        check_instance("protocol", protocol, BufferedStreamProtocol)
        check_positive_int("sizehint", sizehint)
        serializer = _framed_serializer(protocol)
        self._way: WritableReceiver[_T_co]
        if serializer is None:
            self._way = GeneratedBuffer(protocol, sizehint)
        else:
            self._way = FramedBuffer(serializer, protocol.converter, sizehint)

    def next_packet(self) -> _T_co | NeedData:
        return self._way.next_packet()

    def feed(self, data: bytes) -> None:
        self._way.feed(data)

    def get_buffer(self) -> memoryview:
        return self._way.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        self._way.buffer_updated(nbytes)

    @property
    def ended(self) -> bool:
        return self._way.ended

    @property
    def has_partial_frame(self) -> bool:
        return self._way.has_partial_frame


def make_receiver(
    protocol: AnyStreamProtocolType[Any, _T_co], max_recv_size: int
) -> ChunkReceiver[_T_co] | BufferReceiver[_T_co]:
    """Make the receiver that fits the protocol object.

    Args:
        protocol: Of either kind.
        max_recv_size: How many bytes the transport reads at once.

    Raises:
        TypeError: `protocol` is neither kind, or `max_recv_size` is no integer.
        ValueError: `max_recv_size` is not positive.
    """
    check_instance("protocol", protocol, StreamProtocol, BufferedStreamProtocol)
    check_positive_int("max_recv_size", max_recv_size)
    if isinstance(protocol, BufferedStreamProtocol):
        return BufferReceiver(protocol, max_recv_size)
    return ChunkReceiver(protocol)


# What the fast way bypasses: if a subclass has changed any of it, the general way calls the subclass's version.
_CHUNK_METHODS = ("build_packet_from_chunks",)
_BUFFER_METHODS = ("create_buffer", "build_packet_from_buffer")
# They only hand on what they are asked. Their subclasses may do more.
_STAPLED: tuple[type[object], ...] = (StapledIncrementalPacketSerializer, StapledBufferedIncrementalPacketSerializer)
_SERIALIZER_METHODS = ("incremental_deserialize", "create_deserializer_buffer", "buffered_incremental_deserialize")


def _framed_serializer(protocol: AnyStreamProtocolType[Any, Any]) -> FramedPacketSerializer[Any, Any] | None:
    serializer = protocol.serializer
    if isinstance(serializer, StapledIncrementalPacketSerializer) and type(serializer) in _STAPLED:
        serializer = serializer.received_packet_serializer
    if not isinstance(serializer, FramedPacketSerializer):
        return None
    if not _inherits(serializer, FramedPacketSerializer, _SERIALIZER_METHODS):
        return None
    if isinstance(protocol, StreamProtocol):
        untouched = _inherits(protocol, StreamProtocol, _CHUNK_METHODS)
    else:
        untouched = _inherits(protocol, BufferedStreamProtocol, _BUFFER_METHODS)
    return serializer if untouched else None


def _inherits(obj: object, owner: type[object], names: tuple[str, ...]) -> bool:
    return all(getattr(type(obj), name) is getattr(owner, name) for name in names)
