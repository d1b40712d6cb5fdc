# SPDX-License-Identifier: Apache-2.0
"""Finds the end of data items that announce what they hold: the common part of CBOR and
MessagePack.

An item is a head, perhaps with a payload of known length, perhaps followed by a known number of
items. So the end is found without reading values, with one stack of counters. That is done in
Python, but only once for each item, and the library reads a frame only once, whatever chunks it
came in.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Final

from easynetwork.exceptions import FrameBoundaryLostError, LimitOverrunError

from ._validation import check_positive_int
from .framing import Framer

__all__ = ("BREAK", "UNTIL_BREAK", "ItemFramer")

MAX_DEPTH = 256
"""How deep containers may be nested. The libraries have bounds of the same order."""

UNTIL_BREAK: Final = -1
"""The number of items in a container that ends with a break."""

BREAK: Final = -2
"""Instead of a number of items: the innermost container ends here."""


class ItemFramer(Framer):
    """A frame is one data item.

    Args:
        limit: The greatest length of an item in bytes.
    """

    _whole_sizes: tuple[int, ...]
    """By the first byte of an item: its length if that is known and the item holds no others,
    else 0."""

    def __init__(self, limit: int) -> None:
        self._limit = check_positive_int("limit", limit)
        self._start = 0  # index of the frame in the buffer of the current call
        self._scanned = 0  # counts from the beginning of the frame, and may lie beyond the data: inside a payload
        self._wanted = 1  # items of the innermost open container that are yet to come; negative until a break
        self._outer: list[int] = []  # the same of the containers around it

    @abstractmethod
    def _read_head(self, buffer: bytes | bytearray, position: int, stop: int, wanted: int) -> tuple[int, int]:
        """Return the length of a head and its payload (0 if the head is incomplete), and how many
        items follow.

        It is asked only for heads that are not in `_whole_sizes`. `wanted` counts this item too.

        Raises:
            FrameBoundaryLostError: There is no such head.
        """

    def find_end(self, buffer: bytes | bytearray, start: int, stop: int) -> int:
        self._start = start
        whole_sizes, bound = self._whole_sizes, start + self._limit
        position, wanted = start + self._scanned, self._wanted
        while wanted and position < stop:
            size = whole_sizes[buffer[position]]
            if size:
                position += size
                wanted -= 1
            else:
                size, items = self._read_head(buffer, position, stop, wanted)
                if not size:
                    break
                position += size
                wanted = self._enter(wanted - 1, items) if items != BREAK else self._leave(wanted)
                # Every item has at least one byte.
                if wanted > bound - position:
                    raise self._overrun()
            while not wanted and self._outer:
                wanted = self._outer.pop()
            if position > bound:
                raise self._overrun()
        if wanted or position > stop:
            self._scanned, self._wanted = position - start, wanted
            return -1
        self._finish(buffer, position, stop)
        return position

    def _finish(self, buffer: bytes | bytearray, end: int, stop: int) -> None:
        """The end of a frame has been found: forget it.

        Raises:
            IncrementalDeserializeError: The frame is to be refused.
        """
        self._reset()

    def _enter(self, wanted: int, items: int) -> int:
        if not items:
            return wanted
        if len(self._outer) == MAX_DEPTH:
            raise self._lost(f"The data is nested deeper than {MAX_DEPTH} levels")
        self._outer.append(wanted)
        return items

    def _leave(self, wanted: int) -> int:
        if wanted >= 0:
            raise self._lost("A container that announces its length ends with a break")
        return self._outer.pop()

    def _reset(self) -> None:
        self._scanned = 0
        self._wanted = 1
        self._outer.clear()

    def _overrun(self) -> LimitOverrunError:
        self._reset()
        return LimitOverrunError(f"The data is longer than the limit of {self._limit} bytes", b"", 0)

    def _lost(self, message: str) -> FrameBoundaryLostError:
        self._reset()
        return FrameBoundaryLostError(message)
