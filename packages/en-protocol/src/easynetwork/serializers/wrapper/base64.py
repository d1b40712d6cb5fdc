# SPDX-License-Identifier: Apache-2.0
"""Binary packets as lines of Base64 text."""

from __future__ import annotations

import base64 as _base64
import binascii
import hashlib
import hmac
import os
from typing import Literal, TypeVar

from easynetwork.exceptions import DeserializeError

from .._errors import bad_data
from .._validation import DEFAULT_LIMIT, check_instance
from ..abc import AbstractPacketSerializer
from ..base_stream import AutoSeparatedPacketSerializer

__all__ = ("Base64EncoderSerializer",)

_SentT_contra = TypeVar("_SentT_contra", contravariant=True)
_ReceivedT_co = TypeVar("_ReceivedT_co", covariant=True)

_KEY_SIZE = _DIGEST_SIZE = 32  # bytes, both of SHA-256
_TO_URLSAFE = bytes.maketrans(b"+/", b"-_")
# The other alphabet's characters become ones that no alphabet has, so that the decoder refuses
# them.
_FROM_URLSAFE = bytes.maketrans(b"-_+/", b"+/!!")
_STANDARD_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="


class Base64EncoderSerializer(AutoSeparatedPacketSerializer[_SentT_contra, _ReceivedT_co]):
    """Encodes the bytes of another serializer.

    Args:
        serializer: The serializer inside.
        alphabet: ``"urlsafe"`` (with ``-`` and ``_``) or ``"standard"`` (with ``+`` and ``/``).
        checksum: ``True`` appends the SHA-256 digest to the bytes of each packet, against
            accidents. A key made by `generate_key` appends the HMAC-SHA256 instead, against
            everybody who does not know it.
        separator: What ends a packet in a stream.
        limit: The greatest length in bytes of an encoded packet.
        debug: Put data into the ``error_info`` of errors.
    """

    def __init__(
        self,
        serializer: AbstractPacketSerializer[_SentT_contra, _ReceivedT_co],
        *,
        alphabet: Literal["standard", "urlsafe"] = "urlsafe",
        checksum: bool | str | bytes = False,
        separator: bytes = b"\r\n",
        limit: int = DEFAULT_LIMIT,
        debug: bool = False,
    ) -> None:
        super().__init__(separator, limit=limit, debug=debug)
        check_instance("serializer", serializer, AbstractPacketSerializer)
        if alphabet not in ("standard", "urlsafe"):
            raise ValueError(f"alphabet: expected 'standard' or 'urlsafe', got {alphabet!r}")
        self._serializer = serializer
        self._urlsafe = alphabet == "urlsafe"
        if not separator.translate(None, self._from_standard(_STANDARD_CHARACTERS)):
            raise ValueError(f"separator: {separator!r} can stand inside Base64 text")
        self._with_checksum = checksum is not False
        self._key = None if isinstance(checksum, bool) else _decode_key(checksum)

    @classmethod
    def generate_key(cls) -> bytes:
        """Make a random key for `checksum`."""
        return _base64.urlsafe_b64encode(os.urandom(_KEY_SIZE))

    def serialize(self, packet: _SentT_contra, /) -> bytes:
        data = self._serializer.serialize(packet)
        if self._with_checksum:
            data += self._digest(data)
        return self._from_standard(binascii.b2a_base64(data, newline=False))

    def deserialize(self, data: bytes, /) -> _ReceivedT_co:
        """
        Raises:
            DeserializeError: The data is not Base64 text, the checksum is wrong, or the serializer
                inside refuses it.
        """
        try:
            decoded = binascii.a2b_base64(self._to_standard(data), strict_mode=True)
        except binascii.Error as exc:
            raise bad_data("Base64", data, exc, self.debug) from (exc if self.debug else None)
        if self._with_checksum:
            decoded, digest = decoded[:-_DIGEST_SIZE], decoded[-_DIGEST_SIZE:]
            if not hmac.compare_digest(digest, self._digest(decoded)):
                raise DeserializeError("The checksum is wrong", {"data": data} if self.debug else None)
        return self._serializer.deserialize(decoded)

    def _digest(self, data: bytes) -> bytes:
        if self._key is None:
            return hashlib.sha256(data).digest()
        return hmac.digest(self._key, data, "sha256")

    def _from_standard(self, text: bytes) -> bytes:
        return text.translate(_TO_URLSAFE) if self._urlsafe else text

    def _to_standard(self, text: bytes) -> bytes:
        return text.translate(_FROM_URLSAFE) if self._urlsafe else text


def _decode_key(key: object) -> bytes:
    if not isinstance(key, (str, bytes)):
        raise TypeError(f"checksum: expected a boolean or a key, got {type(key).__name__}")
    try:
        decoded = _base64.urlsafe_b64decode(key)
    except ValueError:
        decoded = b""
    if len(decoded) != _KEY_SIZE:
        # The message does not quote the key: it is a secret.
        raise ValueError(
            f"checksum: a key is {_KEY_SIZE} bytes in URL-safe Base64, as generate_key() makes it"
        ) from None
    return decoded
