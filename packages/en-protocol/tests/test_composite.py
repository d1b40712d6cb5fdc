# SPDX-License-Identifier: Apache-2.0
"""Stapled serializers."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from easynetwork.serializers import JSONSerializer, StringLineSerializer
from easynetwork.serializers.abc import (
    AbstractIncrementalPacketSerializer,
    AbstractPacketSerializer,
    BufferedIncrementalPacketSerializer,
)
from easynetwork.serializers.base_stream import AutoSeparatedPacketSerializer
from easynetwork.serializers.composite import (
    StapledBufferedIncrementalPacketSerializer,
    StapledIncrementalPacketSerializer,
    StapledPacketSerializer,
)

line = StringLineSerializer()


class Raw(AutoSeparatedPacketSerializer[bytes, bytes]):
    def serialize(self, packet: bytes, /) -> bytes:
        return packet

    def deserialize(self, data: bytes, /) -> bytes:
        return data


class OneShot(AbstractPacketSerializer[bytes, bytes]):
    def serialize(self, packet: bytes, /) -> bytes:
        return packet

    def deserialize(self, data: bytes, /) -> bytes:
        return data


class Incremental(AbstractIncrementalPacketSerializer[bytes, bytes]):
    def incremental_serialize(self, packet: bytes, /) -> Generator[bytes, None, None]:
        yield packet

    def incremental_deserialize(self) -> Generator[None, bytes, tuple[bytes, bytes]]:
        return (yield), b""


def sent(serializer: Any, packet: Any) -> bytes:
    return b"".join(serializer.incremental_serialize(packet))


def test_the_most_capable_class_is_chosen() -> None:
    raw, one_shot = Raw(b";"), OneShot()

    incremental = Incremental()

    assert type(StapledPacketSerializer(raw, raw)) is StapledBufferedIncrementalPacketSerializer
    assert type(StapledPacketSerializer(raw, incremental)) is StapledIncrementalPacketSerializer
    assert type(StapledPacketSerializer(raw, one_shot)) is StapledPacketSerializer
    assert type(StapledPacketSerializer(one_shot, raw)) is StapledPacketSerializer
    with pytest.raises(TypeError, match=r"^received_packet_serializer:"):
        StapledIncrementalPacketSerializer(raw, one_shot)  # pyright: ignore[reportArgumentType]  # that is the point


def test_each_half_does_its_part() -> None:
    serializer = StapledPacketSerializer(JSONSerializer(), line)

    assert isinstance(serializer, BufferedIncrementalPacketSerializer)
    assert serializer.serialize([1]) == b"[1]"
    assert sent(serializer, [1]) == b"[1]\n"
    assert serializer.deserialize(b"text") == "text"
    assert serializer.received_packet_serializer is line
