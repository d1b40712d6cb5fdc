# SPDX-License-Identifier: Apache-2.0
"""CBOR and MessagePack on the wire, and without their libraries."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

import pytest

from easynetwork.serializers import CBORSerializer, MessagePackSerializer
from easynetwork.serializers.base_stream import FileBasedPacketSerializer


def sent(serializer: Any, packet: Any) -> bytes:
    return b"".join(serializer.incremental_serialize(packet))


@pytest.mark.parametrize(
    ("serializer_class", "library"), [(CBORSerializer, "cbor2"), (MessagePackSerializer, "msgpack")]
)
def test_a_missing_library_is_named_with_its_extra(
    serializer_class: Callable[[], object], library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(ModuleNotFoundError, match=r"en-protocol\[(cbor|msgpack)\]") as info:
        serializer_class()

    assert info.value.name == library


@pytest.mark.parametrize(
    ("serializer", "data"),
    [(CBORSerializer(), b"\xa1\x61a\x82\x01\xf6"), (MessagePackSerializer(), b"\x81\xa1a\x92\x01\xc0")],
)
def test_binary_formats(serializer: FileBasedPacketSerializer[Any, Any], data: bytes) -> None:
    packet = {"a": [1, None]}
    file = io.BytesIO()
    serializer.dump_to_file(packet, file)

    assert file.getvalue() == serializer.serialize(packet) == sent(serializer, packet) == data
    assert serializer.load_from_file(io.BytesIO(data)) == packet
    assert serializer.buffer_limit == 65536
