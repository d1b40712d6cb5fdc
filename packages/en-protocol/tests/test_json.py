# SPDX-License-Identifier: Apache-2.0
"""JSON on the wire."""

from __future__ import annotations

from typing import Any

import pytest

from easynetwork.serializers import JSONSerializer
from easynetwork.serializers.json import JSONDecoderConfig, JSONEncoderConfig


def sent(serializer: Any, packet: Any) -> bytes:
    return b"".join(serializer.incremental_serialize(packet))


@pytest.mark.parametrize("packet", [{"a": [1, 2]}, [], "text", 1.5, True, None, "é"])
def test_json_lines_are_compact(packet: Any) -> None:
    data = sent(JSONSerializer(), packet)

    assert data.endswith(b"\n")
    assert b" " not in data


@pytest.mark.parametrize(
    ("packet", "data"),
    [({"a": [1, 2]}, b'{"a":[1,2]}'), ([], b"[]"), ("text", b'"text"'), (1, b"1\n"), (None, b"null\n")],
)
def test_only_bare_values_need_a_newline_without_lines(packet: Any, data: bytes) -> None:
    assert sent(JSONSerializer(use_lines=False), packet) == data


def test_json_options_reach_the_library() -> None:
    encoder = JSONEncoderConfig(ensure_ascii=False, allow_nan=False, default=str)
    decoder = JSONDecoderConfig(parse_float=str, parse_constant=lambda name: name)
    serializer = JSONSerializer(encoder, decoder)

    assert serializer.serialize(["é", 1j]) == '["é","1j"]'.encode()
    assert serializer.deserialize(b"[1.5,NaN]") == ["1.5", "NaN"]
    with pytest.raises(ValueError, match="JSON compliant"):
        serializer.serialize(float("nan"))
