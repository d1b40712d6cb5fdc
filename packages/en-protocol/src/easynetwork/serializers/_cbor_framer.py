# SPDX-License-Identifier: Apache-2.0
"""Finds the end of CBOR data items (RFC 8949, section 3), and refuses tags that are not worth their danger."""

from __future__ import annotations

from collections.abc import Mapping

from easynetwork.exceptions import IncrementalDeserializeError

from ._item_framer import BREAK, UNTIL_BREAK, ItemFramer

__all__ = ("REFUSED_TAGS", "SHARED_VALUE_TAGS", "STRING_REFERENCE_TAGS", "CBORFramer")

REFUSED_TAGS: Mapping[int, str] = {
    # Fifty characters make the compiler of regular expressions work for a second.
    35: "regular expressions are not decoded",
    36: "MIME messages are not decoded",
}
# A value that holds the one before twice, some dozens of times over, takes for ever to hash, to compare and to print.
SHARED_VALUE_TAGS: Mapping[int, str] = dict.fromkeys(
    (28, 29), "shared values are only decoded with CBOREncoderConfig(value_sharing=True)"
)
# They repeat what the bound on bignums relies on being there only once.
STRING_REFERENCE_TAGS: Mapping[int, str] = dict.fromkeys(
    (25, 256), "string references are only decoded with CBOREncoderConfig(string_referencing=True)"
)

_MAX_BIGNUM_SIZE = 4096
"""In bytes. The time to make a decimal or a fraction of a bignum grows with the square of its size."""

_BYTES, _TEXT, _ARRAY, _MAP, _TAG, _OTHER = range(2, 8)  # major types; 0 and 1 are integers
_BIGNUM_TAGS = (2, 3)
_INDEFINITE = 31
_HEAD_SIZES = (*(1,) * 24, 2, 3, 5, 9)  # by the additional information


def _whole_size(first_byte: int) -> int:
    major, info = divmod(first_byte, 32)
    if info >= len(_HEAD_SIZES):
        return 0
    if major in (0, 1, _OTHER):
        return _HEAD_SIZES[info]
    if major in (_BYTES, _TEXT) and info < 24:
        return 1 + info
    return 1 if major in (_ARRAY, _MAP) and info == 0 else 0


class CBORFramer(ItemFramer):
    """A frame is one data item, with its tags.

    Args:
        limit: The greatest length of an item in bytes.
        refused_tags: Tags that make an item bad, and why.
    """

    _whole_sizes = tuple(_whole_size(first_byte) for first_byte in range(256))

    def __init__(self, limit: int, refused_tags: Mapping[int, str]) -> None:
        super().__init__(limit)
        self._refused_tags = refused_tags
        self._refusal: str | None = None
        self._start = 0
        self._bignum_at: int | None = None  # counts from the beginning of the frame

    def find_end(self, buffer: bytes | bytearray, start: int, stop: int) -> int:
        self._start = start
        end = super().find_end(buffer, start, stop)
        if end >= 0 and self._refusal is not None:
            refusal, self._refusal = self._refusal, None
            raise IncrementalDeserializeError(refusal, bytes(memoryview(buffer)[end:stop]))
        return end

    def _read_head(self, buffer: bytes | bytearray, position: int, stop: int) -> tuple[int, int]:
        major, info = divmod(buffer[position], 32)
        if info == _INDEFINITE:
            return self._read_indefinite_head(major, position - self._start)
        if info >= len(_HEAD_SIZES):
            raise self._lost("A head of a data item is malformed")
        size = _HEAD_SIZES[info]
        if position + size > stop:
            return 0, 0
        value = info if size == 1 else int.from_bytes(buffer[position + 1 : position + size], "big")
        if major in (_BYTES, _TEXT):
            if value > _MAX_BIGNUM_SIZE and position - self._start == self._bignum_at:
                self._refuse(f"A bignum is longer than {_MAX_BIGNUM_SIZE} bytes")
            return size + value, 0
        if major == _TAG:
            if value in self._refused_tags:
                self._refuse(f"CBOR tag {value} is refused: {self._refused_tags[value]}")
            if value in _BIGNUM_TAGS:
                self._bignum_at = position + size - self._start
            return size, 1
        return size, 2 * value if major == _MAP else value

    def _read_indefinite_head(self, major: int, offset: int) -> tuple[int, int]:
        if major == _OTHER:
            return 1, BREAK
        if major not in (_BYTES, _TEXT, _ARRAY, _MAP):
            raise self._lost("A head of a data item is malformed")
        if offset == self._bignum_at:
            self._refuse("A bignum comes in pieces")
        # The pieces of a string are not told from the items of an array: the library does that.
        return 1, UNTIL_BREAK

    def _refuse(self, message: str) -> None:
        self._refusal = self._refusal or message

    def _reset(self) -> None:
        super()._reset()
        self._bignum_at = None
