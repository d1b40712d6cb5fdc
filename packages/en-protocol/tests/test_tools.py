# SPDX-License-Identifier: Apache-2.0
"""The stream reader."""

from __future__ import annotations

from typing import Any

import pytest

from easynetwork.exceptions import LimitOverrunError
from easynetwork.serializers.tools import GeneratorStreamReader


def run(generator: Any, *chunks: bytes) -> Any:
    next(generator)
    for chunk in chunks[:-1]:
        generator.send(chunk)
    with pytest.raises(StopIteration) as info:
        generator.send(chunks[-1])
    return info.value.value


def test_reading_by_size() -> None:
    reader = GeneratorStreamReader(b"ab")

    assert run(reader.read_exactly(4), b"c", b"def") == b"abcd"
    assert reader.read_all() == b"ef"
    assert run(reader.read(10), b"abc") == b"abc"
    with pytest.raises(StopIteration):
        next(reader.read(0))


def test_reading_lines() -> None:
    reader = GeneratorStreamReader()

    assert run(reader.read_until(b"\r\n", 10), b"ab\r", b"\ncd\r\n") == b"ab\r\n"
    with pytest.raises(StopIteration) as info:
        next(reader.read_until(b"\r\n", 10, keep_end=False))
    assert info.value.value == b"cd"
    assert reader.read_all() == b""


@pytest.mark.parametrize(("data", "remaining"), [(b"abcd;rest", b"rest"), (b"abcd", b"")])
def test_reading_lines_has_a_limit(data: bytes, remaining: bytes) -> None:
    reader = GeneratorStreamReader(data)

    with pytest.raises(LimitOverrunError) as info:
        next(reader.read_until(b";", 3))

    assert info.value.remaining_data == remaining
