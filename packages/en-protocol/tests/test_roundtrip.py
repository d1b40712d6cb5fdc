# SPDX-License-Identifier: Apache-2.0
"""For every serializer: what is sent is read, and whatever is read instead is an ordinary error."""

from __future__ import annotations

import pickle
from itertools import pairwise
from typing import IO, Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from easynetwork.exceptions import DatagramProtocolParseError, DeserializeError
from easynetwork.protocol import DatagramProtocol
from easynetwork.protocol.testing import check_chunking_law
from easynetwork.serializers import (
    CBORSerializer,
    JSONSerializer,
    MessagePackSerializer,
    NamedTupleStructSerializer,
    PickleSerializer,
    StringLineSerializer,
    StructSerializer,
)
from easynetwork.serializers.abc import AbstractIncrementalPacketSerializer, AbstractPacketSerializer
from easynetwork.serializers.base_stream import FileBasedPacketSerializer
from easynetwork.serializers.composite import StapledPacketSerializer
from easynetwork.serializers.wrapper import Base64EncoderSerializer, BZ2CompressorSerializer, ZlibCompressorSerializer


class Point(NamedTuple):
    x: int
    name: str


class RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        raise pickle.UnpicklingError("refused")


class TextFile(FileBasedPacketSerializer[str, str]):
    """Two bytes that tell the length, then as many of text."""

    def __init__(self) -> None:
        super().__init__(UnicodeDecodeError)

    def dump_to_file(self, packet: str, file: IO[bytes], /) -> None:
        data = packet.encode()
        file.write(len(data).to_bytes(2) + data)

    def load_from_file(self, file: IO[bytes], /) -> str:
        head = file.read(2)
        data = file.read(int.from_bytes(head))
        if len(head) < 2 or len(data) < int.from_bytes(head):
            raise EOFError
        return data.decode()


def documents(*more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
    return st.recursive(
        st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=20), *more),
        lambda inside: st.lists(inside, max_size=5) | st.dictionaries(st.text(max_size=5), inside, max_size=5),
        max_leaves=8,
    )


int16s = st.integers(-(2**15), 2**15 - 1)
lines = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=30)
utf8_lines = StringLineSerializer("CRLF", encoding="utf-8")
json = JSONSerializer()

SERIALIZERS: dict[str, tuple[AbstractPacketSerializer[Any, Any], st.SearchStrategy[Any]]] = {
    "line": (StringLineSerializer(encoding="utf-8"), lines),
    "line CRLF": (utf8_lines, lines),
    "json lines": (json, documents()),
    "json raw": (JSONSerializer(use_lines=False), documents()),
    "cbor": (CBORSerializer(), documents(st.binary(max_size=20), st.integers(), st.uuids())),
    "msgpack": (MessagePackSerializer(), documents(st.binary(max_size=20))),
    "pickle": (
        PickleSerializer(unpickler_cls=RestrictedUnpickler),
        documents(st.binary(), st.integers(), st.frozensets(int16s)),
    ),
    "struct": (StructSerializer("h?d"), st.tuples(int16s, st.booleans(), st.floats(allow_nan=False))),
    "named tuple": (
        NamedTupleStructSerializer(Point, {"x": "h", "name": "20s"}),
        st.builds(Point, int16s, st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=5)),
    ),
    "base64": (Base64EncoderSerializer(json, checksum=True), documents()),
    "base64 standard": (Base64EncoderSerializer(json, alphabet="standard", separator=b"\n"), documents()),
    "zlib": (ZlibCompressorSerializer(json), documents()),
    "bz2": (BZ2CompressorSerializer(json, compress_level=1), documents()),
    "stapled": (StapledPacketSerializer(utf8_lines, utf8_lines), lines),
    "file": (TextFile(), st.text(max_size=20)),
}


@pytest.mark.parametrize("name", SERIALIZERS)
@given(data=st.data())
def test_packets_are_read_as_they_were_sent(name: str, data: st.DataObject) -> None:
    serializer, strategy = SERIALIZERS[name]
    packets = data.draw(st.lists(strategy, max_size=4))

    assert [serializer.deserialize(serializer.serialize(packet)) for packet in packets] == packets
    if isinstance(serializer, AbstractIncrementalPacketSerializer):
        stream = b"".join(chunk for packet in packets for chunk in serializer.incremental_serialize(packet))
        cuts = sorted({0, *data.draw(st.sets(st.integers(0, len(stream)), max_size=6)), len(stream)})
        assert check_chunking_law(serializer, stream, [[stream[a:b] for a, b in pairwise(cuts)]]) == packets


def mutations(frame: bytes) -> st.SearchStrategy[bytes]:
    """Makes bytes that look like a packet until it is too late."""

    def splice(start: int, stop: int, new: bytes) -> bytes:
        return frame[:start] + new + frame[stop:]

    places = st.integers(0, len(frame))
    return st.builds(splice, places, places, st.binary(max_size=4))


def refusal(serializer: AbstractPacketSerializer[Any, Any], datagram: bytes) -> Exception | None:
    try:
        DatagramProtocol(serializer).build_packet_from_datagram(datagram)
    except DatagramProtocolParseError as exc:
        return exc.error
    return None


@pytest.mark.parametrize("name", SERIALIZERS)
@given(data=st.data())
def test_arbitrary_bytes_are_a_packet_or_a_deserialize_error(name: str, data: st.DataObject) -> None:
    serializer, strategy = SERIALIZERS[name]
    good = strategy.map(serializer.serialize)
    datagram = data.draw(st.binary(max_size=40) | good.flatmap(mutations))

    error = refusal(serializer, datagram)
    assert error is None or isinstance(error, DeserializeError)
    assert error is None or error.error_info is None
