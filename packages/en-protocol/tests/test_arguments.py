# SPDX-License-Identifier: Apache-2.0
"""Constructors name the argument that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from easynetwork.serializers import (
    CBORSerializer,
    JSONSerializer,
    MessagePackSerializer,
    NamedTupleStructSerializer,
    PickleSerializer,
    StringLineSerializer,
    StructSerializer,
)
from easynetwork.serializers.base_stream import AutoSeparatedPacketSerializer, FixedSizePacketSerializer
from easynetwork.serializers.composite import StapledPacketSerializer
from easynetwork.serializers.framing import FixedSizeFramer, SeparatorFramer
from easynetwork.serializers.tools import GeneratorStreamReader
from easynetwork.serializers.wrapper import Base64EncoderSerializer, BZ2CompressorSerializer, ZlibCompressorSerializer

line = StringLineSerializer()


class Raw(AutoSeparatedPacketSerializer[bytes, bytes]):
    def serialize(self, packet: bytes, /) -> bytes:
        return packet

    def deserialize(self, data: bytes, /) -> bytes:
        return data


class Fixed(FixedSizePacketSerializer[bytes, bytes]):
    def serialize(self, packet: bytes, /) -> bytes:
        return packet

    def deserialize(self, data: bytes, /) -> bytes:
        return data


class Point(NamedTuple):
    x: int
    name: str


wrong: Any = object()


@pytest.mark.parametrize(
    ("error", "name", "construct"),
    [
        (ValueError, "separator", lambda: Raw(b"")),
        (TypeError, "separator", lambda: Raw(wrong)),
        (ValueError, "limit", lambda: Raw(b";", limit=0)),
        (TypeError, "limit", lambda: Raw(b";", limit=wrong)),
        (TypeError, "limit", lambda: Raw(b";", limit=True)),
        (ValueError, "size", lambda: Fixed(0)),
        (ValueError, "sizehint", lambda: Raw(b";").create_deserializer_buffer(0)),
        (ValueError, "newline", lambda: StringLineSerializer(wrong)),
        (ValueError, "encoding", lambda: StringLineSerializer(encoding="unheard-of")),
        (ValueError, "encoding", lambda: StringLineSerializer(encoding="utf-16")),
        (TypeError, "encoding", lambda: StringLineSerializer(encoding=wrong)),
        (ValueError, "unicode_errors", lambda: StringLineSerializer(unicode_errors="unheard-of")),
        (TypeError, "unicode_errors", lambda: StringLineSerializer(unicode_errors=wrong)),
        (TypeError, "packet", lambda: line.serialize(wrong)),
        (TypeError, "encoder_config", lambda: JSONSerializer(wrong)),
        (TypeError, "decoder_config", lambda: JSONSerializer(None, wrong)),
        (TypeError, "encoder_config", lambda: CBORSerializer(wrong)),
        (TypeError, "packer_config", lambda: MessagePackSerializer(wrong)),
        (TypeError, "pickler_config", lambda: PickleSerializer(wrong)),
        (ValueError, "format", lambda: StructSerializer("unheard-of")),
        (TypeError, "namedtuple_cls", lambda: NamedTupleStructSerializer(wrong, {})),
        (ValueError, "field_formats", lambda: NamedTupleStructSerializer(Point, {"x": "I"})),
        (ValueError, "field_formats", lambda: NamedTupleStructSerializer(Point, {"x": "II", "name": "4s"})),
        (ValueError, "field_formats", lambda: NamedTupleStructSerializer(Point, {"x": "<I", "name": "4s"})),
        (ValueError, "format_endianness", lambda: NamedTupleStructSerializer(Point, {"x": "I", "name": "4s"}, "?")),
        (TypeError, "serializer", lambda: Base64EncoderSerializer(wrong)),
        (ValueError, "alphabet", lambda: Base64EncoderSerializer(line, alphabet=wrong)),
        (ValueError, "separator", lambda: Base64EncoderSerializer(line, separator=b"A=")),
        (ValueError, "checksum", lambda: Base64EncoderSerializer(line, checksum=b"short")),
        (TypeError, "checksum", lambda: Base64EncoderSerializer(line, checksum=wrong)),
        (TypeError, "serializer", lambda: ZlibCompressorSerializer(wrong)),
        (ValueError, "compress_level", lambda: ZlibCompressorSerializer(line, compress_level=10)),
        (ValueError, "compress_level", lambda: BZ2CompressorSerializer(line, compress_level=0)),
        (ValueError, "max_decompressed_size", lambda: ZlibCompressorSerializer(line, max_decompressed_size=0)),
        (TypeError, "sent_packet_serializer", lambda: StapledPacketSerializer(wrong, line)),
        (ValueError, "size", lambda: FixedSizeFramer(0)),
        (ValueError, "separator", lambda: SeparatorFramer(b"", 1)),
        (ValueError, "n", lambda: next(GeneratorStreamReader().read_exactly(-1))),
    ],
)
def test_wrong_arguments_are_named(error: type[Exception], name: str, construct: Callable[[], object]) -> None:
    with pytest.raises(error, match=f"^{name}:"):
        construct()
