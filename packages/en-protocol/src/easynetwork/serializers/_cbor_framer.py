# SPDX-License-Identifier: Apache-2.0
"""Finds the end of CBOR data items (RFC 8949, section 3), and refuses tags that are not worth their
danger.
"""

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
# A value that holds the one before twice, some dozens of times over, takes for ever to hash, to
# compare and to print.
SHARED_VALUE_TAGS: Mapping[int, str] = dict.fromkeys(
    (28, 29), "shared values are only decoded with CBOREncoderConfig(value_sharing=True)"
)
# They repeat what the bound on bignums relies on being there only once.
STRING_REFERENCE_TAGS: Mapping[int, str] = dict.fromkeys(
    (25, 256), "string references are only decoded with CBOREncoderConfig(string_referencing=True)"
)

_MAX_BIGNUM_SIZE = 4096
"""In bytes. The time to make a decimal or a fraction of a bignum grows with the square of its
size."""

_MAX_COMPLEX_KEYS = 2048
"""Of arrays, maps and tagged values that are keys of maps or members of sets. Unlike those of
strings, their hashes can be made equal, and then the time grows with the square of their number."""

_BYTES, _TEXT, _ARRAY, _MAP, _TAG, _OTHER = range(2, 8)  # major types; 0 and 1 are integers

# What the items of a container are: anything; keys and values in turns; the array of a set's
# members; these members.
_ITEMS, _ENTRIES, _TAGGED_AS_SET, _MEMBERS = range(4)

_BIGNUM_TAGS = (2, 3)
_SET_TAG = 258
_INDEFINITE = 31
_INDEFINITE_TYPES = (_BYTES, _TEXT, _ARRAY, _MAP)
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
        self._bignum_at: int | None = None  # counts from the beginning of the frame
        self._levels: dict[int, int] = {}  # by depth; those deeper than the current one are of the past
        self._complex_keys = 0

    def _read_head(self, buffer: bytes | bytearray, position: int, stop: int, wanted: int) -> tuple[int, int]:
        major, info = divmod(buffer[position], 32)
        if info < len(_HEAD_SIZES):
            size = _HEAD_SIZES[info]
            if position + size > stop:
                return 0, 0
            value = info if size == 1 else int.from_bytes(buffer[position + 1 : position + size], "big")
        elif info == _INDEFINITE and major in _INDEFINITE_TYPES:
            size, value = 1, UNTIL_BREAK
        elif info == _INDEFINITE and major == _OTHER:
            return 1, BREAK
        else:
            raise self._lost("A head of a data item is malformed")
        offset = position - self._start
        if major in (_BYTES, _TEXT):
            self._see_string(value, offset)
            # The pieces of a string are not told from the items of an array: the library does that.
            return (1, UNTIL_BREAK) if value == UNTIL_BREAK else (size + value, 0)
        self._see_container(major, value, wanted)
        if major == _TAG:
            self._see_tag(value, offset + size)
            return size, 1
        return size, 2 * value if major == _MAP and value != UNTIL_BREAK else value

    def _see_string(self, length: int, offset: int) -> None:
        if offset == self._bignum_at and not 0 <= length <= _MAX_BIGNUM_SIZE:
            self._refuse(f"A bignum is longer than {_MAX_BIGNUM_SIZE} bytes, or comes in pieces")
        if length == UNTIL_BREAK:
            self._levels[len(self._outer) + 1] = _ITEMS

    def _see_container(self, major: int, value: int, wanted: int) -> None:
        depth = len(self._outer)
        level = self._levels.get(depth, _ITEMS)
        # Entries are counted down, to zero from an even number or from UNTIL_BREAK.
        if level == _MEMBERS or (level == _ENTRIES and (wanted > 0) == (wanted % 2 == 0)):
            self._complex_keys += 1
            if self._complex_keys > _MAX_COMPLEX_KEYS:
                self._refuse(
                    f"More than {_MAX_COMPLEX_KEYS} keys of maps or members of sets are arrays, maps or tagged"
                )
        if major == _MAP:
            inside = _ENTRIES
        elif major == _ARRAY:
            inside = _MEMBERS if level == _TAGGED_AS_SET else _ITEMS
        else:
            inside = _TAGGED_AS_SET if value == _SET_TAG else _ITEMS
        self._levels[depth + 1] = inside

    def _see_tag(self, tag: int, offset_of_content: int) -> None:
        if tag in self._refused_tags:
            self._refuse(f"CBOR tag {tag} is refused: {self._refused_tags[tag]}")
        if tag in _BIGNUM_TAGS:
            self._bignum_at = offset_of_content

    def _refuse(self, message: str) -> None:
        self._refusal = self._refusal or message

    def _finish(self, buffer: bytes | bytearray, end: int, stop: int) -> None:
        refusal = self._refusal
        super()._finish(buffer, end, stop)
        if refusal is not None:
            raise IncrementalDeserializeError(refusal, bytes(memoryview(buffer)[end:stop]))

    def _reset(self) -> None:
        super()._reset()
        self._refusal = None
        self._bignum_at = None
        self._complex_keys = 0
