# SPDX-License-Identifier: Apache-2.0
"""The choice of a receiver: the fast way where nothing forbids it, else the general way."""

from __future__ import annotations

from typing import Any, TypeVar

from easynetwork.serializers._validation import check_instance, check_positive_int
from easynetwork.serializers.abc import AbstractPacketSerializer
from easynetwork.serializers.composite import (
    StapledBufferedIncrementalPacketSerializer,
    StapledIncrementalPacketSerializer,
)
from easynetwork.serializers.framing import FramedPacketSerializer

from .._base import inherits
from .._stream import AnyStreamProtocolType, BufferedStreamProtocol, StreamProtocol, StreamProtocolBase
from ._abc import StreamReceiver
from ._framed import FramedReceiver
from ._generated import GeneratedBuffer, GeneratedChunks

__all__ = ("make_receiver",)

_T_co = TypeVar("_T_co", covariant=True)


def make_receiver(protocol: AnyStreamProtocolType[Any, _T_co], max_recv_size: int) -> StreamReceiver[_T_co]:
    """Make the receiver that fits the protocol object.

    Args:
        protocol: Of either kind.
        max_recv_size: How many bytes the transport likes to read at once: what a
            `BufferedStreamProtocol` is asked to make its buffer for.

    Raises:
        TypeError: `protocol` is neither kind, or `max_recv_size` is no integer.
        ValueError: `max_recv_size` is not positive.
    """
    check_instance("protocol", protocol, StreamProtocolBase)
    check_positive_int("max_recv_size", max_recv_size)
    serializer = _framed_serializer(protocol)
    if isinstance(protocol, BufferedStreamProtocol):
        if serializer is None:
            return GeneratedBuffer(protocol, max_recv_size)
        return FramedReceiver(serializer, protocol.converter, GeneratedBuffer.crash_message)
    if serializer is None:
        return GeneratedChunks(protocol)
    return FramedReceiver(serializer, protocol.converter, GeneratedChunks.crash_message)


# What the fast way bypasses: if a subclass has changed any of it, the general way calls the
# subclass's version.
_CHUNK_METHODS = ("build_packet_from_chunks",)
_BUFFER_METHODS = ("create_buffer", "build_packet_from_buffer")
# They only hand on what they are asked. Their subclasses may do more.
_STAPLED: tuple[type[object], ...] = (StapledIncrementalPacketSerializer, StapledBufferedIncrementalPacketSerializer)
_SERIALIZER_METHODS = ("incremental_deserialize", "create_deserializer_buffer", "buffered_incremental_deserialize")


def _framed_serializer(protocol: AnyStreamProtocolType[Any, Any]) -> FramedPacketSerializer[Any, Any] | None:
    serializer: AbstractPacketSerializer[Any, Any] | None = getattr(
        protocol, "serializer", None
    )  # a subclass that does it all itself may have none
    if isinstance(serializer, StapledIncrementalPacketSerializer) and type(serializer) in _STAPLED:
        serializer = serializer.received_packet_serializer
    if not isinstance(serializer, FramedPacketSerializer):
        return None
    if not inherits(serializer, FramedPacketSerializer, *_SERIALIZER_METHODS):
        return None
    if isinstance(protocol, StreamProtocol):
        untouched = inherits(protocol, StreamProtocol, *_CHUNK_METHODS)
    else:
        untouched = inherits(protocol, BufferedStreamProtocol, *_BUFFER_METHODS)
    return serializer if untouched else None
