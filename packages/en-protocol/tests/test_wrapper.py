# SPDX-License-Identifier: Apache-2.0
"""Base64 and checksums."""

from __future__ import annotations

import hashlib
from base64 import standard_b64encode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest

from easynetwork.exceptions import DeserializeError
from easynetwork.serializers import StringLineSerializer
from easynetwork.serializers.wrapper import Base64EncoderSerializer

line = StringLineSerializer()


def sent(serializer: Any, packet: Any) -> bytes:
    return b"".join(serializer.incremental_serialize(packet))


@pytest.mark.parametrize(("alphabet", "encode"), [("standard", standard_b64encode), ("urlsafe", urlsafe_b64encode)])
def test_base64_alphabets(alphabet: Any, encode: Callable[[bytes], bytes]) -> None:
    serializer = Base64EncoderSerializer(StringLineSerializer(encoding="latin-1"), alphabet=alphabet)

    assert sent(serializer, "\xfb\xff\xfe") == encode(b"\xfb\xff\xfe") + b"\r\n"


def test_checksums() -> None:
    key = Base64EncoderSerializer.generate_key()
    plain, keyed = Base64EncoderSerializer(line, checksum=True), Base64EncoderSerializer(line, checksum=key)

    assert plain.serialize("abc") == urlsafe_b64encode(b"abc" + hashlib.sha256(b"abc").digest())
    assert keyed.deserialize(keyed.serialize("abc")) == "abc"
    assert Base64EncoderSerializer(line, checksum=key.decode()).deserialize(keyed.serialize("abc")) == "abc"
    for data in (plain.serialize("abc"), Base64EncoderSerializer(line, checksum=keyed.generate_key()).serialize("abc")):
        with pytest.raises(DeserializeError, match="checksum"):
            keyed.deserialize(data)
