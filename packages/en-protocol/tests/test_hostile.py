# SPDX-License-Identifier: Apache-2.0
"""Documents made to hurt (rows 11 and 22 of the security page): each is one ordinary error, and
soon.
"""

from __future__ import annotations

import sys
import time
import warnings
from itertools import islice, product
from typing import Any, NamedTuple

import cbor2
import pytest

from easynetwork.exceptions import DeserializeError
from easynetwork.protocol import StreamProtocol
from easynetwork.protocol.receivers import make_receiver
from easynetwork.protocol.testing import BadFrame, read_stream
from easynetwork.serializers import (
    CBORSerializer,
    JSONSerializer,
    MessagePackSerializer,
    NamedTupleStructSerializer,
    PickleSerializer,
    StringLineSerializer,
)
from easynetwork.serializers.abc import AbstractPacketSerializer
from easynetwork.serializers.cbor import CBOREncoderConfig
from easynetwork.serializers.msgpack import MessageUnpackerConfig
from easynetwork.serializers.wrapper import Base64EncoderSerializer, BZ2CompressorSerializer, ZlibCompressorSerializer

AnySerializer = AbstractPacketSerializer[Any, Any]

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pickles = PickleSerializer()

line = StringLineSerializer()
json = JSONSerializer()
raw_json = JSONSerializer(use_lines=False)
cbor = CBORSerializer()
msgpack = MessagePackSerializer()


class Name(NamedTuple):
    name: str


def tagged(tag: int, content: bytes) -> bytes:
    return cbor2.dumps(cbor2.CBORTag(tag, None))[:-1] + content


def bignum(size: int) -> bytes:
    return tagged(2, cbor2.dumps(b"\xff" * size))


def shared_pairs(depth: int) -> bytes:
    """Each value is a pair of the one before: two to the power of `depth` leaves."""
    value = tagged(28, b"\x82\x01\x01")
    for index in range(depth):
        value = tagged(28, b"\x82" + value + tagged(29, bytes([depth - index])))
    return value


def equal_hashes(count: int) -> list[bytes]:
    """Arrays of -1 and -2, which have the same hash."""
    return [b"\x8d" + bytes(items) for items in islice(product((0x20, 0x21), repeat=13), count)]


BAD: list[tuple[AnySerializer, bytes]] = [
    (line, b"\xff"),
    *(
        (serializer, document)
        for serializer in (json, raw_json)
        for document in (
            b"",
            b"[" * 30_000,
            b"[" * 30_000 + b"]" * 30_000,
            b'{"a":' * 10_000,
            b"1" * 5_000,
            b"[" + b"1" * 60_000 + b"]",
            b'"\xff"',
            b'"' + b"\\" * 60_000,
            b'"\\ud8"',
            b"{}{}",
            b"\xef\xbb\xbf{}",
        )
    ),
    *(
        (cbor, document)
        for document in (
            b"",
            b"\x81" * 30_000,
            b"\x81" * 30_000 + b"\x01",
            b"\xc6" * 30_000 + b"\x01",
            b"\x5b" + b"\xff" * 8,
            b"\x9b" + b"\xff" * 8,
            b"\xbb" + b"\xff" * 8,
            b"\x61\xff",
            b"\xff",
            b"\x1f",
            b"\x01\x01",
            b"\xbf\x01\xff",
            b"\x5f\x01\xff",
            tagged(0, cbor2.dumps("1" * 60_000)),
            tagged(0, cbor2.dumps("2020-99-99T00:00:00Z")),
            tagged(1, b"\x1b" + b"\x7f" * 8),
            tagged(1, b"\xf9\x7e\x00"),
            tagged(2, b"\x01"),
            tagged(3, b"\x61a"),
            bignum(60_000),
            tagged(2, b"\x5f\x41a\xff"),
            tagged(4, b"\x82\x1b" + b"\x7f" * 8 + b"\x01"),
            tagged(4, b"\x82\x01" + bignum(60_000)),
            tagged(4, b"\x01"),
            tagged(5, b"\x82\x1b" + b"\x7f" * 8 + b"\x01"),
            tagged(5, b"\x82\x01" + bignum(60_000)),
            tagged(30, b"\x82\x01\x00"),
            tagged(30, b"\x82\x01\x61a"),
            tagged(35, cbor2.dumps("(?i)[\0-\U0010ffff]" * 50)),
            tagged(35, cbor2.dumps("(")),
            tagged(36, cbor2.dumps("a: b\n" * 10_000)),
            tagged(37, b"\x41a"),
            tagged(258, b"\x01"),
            tagged(260, b"\x41a"),
            tagged(261, b"\xa1\x44\x01\x02\x03\x04\x18\x64"),
            tagged(25, b"\x00"),
            tagged(29, b"\x00"),
            b"\xa1" + shared_pairs(40) + b"\x01",
            b"\xbf" + b"\x01".join(equal_hashes(4000)) + b"\x01\xff",
            b"\xb9" + (4000).to_bytes(2) + b"\x01".join(equal_hashes(4000)) + b"\x01",
            tagged(258, b"\x9f" + b"".join(equal_hashes(4000)) + b"\xff"),
        )
    ),
    *(
        (msgpack, document)
        for document in (
            b"",
            b"\x91" * 30_000,
            b"\x91" * 30_000 + b"\x01",
            b"\xc6\xff\xff\xff\xff",
            b"\xdd\xff\xff\xff\xff",
            b"\xdf\xff\xff\xff\xff",
            b"\xc9\xff\xff\xff\xff\x00",
            b"\xa1\xff",
            b"\xc1",
            b"\x01\x01",
            b"\x81\x01\x01",
            b"\xc7\x03\xffabc",
            b"\xc7\x0c\xff" + b"\xff" * 12,
        )
    ),
    (MessagePackSerializer(unpacker_config=MessageUnpackerConfig(strict_map_key=False)), b"\x81\x90\x01"),
    (MessagePackSerializer(unpacker_config=MessageUnpackerConfig(timestamp=3)), b"\xc7\x0c\xff\0\0\0\0" + b"\x7f" * 8),
    (Base64EncoderSerializer(line), b"!"),
    (Base64EncoderSerializer(line), b"A"),
    (Base64EncoderSerializer(line), b"+/+/"),
    (Base64EncoderSerializer(line, checksum=True), b"AAAA"),
    (Base64EncoderSerializer(line), b"_w=="),
    (ZlibCompressorSerializer(line), b"garbage"),
    (ZlibCompressorSerializer(line), b""),
    (ZlibCompressorSerializer(line), ZlibCompressorSerializer(line).serialize("a")[:-1]),
    (ZlibCompressorSerializer(line), ZlibCompressorSerializer(line).serialize("a") + b"a"),
    (BZ2CompressorSerializer(line), b"garbage"),
    (pickles, b""),
    (pickles, b"csys\nexit\n(I1\ntR."),
    (pickles, b"cbuiltins\nKeyboardInterrupt\n)R0cbuiltins\nexec\n(Vraise KeyboardInterrupt\ntR."),
    (pickles, b"cbuiltins\nexec\n(Vraise GeneratorExit\ntR."),
    (pickles, b"\x80\x04."),
    (pickles, b"I1\n.rest"),
]


@pytest.mark.parametrize(("serializer", "document"), BAD)
def test_a_hostile_document_is_a_deserialize_error(serializer: AnySerializer, document: bytes) -> None:
    def deserialize() -> float:
        started = time.process_time()
        with pytest.raises(DeserializeError):
            serializer.deserialize(document)
        return time.process_time() - started

    # A garbage collection of what other tests have left may fall into one of them.
    assert min(deserialize() for _ in range(3)) < 0.1
    with pytest.raises(DeserializeError) as info:
        serializer.deserialize(document)
    assert info.value.error_info is None
    # What a traceback would show of the library's own error may quote the document.
    assert info.value.__cause__ is None or isinstance(info.value.__cause__, EOFError)


@pytest.mark.parametrize(
    ("serializer", "document"),
    [
        (line, b"a" + b"\n" * 60_000),
        (cbor, b"\x9f" + tagged(4, b"\x82\x01" + bignum(4096)) * 15 + b"\xff"),
        (cbor, b"\x9f" + tagged(30, b"\x82" + bignum(4096) + bignum(4095)) * 7 + b"\xff"),
        (cbor, b"\x9f" + b"\x81\x01" * 30_000 + b"\xff"),
        (cbor, b"\xbf" + b"\x01".join(equal_hashes(2000)) + b"\x01\xff"),
        (cbor, tagged(258, b"\x9f" + b"".join(equal_hashes(2000)) + b"\xff")),
        (cbor, b"\x9f" + b"\xa1\x01\xa0" * 20_000 + b"\xff"),
        (msgpack, b"\xdc\xff\x00" + b"\x90" * 0xFF00),
        (json, b"[" + b"1" * 4_000 + (b"," + b"1" * 4_000) * 15 + b"]"),
        (json, b'"' + b"\\u00e9" * 10_000 + b'"'),
        (raw_json, b"[" + b'"",' * 20_000 + b"1]"),
    ],
)
def test_a_heavy_document_is_read_soon(serializer: AnySerializer, document: bytes) -> None:
    def seconds() -> float:
        started = time.process_time()
        serializer.deserialize(document)
        return time.process_time() - started

    slowdown = 2 if sys.flags.dev_mode else 1
    assert any(seconds() < 0.1 * slowdown for _ in range(5))  # other processes of a shared machine spoil some


def test_bignums_are_not_taken_for_other_strings() -> None:
    document: list[Any] = [1, -(2**70), 2**70, b"a" * 5000, "b" * 5000]

    assert cbor.deserialize(cbor.serialize(document)) == document


def test_shared_values_are_for_those_who_use_them() -> None:
    shared = CBORSerializer(CBOREncoderConfig(value_sharing=True))
    cyclic: list[Any] = []
    cyclic.append(cyclic)

    document = shared.deserialize(shared.serialize(cyclic))

    assert document[0] is document
    with pytest.raises(DeserializeError, match="value_sharing=True"):
        cbor.deserialize(shared.serialize(cyclic))


def test_string_references_are_for_those_who_use_them() -> None:
    references = CBORSerializer(CBOREncoderConfig(string_referencing=True))

    assert references.deserialize(references.serialize(["abcd"] * 3)) == ["abcd"] * 3


@pytest.mark.parametrize("serializer", [line, json, raw_json])
def test_the_next_frame_is_read_after_a_bad_one(serializer: Any) -> None:
    stream = b'"\xff"\n"good"\n'

    bad, good = read_stream(make_receiver(StreamProtocol(serializer), 65536), [stream]).packets

    assert isinstance(bad, BadFrame)
    assert good.strip('"') == "good"


@pytest.mark.parametrize(
    ("serializer", "document"),
    [
        (StringLineSerializer(debug=True), b"\xff"),
        (JSONSerializer(debug=True), b"{"),
        (CBORSerializer(debug=True), b"\x61\xff"),
        (MessagePackSerializer(debug=True), b"\xa1\xff"),
        (Base64EncoderSerializer(line, debug=True), b"!"),
        (ZlibCompressorSerializer(line, debug=True), b"garbage"),
    ],
)
def test_debug_shows_the_fault(serializer: AnySerializer, document: bytes) -> None:
    with pytest.raises(DeserializeError) as info:
        serializer.deserialize(document)

    assert info.value.error_info == {"data": document}
    assert info.value.__cause__ is not None


def test_text_of_a_named_tuple_can_be_bad() -> None:
    serializer = NamedTupleStructSerializer(Name, {"name": "2s"})

    with pytest.raises(DeserializeError):
        serializer.deserialize(b"\xff\xff")
    with pytest.raises(DeserializeError, match="Expected 2 bytes, got 3"):
        serializer.deserialize(b"abc")
