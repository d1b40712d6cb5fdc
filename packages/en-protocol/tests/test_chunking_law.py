# SPDX-License-Identifier: Apache-2.0
"""The law of the contract: packets and errors depend neither on the chunks nor on the mode of
reading.
"""

from __future__ import annotations

from itertools import pairwise
from typing import IO, Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from easynetwork.exceptions import FrameBoundaryLostError, IncrementalDeserializeError, LimitOverrunError
from easynetwork.protocol.receivers import _framed as framed_way  # pyright: ignore[reportPrivateUsage]
from easynetwork.protocol.testing import BadFrame, check_chunking_law, every_receiver, read_stream
from easynetwork.serializers import (
    CBORSerializer,
    JSONSerializer,
    MessagePackSerializer,
    NamedTupleStructSerializer,
    StringLineSerializer,
    StructSerializer,
)
from easynetwork.serializers.abc import AbstractIncrementalPacketSerializer
from easynetwork.serializers.base_stream import FileBasedPacketSerializer
from easynetwork.serializers.composite import StapledBufferedIncrementalPacketSerializer
from easynetwork.serializers.wrapper import Base64EncoderSerializer, BZ2CompressorSerializer, ZlibCompressorSerializer

AnySerializer = AbstractIncrementalPacketSerializer[Any, Any]


class Point(NamedTuple):
    x: int
    name: str


class LengthPrefixedSerializer(FileBasedPacketSerializer[bytes, bytes]):
    """A byte that tells the length, then as many bytes; zero is bad."""

    def __init__(self, limit: int = 100) -> None:
        super().__init__(ValueError, limit=limit)

    def dump_to_file(self, packet: bytes, file: IO[bytes], /) -> None:
        file.write(bytes([len(packet)]) + packet)

    def load_from_file(self, file: IO[bytes], /) -> bytes:
        (length,) = file.read(1) or self._ask_for_more()
        if not length:
            raise ValueError
        data = file.read(length)
        return data if len(data) == length else self._ask_for_more()

    def _ask_for_more(self) -> bytes:
        raise EOFError


DOCUMENTS: list[Any] = [{"a": [1, {"b": '}]\\"'}], "é": None}, [], {}, "", "[\\", [[[]]], -1.5, True, 12345]

CASES: dict[str, tuple[AnySerializer, list[Any]]] = {
    "line": (StringLineSerializer(), ["hello", "", "x", "world"]),
    "line CRLF": (StringLineSerializer("CRLF", encoding="utf-8"), ["é\r", "", "\n", "world"]),
    "line keep_end": (StringLineSerializer("CRLF", keep_end=True), ["a\r\n", "\r\n", "b\r\n"]),
    "json lines": (JSONSerializer(), DOCUMENTS),
    "json raw": (JSONSerializer(use_lines=False), DOCUMENTS),
    "cbor": (CBORSerializer(), [*DOCUMENTS, b"bytes" * 10, list(range(30)), "x" * 300]),
    "msgpack": (MessagePackSerializer(), [*DOCUMENTS, b"bytes" * 10, list(range(30)), "x" * 300]),
    "struct": (StructSerializer("hI"), [(1, 2), (-3, 4)]),
    "named tuple": (NamedTupleStructSerializer(Point, {"name": "5s", "x": "i"}), [Point(1, "abc"), Point(2, "é")]),
    "base64": (Base64EncoderSerializer(StringLineSerializer(), checksum=True), ["", "abc", "?>"]),
    "zlib": (ZlibCompressorSerializer(StringLineSerializer()), ["", "abc", "x" * 1000]),
    "bz2": (BZ2CompressorSerializer(StringLineSerializer()), ["abc", "x" * 1000]),
    "stapled": (
        StapledBufferedIncrementalPacketSerializer(StringLineSerializer(), StringLineSerializer()),
        ["a", "", "b"],
    ),
    "file": (LengthPrefixedSerializer(), [b"abc", b"d", b"0123456789"]),
}


@pytest.mark.parametrize("name", CASES)
def test_packets_survive_every_cut(name: str) -> None:
    serializer, packets = CASES[name]
    data = b"".join(chunk for packet in packets for chunk in serializer.incremental_serialize(packet))

    assert check_chunking_law(serializer, data) == packets


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_held_between_packets(name: str) -> None:
    serializer, packets = CASES[name]
    data = b"".join(serializer.incremental_serialize(packets[0]))
    for receiver in every_receiver(serializer):
        assert not read_stream(receiver, [data]).has_partial_frame


# One-shot packets have no newline of their own that could be kept.
@pytest.mark.parametrize("name", sorted(CASES.keys() - {"line keep_end"}))
def test_one_shot_reading_gives_the_same_packets(name: str) -> None:
    serializer, packets = CASES[name]

    assert [serializer.deserialize(serializer.serialize(packet)) for packet in packets] == packets


# The same serializers with small limits, so that random bytes reach them.
SMALL: dict[str, AnySerializer] = {
    "line": StringLineSerializer(limit=5),
    "line CRLF": StringLineSerializer("CRLF", limit=5),
    "line keep_end": StringLineSerializer("CRLF", limit=5, keep_end=True),
    "json lines": JSONSerializer(limit=8),
    "json raw": JSONSerializer(limit=8, use_lines=False),
    "cbor": CBORSerializer(limit=20),
    "msgpack": MessagePackSerializer(limit=20),
    "struct": StructSerializer("2s?"),
    "named tuple": NamedTupleStructSerializer(Point, {"name": "2s", "x": "b"}),
    "base64": Base64EncoderSerializer(StringLineSerializer(), limit=10),
    "zlib": ZlibCompressorSerializer(StringLineSerializer(), limit=20, max_decompressed_size=10),
    "bz2": BZ2CompressorSerializer(StringLineSerializer(), limit=60, max_decompressed_size=10),
    "stapled": StapledBufferedIncrementalPacketSerializer(StringLineSerializer(), StringLineSerializer("CR", limit=5)),
    "file": LengthPrefixedSerializer(limit=10),
}
ALPHABETS: dict[str, bytes] = {
    "json lines": b'1 "{}[],:a\\\n\t',
    "json raw": b'1 "{}[],:a\\\n\t',
    "cbor": bytes(
        [0x01, 0x41, 0x61, 0x80, 0x82, 0x9F, 0xA1, 0xBF, 0xC1, 0xC2, 0xD8, 0x23, 0x5F, 0xF9, 0xFF, 0x7E, 0x98, 0x1C]
    ),
    "msgpack": bytes([0x01, 0x81, 0x92, 0xA1, 0xC0, 0xC1, 0xC4, 0xC7, 0xCA, 0xD4, 0xD9, 0xDC, 0xDE, 0xFF, 0x00]),
    "base64": b"YWJj=\r\n!",
}


def dirty_bytes(name: str) -> st.SearchStrategy[bytes]:
    good = [b"".join(CASES[name][0].incremental_serialize(packet)) for packet in CASES[name][1]]
    noise = st.lists(st.sampled_from(ALPHABETS.get(name, b"a\r\n\x00\x01\x05\xff")), max_size=12).map(bytes)
    pieces = noise | st.sampled_from([item for item in good if len(item) < 50]) | st.binary(max_size=5)
    return st.lists(pieces, max_size=6).map(b"".join)


@pytest.mark.parametrize("name", SMALL)
@given(data=st.data())
def test_dirty_streams_read_the_same_however_they_are_cut(name: str, data: st.DataObject) -> None:
    stream = data.draw(dirty_bytes(name))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=6)) | {0, len(stream)})
    random_chunks = [stream[start:stop] for start, stop in pairwise(cuts)]
    bytewise = [stream[index : index + 1] for index in range(len(stream))]

    check_chunking_law(SMALL[name], stream, [[stream], random_chunks, bytewise])


def test_examples_are_the_same_in_every_run_and_may_take_their_time() -> None:
    """Also where the tests of all packages run together, and the last of their conftests has its
    way.
    """
    assert settings().derandomize
    assert settings().deadline is None


def test_every_serializer_is_read_dirty() -> None:
    assert SMALL.keys() == CASES.keys()


@given(
    lines=st.lists(st.binary(max_size=9).filter(lambda line: b"\r\n" not in line + b"\r")),
    tail=st.binary(max_size=3).filter(lambda tail: b"\n" not in tail),
)
@example(lines=[b"123456", b"12345"], tail=b"\r")
def test_lines_over_the_limit_are_one_error_each(lines: list[bytes], tail: bytes) -> None:
    serializer = StringLineSerializer("CRLF", encoding="latin-1", limit=5)
    too_long = BadFrame(LimitOverrunError, "The frame is longer than the limit of 5 bytes")

    packets = check_chunking_law(serializer, b"".join(line + b"\r\n" for line in lines) + tail, None)

    assert packets == [too_long if len(line) > 5 else line.decode("latin-1") for line in lines]


def test_reading_goes_on_after_a_bad_frame() -> None:
    packets = check_chunking_law(JSONSerializer(), b"1\n{\n\n2\n")

    assert [packet if isinstance(packet, int) else packet.error for packet in packets] == [
        1,
        IncrementalDeserializeError,
        IncrementalDeserializeError,
        2,
    ]


@pytest.mark.parametrize(
    ("serializer", "bad"),
    [
        (CBORSerializer(), b"\x1c"),
        (CBORSerializer(), b"\xff"),
        (CBORSerializer(), b"\x82\x01\xff"),
        (CBORSerializer(), b"\x81" * 300),
        (MessagePackSerializer(), b"\xc1"),
        (ZlibCompressorSerializer(StringLineSerializer()), b"garbage"),
        (BZ2CompressorSerializer(StringLineSerializer()), b"garbage"),
        (LengthPrefixedSerializer(), b"\0"),
    ],
)
def test_a_lost_boundary_ends_the_stream(serializer: AnySerializer, bad: bytes) -> None:
    packets = check_chunking_law(serializer, bad + b"\x01\x01\x01")

    assert [packet.error for packet in packets] == [FrameBoundaryLostError]
    for receiver in every_receiver(serializer):
        assert read_stream(receiver, [bad, b"\x01\x01"]).ended


def test_a_refused_tag_is_one_bad_frame() -> None:
    packets = check_chunking_law(CBORSerializer(), b"\x01\xd8\x23\x61a\x02")

    assert [packets[0], packets[1].error, packets[2]] == [1, IncrementalDeserializeError, 2]


def test_built_in_serializers_are_read_the_fast_way() -> None:
    for name, (serializer, _) in CASES.items():
        plain = next(every_receiver(serializer))

        is_fast = isinstance(plain, framed_way.FramedReceiver)
        assert is_fast is (name not in ("zlib", "bz2", "file"))
