# SPDX-License-Identifier: Apache-2.0
"""Lines of text."""

from __future__ import annotations

from typing import Any

import pytest

from easynetwork.serializers import StringLineSerializer


def sent(serializer: Any, packet: Any) -> bytes:
    return b"".join(serializer.incremental_serialize(packet))


@pytest.mark.parametrize(("newline", "separator"), [("LF", b"\n"), ("CR", b"\r"), ("CRLF", b"\r\n")])
def test_newlines(newline: Any, separator: bytes) -> None:
    serializer = StringLineSerializer(newline)

    assert serializer.separator == separator
    assert sent(serializer, "abc") == b"abc" + separator
    assert sent(serializer, "abc" + separator.decode() * 2) == b"abc" + separator
    assert serializer.deserialize(b"abc" + separator) == "abc"
    assert StringLineSerializer(newline, keep_end=True).deserialize(b"abc" + separator) == "abc" + separator.decode()


def test_line_options_are_readable() -> None:
    serializer = StringLineSerializer(encoding="latin-1", unicode_errors="replace", limit=5, keep_end=True, debug=True)

    assert (serializer.encoding, serializer.unicode_errors, serializer.buffer_limit) == ("latin-1", "replace", 5)
    assert (serializer.keep_end, serializer.debug) == (True, True)
