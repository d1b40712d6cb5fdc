# SPDX-License-Identifier: Apache-2.0
"""Every deserializer of en-protocol, with limits that a short input can pass."""

from __future__ import annotations

import base64
import bz2
import datetime
import decimal
import fractions
import hashlib
import importlib
import io
import ipaddress
import json
import struct
import uuid
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import cbor2

from easynetwork.serializers import (
    CBORSerializer,
    JSONSerializer,
    MessagePackSerializer,
    NamedTupleStructSerializer,
    StringLineSerializer,
    StructSerializer,
)
from easynetwork.serializers.composite import StapledBufferedIncrementalPacketSerializer
from easynetwork.serializers.msgpack import MessageUnpackerConfig
from easynetwork.serializers.wrapper import Base64EncoderSerializer, BZ2CompressorSerializer, ZlibCompressorSerializer

from .samples import Named, NamedSerializer, Point, PrefixedSerializer
from .streams import Variant, deserializer_target
from .target import Target

__all__ = ("deserializers",)

msgpack: Any = importlib.import_module("msgpack")  # it has no types

_SMALL = 12
_LARGE = 40
_WITH_DIGEST = 100
_KEY = base64.urlsafe_b64encode(bytes(32))

_DOCUMENTS: list[Any] = [{"a": [1]}, {"b": '}]\\"'}, [], {}, "", "[\\", [[[]]], -1.5, True, None, 12345, "é"]
_JSON_WORDS = (b"true", b"false", b"null", b"NaN", b"-Infinity", b'\\"', b"\\ud83d", b"\\u0000", b"1e999", b"[[", b"}]")
_JSON_SEEDS = (b'{"a":\n1}\n', b'[}"', b'"\xff"', b'"\\', b"1e5 -0.0 nul", b"\xef\xbb\xbf{}", b"[" * 40)

# Every tag that the library decodes has a type here; the ones that are refused are among the seeds.
_CBOR_VALUES: list[Any] = [
    *({"a": [1, None]}, b"bytes", "text" * 10, 2**70, -(2**70), float("nan"), cbor2.undefined),
    *(decimal.Decimal("1.5"), decimal.Decimal("inf"), fractions.Fraction(1, 3), frozenset({1, (2, 3)})),
    *(datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC), datetime.date(2020, 1, 2), uuid.UUID(int=7)),
    *(ipaddress.ip_address("127.0.0.1"), ipaddress.ip_network("::/64"), 1 + 2j, cbor2.CBORTag(4000, [])),
    *(cbor2.CBORSimpleValue(99), {(1, 2): {frozenset({"x"}): []}}, list(range(30)), {}, 1.5),
]
_CBOR_SEEDS = (
    *(b"\x9f\x01\x9f\xff\xff", b"\xbf\x61a\x01\xff", b"\x5f\x41a\x42bc\xff", b"\x7f\x61a\xff", b"\xf9\x3c\x00"),
    *(b"\xd8\x23\x61a", b"\xd8\x24\x61a", b"\xd8\x1c\x81\xd8\x1d\x00", b"\xd9\x01\x00\x82\x63abc\xd8\x19\x00"),
    *(b"\xc1\xfb" + b"\x7f" * 8, b"\xc4\x82\x1b" + b"\x7f" * 8 + b"\x01", b"\xc5\x82\x01\x02", b"\xd8\x1e\x82\x01\x00"),
    *(b"\x9b" + b"\xff" * 8, b"\x5b" + b"\xff" * 8, b"\x82\x01\xff", b"\x81" * 40, b"\x1c", b"\xd8\x2a\x61a"),
)
_CBOR_WORDS = (
    *(bytes([0xD8, tag]) for tag in (30, 35, 36, 37, 43, 52, 54, 100)),
    *(b"\xd9\x01\x02", b"\xd9\x01\x04", b"\xd9\x01\x05"),
)

_MESSAGES: list[Any] = [
    *({"a": [1, None]}, b"bytes", "text" * 10, 2**40, -(2**40), 1.5, True, [], {}, list(range(30)), -1),
    *(msgpack.ExtType(5, b"ext"), msgpack.Timestamp(1, 2), msgpack.Timestamp(2**40, 0), {"x" * 40: b"y" * 40}),
]
_MESSAGE_SEEDS = (
    *(b"\xc6\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\x91" * 40, b"\xc1", b"\xa1\xff"),
    *(b"\xdc\x00\x02\x01\x02", b"\xde\x00\x01\xa1a\x01", b"\x81\x90\x01", b"\xd9\x01a", b"\xc7\x0c\xff" + b"\xff" * 12),
)


def deserializers() -> dict[str, Target]:
    """Makes the targets of all serializers for streams, by name."""
    return {
        "line": _lines(),
        "json-lines": _json_lines(),
        "json-raw": _json_raw(),
        "cbor": _cbor(),
        "msgpack": _msgpack(),
        "struct": _structs(),
        "base64": _base64(),
        "zlib": _compressed(ZlibCompressorSerializer, zlib.compress),
        "bz2": _compressed(BZ2CompressorSerializer, bz2.compress),
        "file": _files(),
        "reader": _readers(),
    }


def _lines() -> Target:
    def model(separator: bytes, encoding: str, end: str = "") -> Callable[[bytes], Iterator[str]]:
        return lambda data: (line.decode(encoding) + end for line in data.split(separator)[:-1])

    lf = StringLineSerializer(limit=_SMALL)
    crlf = StringLineSerializer("CRLF", encoding="utf-8", limit=_SMALL)
    kept = StringLineSerializer("CRLF", encoding="latin-1", limit=_SMALL, keep_end=True)
    cr = StringLineSerializer("CR", encoding="utf-8", limit=_SMALL)
    stapled: StapledBufferedIncrementalPacketSerializer[str, str, bytearray]
    stapled = StapledBufferedIncrementalPacketSerializer(cr, cr)
    return deserializer_target(
        Variant(lf, ["hello", "", "x"], _SMALL, b"\n", model(b"\n", "ascii")),
        Variant(crlf, ["é\r", "", "\n"], _SMALL, b"\r\n", model(b"\r\n", "utf-8"), seeds=[b"\r" * 40, b"\xff\r\n"]),
        Variant(kept, ["a\r\n", "\r\n"], _SMALL, b"\r\n", model(b"\r\n", "latin-1", "\r\n")),
        Variant(stapled, ["hello", ""], _SMALL, b"\r", model(b"\r", "utf-8")),
        words=(b"\r\n", b"\xc3\xa9"),
    )


def _json_lines() -> Target:
    def model(data: bytes) -> Iterator[Any]:
        return (json.loads(line.decode()) for line in data.split(b"\n")[:-1])

    small, large = (JSONSerializer(limit=limit) for limit in (_SMALL, _LARGE))
    return deserializer_target(
        Variant(small, _DOCUMENTS, _SMALL, b"\n", model, seeds=_JSON_SEEDS),
        Variant(large, _DOCUMENTS, _LARGE, b"\n", model),
        words=_JSON_WORDS,
    )


def _json_raw() -> Target:
    def model(data: bytes) -> Iterator[Any]:
        text, position, decoder = data.decode(errors="surrogateescape"), 0, json.JSONDecoder()
        while True:
            while text[position : position + 1] in (" ", "\t", "\n", "\r"):
                position += 1
            document, position = decoder.raw_decode(text, position)
            yield document

    small, large = (JSONSerializer(limit=limit, use_lines=False) for limit in (_SMALL, _LARGE))
    return deserializer_target(
        Variant(small, _DOCUMENTS, _SMALL, model=model, seeds=_JSON_SEEDS),
        Variant(large, _DOCUMENTS, _LARGE, model=model),
        words=_JSON_WORDS,
    )


def _cbor() -> Target:
    def model(data: bytes) -> Iterator[Any]:
        file = io.BytesIO(data)
        while True:
            yield cbor2.load(file)

    small, large = (CBORSerializer(limit=limit) for limit in (_SMALL, _LARGE))
    return deserializer_target(
        Variant(large, _CBOR_VALUES, _LARGE, model=model, seeds=_CBOR_SEEDS),
        Variant(small, [[1, "a"], 2, 3], _SMALL, model=model),
        words=_CBOR_WORDS,
    )


def _msgpack() -> Target:
    def model(data: bytes) -> Iterator[Any]:
        return iter(msgpack.Unpacker(io.BytesIO(data)))

    lenient = MessageUnpackerConfig(raw=True, use_list=False, strict_map_key=False, timestamp=3)
    small, large = (MessagePackSerializer(limit=limit) for limit in (_SMALL, _LARGE))
    return deserializer_target(
        Variant(large, _MESSAGES, _LARGE, model=model, seeds=_MESSAGE_SEEDS),
        Variant(small, [{"a": 1}, 2, 3], _SMALL, model=model),
        Variant(MessagePackSerializer(unpacker_config=lenient, limit=_LARGE), [(1, b"a"), {(): 1}], _LARGE),
    )


def _structs() -> Target:
    def model(data: bytes) -> Iterator[Any]:
        return struct.iter_unpack("!hd?c", data[: len(data) // 12 * 12])

    numbers = StructSerializer("hd?c")
    texts = NamedTupleStructSerializer(Point, {"x": "i", "name": "5s"}, "<")
    return deserializer_target(
        Variant(numbers, [(1, 2.5, True, b"a"), (-3, float("inf"), False, b"\0")], 12, model=model),
        Variant(texts, [Point(1, "abc"), Point(-2, "é")], 9),
    )


def _base64() -> Target:
    def line(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data + hashlib.sha256(data).digest()) + b"\r\n"

    inside = JSONSerializer()
    plain = Base64EncoderSerializer(inside, alphabet="standard", separator=b"\n", limit=_SMALL)
    keyed = Base64EncoderSerializer(inside, checksum=_KEY, limit=_WITH_DIGEST)
    summed = Base64EncoderSerializer(inside, checksum=True, limit=_WITH_DIGEST)
    return deserializer_target(
        Variant(plain, [{"a": 1}, "", 1, "?>"], _SMALL, b"\n", seeds=[b"AA=A\n", b"A\n", b"-_-_\n", b"Ag==\n"]),
        Variant(keyed, [{"a": 1}, ""], _WITH_DIGEST, b"\r\n"),
        Variant(summed, [{"a": 1}], _WITH_DIGEST, b"\r\n", wrap=line, seeds=[b'{"a":[1]}', b'"\xff"', b"1"]),
    )


def _compressed(
    serializer_class: type[ZlibCompressorSerializer[Any, Any]] | type[BZ2CompressorSerializer[Any, Any]],
    compress: Callable[[bytes], bytes],
) -> Target:
    inside = StringLineSerializer()
    small = serializer_class(inside, limit=60, max_decompressed_size=_SMALL)
    large = serializer_class(inside, limit=_LARGE, max_decompressed_size=2 * _LARGE)
    bombs = [compress(b"a" * size) for size in (_SMALL + 1, 20_000)]
    return deserializer_target(
        Variant(small, ["abc", "", "x" * _SMALL], 60, seeds=[*bombs, b"garbage", compress(b"abc")[:-1]]),
        Variant(large, ["abc", "x" * 2 * _LARGE], 2 * _LARGE, seeds=bombs),
        Variant(large, ["abc"], 2 * _LARGE, wrap=compress, seeds=[b"text", b"\xff"]),
    )


def _files() -> Target:
    def model(data: bytes) -> Iterator[bytes]:
        while data:
            yield data[1 : 1 + data[0]]
            data = data[1 + data[0] :]

    return deserializer_target(Variant(PrefixedSerializer(_SMALL), [b"abc", b"x" * (_SMALL - 1)], _SMALL, model=model))


def _readers() -> Target:
    # A byte tells the length of the value, so that it does not need a limit of its own.
    return deserializer_target(Variant(NamedSerializer(_SMALL), [Named(b"a", b"1"), Named(b"bc", b"")], 256))
