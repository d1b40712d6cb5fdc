# SPDX-License-Identifier: Apache-2.0
"""Encoders: a packet in, all its bytes out. The other half of `easynetwork.protocol.receivers`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from easynetwork.serializers.framing import FramedPacketSerializer

from ._stream import AnyStreamProtocolType, StreamProtocolBase

__all__ = ("encoder_crashed", "make_encoder")

_SentT = TypeVar("_SentT")


def make_encoder(protocol: AnyStreamProtocolType[_SentT, Any]) -> Callable[[_SentT], bytes]:
    """Make the function that turns the packets of ``protocol`` into bytes.

    It raises what the protocol raises; callers make an `encoder_crashed` of it.
    """
    serializer = protocol.serializer
    if (
        isinstance(serializer, FramedPacketSerializer)
        and protocol.converter is None
        and type(protocol).generate_chunks is StreamProtocolBase.generate_chunks
        and type(serializer).incremental_serialize is FramedPacketSerializer.incremental_serialize
    ):
        return serializer.serialize_frame  # what the generators come to, where nobody has changed them
    return lambda packet: b"".join(protocol.generate_chunks(packet))


def encoder_crashed() -> RuntimeError:
    """What users see when a packet cannot be encoded, with the protocol's error as the cause."""
    return RuntimeError("protocol.generate_chunks() crashed")
