# SPDX-License-Identifier: Apache-2.0
"""Separators and fixed sizes."""

from __future__ import annotations

from typing import Any

import pytest

from easynetwork.serializers.base_stream import AutoSeparatedPacketSerializer, FixedSizePacketSerializer


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


def sent(serializer: Any, packet: Any) -> bytes:
    return b"".join(serializer.incremental_serialize(packet))


@pytest.mark.parametrize(("packet", "data"), [(b"a", b"a;;"), (b"a;;;;", b"a;;"), (b"", b";;"), (b"a;", b"a;;;")])
def test_separators_at_the_end_of_a_packet_are_stripped(packet: bytes, data: bytes) -> None:
    assert sent(Raw(b";;"), packet) == data


def test_a_separator_inside_a_packet_is_refused() -> None:
    with pytest.raises(ValueError, match="inside"):
        sent(Raw(b";;"), b"a;;b")
    assert sent(Raw(b";;", incremental_serialize_check_separator=False), b"a;;b;;") == b"a;;b;;;;"


def test_a_packet_of_another_size_is_refused() -> None:
    assert sent(Fixed(3), b"abc") == b"abc"
    with pytest.raises(ValueError, match="4 bytes instead of 3"):
        sent(Fixed(3), b"abcd")
