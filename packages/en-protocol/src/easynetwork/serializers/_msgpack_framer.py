# SPDX-License-Identifier: Apache-2.0
"""Finds the end of MessagePack values."""

from __future__ import annotations

from ._item_framer import ItemFramer

__all__ = ("MessagePackFramer",)

_NEVER_USED = 0xC1

# Formats by their first byte, from the specification's table.
_FIXED_SIZES = {
    **dict.fromkeys((0xC0, 0xC2, 0xC3), 1),  # nil, false, true
    **{0xCA: 5, 0xCB: 9},  # float
    **{0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9},  # uint
    **{0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9},  # int
    **{0xD4: 3, 0xD5: 4, 0xD6: 6, 0xD7: 10, 0xD8: 18},  # fixext
}
# Width of the length, and the bytes of the head behind it (the type of an ext).
_WITH_PAYLOAD = {
    **{0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0)},  # bin
    **{0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1)},  # ext
    **{0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0)},  # str
}
# Width of the length, and how many values each element is.
_CONTAINERS = {
    **{0xDC: (2, 1), 0xDD: (4, 1)},  # array
    **{0xDE: (2, 2), 0xDF: (4, 2)},  # map
}


def _whole_size(first_byte: int) -> int:
    if first_byte <= 0x7F or first_byte >= 0xE0:  # fixint
        return 1
    if 0xA0 <= first_byte <= 0xBF:  # fixstr
        return 1 + (first_byte & 0x1F)
    return _FIXED_SIZES.get(first_byte, 0)


class MessagePackFramer(ItemFramer):
    """A frame is one value.

    Args:
        limit: The greatest length of a value in bytes.
    """

    _whole_sizes = tuple(_whole_size(first_byte) for first_byte in range(256))

    def _read_head(self, buffer: bytes | bytearray, position: int, stop: int, wanted: int) -> tuple[int, int]:
        first = buffer[position]
        if first <= 0x8F:  # fixmap
            return 1, 2 * (first & 0x0F)
        if first <= 0x9F:  # fixarray
            return 1, first & 0x0F
        if first == _NEVER_USED:
            raise self._lost("A value begins with a byte that no format has")
        if first in _CONTAINERS:
            width, factor = _CONTAINERS[first]
            length = self._read_length(buffer, position, stop, width)
            return (0, 0) if length is None else (1 + width, length * factor)
        width, extra = _WITH_PAYLOAD[first]
        length = self._read_length(buffer, position, stop, width)
        return (0, 0) if length is None else (1 + width + extra + length, 0)

    @staticmethod
    def _read_length(buffer: bytes | bytearray, position: int, stop: int, width: int) -> int | None:
        if position + 1 + width > stop:
            return None
        return int.from_bytes(buffer[position + 1 : position + 1 + width], "big")
