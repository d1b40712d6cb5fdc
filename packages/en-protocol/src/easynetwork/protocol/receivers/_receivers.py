# SPDX-License-Identifier: Apache-2.0
"""The two public receivers. Each chooses between the fast way and the general way when it is made."""

from __future__ import annotations

from typing import Any, TypeVar

from easynetwork.serializers.abc import AbstractIncrementalPacketSerializer
from easynetwork.serializers.framing import FramedPacketSerializer

from .._stream import AnyStreamProtocolType, BufferedStreamProtocol, StreamProtocol
from ._abc import NeedData, StreamReceiver, WritableReceiver
from ._framed import FramedBuffer, FramedChunks
from ._generated import GeneratedBuffer, GeneratedChunks

__all__ = ("BufferReceiver", "ChunkReceiver", "make_receiver")

_T = TypeVar("_T", covariant=True)


class ChunkReceiver(StreamReceiver[_T]):
    """Reads chunks with a `StreamProtocol`.

    Raises:
        TypeError: `protocol` is something else.
    """

    def __init__(self, protocol: StreamProtocol[Any, _T]) -> None:
        if not isinstance(protocol, StreamProtocol):
            raise TypeError(f"protocol: expected a StreamProtocol instance, got {protocol!r}")
        serializer = _framed_serializer(protocol)
        self._way: StreamReceiver[_T]
        if serializer is None:
            self._way = GeneratedChunks(protocol)
        else:
            self._way = FramedChunks(serializer, protocol.converter)

    def next_packet(self) -> _T | NeedData:
        return self._way.next_packet()

    def feed(self, data: bytes) -> None:
        self._way.feed(data)

    @property
    def ended(self) -> bool:
        return self._way.ended

    @property
    def has_partial_frame(self) -> bool:
        return self._way.has_partial_frame


class BufferReceiver(WritableReceiver[_T]):
    """Reads a buffer with a `BufferedStreamProtocol`.

    Args:
        protocol: Makes the buffer and reads from it.
        sizehint: How many bytes the transport likes to read at once.

    Raises:
        TypeError: `protocol` is something else, or `sizehint` is no integer.
        ValueError: `sizehint` is not positive.
    """

    def __init__(self, protocol: BufferedStreamProtocol[Any, _T], sizehint: int) -> None:
        if not isinstance(protocol, BufferedStreamProtocol):
            raise TypeError(f"protocol: expected a BufferedStreamProtocol instance, got {protocol!r}")
        _check_size("sizehint", sizehint)
        serializer = _framed_serializer(protocol)
        self._way: WritableReceiver[_T]
        if serializer is None:
            self._way = GeneratedBuffer(protocol, sizehint)
        else:
            self._way = FramedBuffer(serializer, protocol.converter, sizehint)

    def next_packet(self) -> _T | NeedData:
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
    protocol: AnyStreamProtocolType[Any, _T], max_recv_size: int
) -> ChunkReceiver[_T] | BufferReceiver[_T]:
    """Make the receiver that fits the protocol object.

    Args:
        protocol: Of either kind.
        max_recv_size: How many bytes the transport reads at once.

    Raises:
        TypeError: `protocol` is neither kind, or `max_recv_size` is no integer.
        ValueError: `max_recv_size` is not positive.
    """
    _check_size("max_recv_size", max_recv_size)
    if isinstance(protocol, BufferedStreamProtocol):
        return BufferReceiver(protocol, max_recv_size)
    if isinstance(protocol, StreamProtocol):
        return ChunkReceiver(protocol)
    raise TypeError(f"protocol: expected a StreamProtocol or a BufferedStreamProtocol instance, got {protocol!r}")


# What the fast way bypasses. If a subclass has changed any of it, the general way calls the subclass's version.
_BYPASSED_METHODS = (
    (StreamProtocol, "build_packet_from_chunks"),
    (BufferedStreamProtocol, "create_buffer"),
    (BufferedStreamProtocol, "build_packet_from_buffer"),
    (FramedPacketSerializer, "incremental_deserialize"),
    (FramedPacketSerializer, "create_deserializer_buffer"),
    (FramedPacketSerializer, "buffered_incremental_deserialize"),
)


def _framed_serializer(protocol: AnyStreamProtocolType[Any, Any]) -> FramedPacketSerializer[Any, Any] | None:
    serializer: AbstractIncrementalPacketSerializer[Any, Any] = protocol.serializer
    if isinstance(serializer, FramedPacketSerializer) and not any(
        isinstance(obj, owner) and getattr(type(obj), name) is not getattr(owner, name)
        for obj in (protocol, serializer)
        for owner, name in _BYPASSED_METHODS
    ):
        return serializer
    return None


def _check_size(name: str, size: int) -> None:
    if isinstance(size, bool) or not isinstance(size, int):
        raise TypeError(f"{name}: expected an integer, got {size!r}")
    if size < 1:
        raise ValueError(f"{name}: expected a positive integer, got {size!r}")
