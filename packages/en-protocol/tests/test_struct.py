# SPDX-License-Identifier: Apache-2.0
"""Structures on the wire."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from easynetwork.serializers import NamedTupleStructSerializer, StructSerializer


class Point(NamedTuple):
    x: int
    name: str


def test_structures_are_in_network_order() -> None:
    assert StructSerializer("hI").serialize((1, 2)) == b"\x00\x01\x00\x00\x00\x02"
    assert StructSerializer("<h").serialize((1,)) == b"\x01\x00"
    assert StructSerializer("hI").struct.format == "!hI"
    assert StructSerializer("hI").packet_size == 6


def test_text_fields_are_padded_and_stripped() -> None:
    formats = {"name": "4s", "x": "B"}

    assert NamedTupleStructSerializer(Point, formats).serialize(Point(1, "é")) == b"\x01\xc3\xa9\0\0"
    assert NamedTupleStructSerializer(Point, formats).deserialize(b"\x01\xc3\xa9\0\0") == Point(1, "é")
    padded = NamedTupleStructSerializer(Point, formats, strip_string_trailing_nul_bytes=False)
    assert padded.deserialize(b"\x01a\0\0\0") == Point(1, "a\0\0\0")
    assert tuple(NamedTupleStructSerializer(Point, formats, encoding=None).deserialize(b"\x01a\0\0\0")) == (1, b"a")
    assert NamedTupleStructSerializer(Point, {"x": "H", "name": "1s"}, "<").serialize(Point(1, "a")) == b"\x01\0a"


def test_text_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^name: the text has 5 bytes"):
        NamedTupleStructSerializer(Point, {"name": "4s", "x": "B"}).serialize(Point(1, "abcde"))
