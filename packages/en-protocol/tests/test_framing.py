# SPDX-License-Identifier: Apache-2.0
"""Framers agree with the libraries about where a packet ends."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import msgpack  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]  # it has no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from easynetwork.serializers import CBORSerializer, JSONSerializer, MessagePackSerializer
from easynetwork.serializers.framing import FixedSizeFramer, FramedPacketSerializer, Framer, SeparatorFramer

sizes = st.one_of(st.integers(0, 40), st.sampled_from([255, 256, 65535, 65536]))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False),
    st.text(max_size=5),
)
strings = sizes.map(lambda size: "é" * size)
byte_strings = sizes.map(bytes)


def ones(size: int) -> list[int]:
    return [1] * size


def documents(leaves: st.SearchStrategy[Any], keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def containers(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        wide = sizes.map(ones)
        return st.one_of(st.lists(children, max_size=5), st.dictionaries(keys, children, max_size=5), wide)

    return st.recursive(leaves, containers, max_leaves=15)


json_documents = documents(st.one_of(scalars, strings), st.text(max_size=5))
cbor_documents = documents(
    st.one_of(
        scalars,
        strings,
        byte_strings,
        st.integers(-(2**200), 2**200),
        st.decimals(allow_nan=False, allow_infinity=False, places=3),
        st.fractions(),
        st.uuids(),
        st.datetimes(timezones=st.just(UTC)),
        st.frozensets(st.one_of(st.integers(), st.tuples(st.integers(), st.text(max_size=3)))),
    ),
    st.one_of(st.text(max_size=5), st.integers(), st.tuples(st.integers(), st.integers()), st.fractions()),
)
msgpack_documents = documents(
    st.one_of(
        scalars,
        strings,
        byte_strings,
        st.builds(msgpack.ExtType, st.integers(0, 127), sizes.map(bytes)),
        st.builds(msgpack.Timestamp, st.integers(-(2**63), 2**63 - 1), st.integers(0, 10**9 - 1)),
    ),
    st.one_of(st.text(max_size=5), st.binary(max_size=5)),
)


def check_end(serializer: FramedPacketSerializer[Any, Any], data: bytes, following: bytes, cut: int) -> None:
    framer = serializer.create_framer()
    cut %= len(data) + 1
    stream = b"before" + data + following

    early = framer.find_end(stream, 6, 6 + cut)
    if early < 0:
        early = framer.find_end(stream, 6, len(stream))

    assert early == 6 + len(data)


@given(cbor_documents, st.binary(max_size=3), st.integers(0))
def test_cbor(document: Any, following: bytes, cut: int) -> None:
    serializer = CBORSerializer(limit=2**24)
    data = serializer.serialize(document)

    check_end(serializer, data, following, cut)
    assert serializer.deserialize(data) == document


@given(msgpack_documents, st.binary(max_size=3), st.integers(0))
def test_msgpack(document: Any, following: bytes, cut: int) -> None:
    serializer = MessagePackSerializer(limit=2**24)
    data = serializer.serialize(document)

    check_end(serializer, data, following, cut)
    assert serializer.deserialize(data) == document


@given(json_documents, st.binary(max_size=3), st.integers(0), st.sampled_from([None, 1, "\t"]))
def test_json(document: Any, following: bytes, cut: int, indent: Any) -> None:
    serializer = JSONSerializer(limit=2**24, use_lines=False)
    data = json.dumps(document, indent=indent).encode()
    if not data.startswith((b"{", b"[", b'"')):
        data += b" "

    check_end(serializer, data, following, cut)
    assert serializer.deserialize(data) == document


def test_padding_between_json_documents_is_not_kept() -> None:
    framer = JSONSerializer(use_lines=False).create_framer()

    assert framer.find_end(b" \r\n\t", 1, 4) == -1
    assert framer.skip_padding(b" \r\n\t", 1, 4) == 4
    assert framer.find_end(b" [1", 0, 3) == -1
    assert framer.skip_padding(b" [1", 0, 3) == 1
    assert framer.find_end(b"[1]", 0, 3) == 3


@pytest.mark.parametrize("framer", [SeparatorFramer(b";;", 10), FixedSizeFramer(4)])
def test_a_framer_is_ready_for_the_next_frame(framer: Framer) -> None:
    stream = b"ab;;cd;;"

    assert framer.find_end(stream, 0, 1) == -1
    first = framer.find_end(stream, 0, len(stream))
    second = framer.find_end(stream, first + framer.trailer, len(stream))

    assert second + framer.trailer == len(stream)
    assert framer.skip_padding(stream, 3, 8) == 3


EXAMPLES: list[Any] = [
    Decimal("1.5"),
    Fraction(1, 3),
    UUID(int=5),
    datetime(2026, 1, 1, tzinfo=UTC),
    {(1, 2): {3}},
]


@pytest.mark.parametrize("value", EXAMPLES, ids=repr)
def test_cbor_tags_of_the_standard_types_are_not_refused(value: Any) -> None:
    serializer = CBORSerializer()

    assert serializer.deserialize(serializer.serialize(value)) == value
