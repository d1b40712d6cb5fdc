# SPDX-License-Identifier: Apache-2.0
"""Finds the end of JSON documents that follow each other without separator.

Regular expressions pass over everything but brackets and the ends of unfinished strings, at C
speed. Whether a document is valid is not asked: brackets are counted, not matched, so that every
document that closes has an end.
"""

from __future__ import annotations

import re

from easynetwork.exceptions import LimitOverrunError

from ._validation import check_positive_int
from .framing import Framer

__all__ = ("JSONFramer",)

_WHITE_SPACE = re.compile(rb"[ \t\n\r]")
_PADDING = re.compile(rb"[ \t\n\r]*+")
_OPENING = re.compile(rb"[\[{]++")
_CLOSING = re.compile(rb"[\]}]++")
# The rest of a string, up to its quote. It stops before a backslash whose partner has not come.
_IN_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
# Everything up to a bracket or an unfinished string, whole strings included.
_BETWEEN_BRACKETS = re.compile(rb'(?:[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL)

_QUOTE = ord('"')
_OPENING_BRACKETS = b"[{"


class JSONFramer(Framer):
    """Objects, arrays and strings end with their bracket or quote, other values with a white space,
    which does not count.

    Args:
        limit: The greatest length of a document in bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = check_positive_int("limit", limit)
        self._reset()

    def _reset(self) -> None:
        # Offsets count from the beginning of the frame.
        self._document: int | None = None
        self._scanned = 0
        self._is_bare = False
        self._trailing = 0  # bytes of the frame that do not count
        self._in_string = False
        self._depth = 0

    def find_end(self, buffer: bytes | bytearray, start: int, stop: int) -> int:
        if self._document is None and not self._begin(buffer, start, stop):
            return -1
        assert self._document is not None
        position = start + self._scanned
        end = self._scan_bare(buffer, position, stop) if self._is_bare else self._scan(buffer, position, stop)
        counted = stop if end < 0 else end - self._trailing
        if counted - start - self._document > self._limit:
            self._reset()
            raise LimitOverrunError(f"The document is longer than the limit of {self._limit} bytes", b"", 0)
        if end < 0:
            self._scanned -= start
        else:
            self._reset()
        return end

    def skip_padding(self, buffer: bytes | bytearray, start: int, stop: int) -> int:
        if self._document is None:
            return stop
        padding, self._document = self._document, 0
        self._scanned -= padding
        return start + padding

    def _begin(self, buffer: bytes | bytearray, start: int, stop: int) -> bool:
        position = _end_of_match(_PADDING, buffer, start, stop)
        if position == stop:
            return False
        self._document = position - start
        first = buffer[position]
        if first == _QUOTE:
            self._in_string = True
            position += 1
        elif first not in _OPENING_BRACKETS:
            self._is_bare = True
            self._trailing = 1
        self._scanned = position - start
        return True

    # Both scans return -1 for "not yet" and leave in `_scanned` the index where to go on.

    def _scan_bare(self, buffer: bytes | bytearray, position: int, stop: int) -> int:
        match = _WHITE_SPACE.search(buffer, position, stop)
        self._scanned = stop
        return -1 if match is None else match.end()

    def _scan(self, buffer: bytes | bytearray, position: int, stop: int) -> int:
        while True:
            skipped = _IN_STRING if self._in_string else _BETWEEN_BRACKETS
            position = _end_of_match(skipped, buffer, position, stop)
            if position == stop:
                break
            if buffer[position] == _QUOTE:
                position += 1
                self._in_string = not self._in_string
                if not self._in_string and not self._depth:
                    return position
            elif self._in_string:  # a lonely backslash
                break
            elif buffer[position] in _OPENING_BRACKETS:
                end = _end_of_match(_OPENING, buffer, position, stop)
                self._depth += end - position
                position = end
            else:
                end = _end_of_match(_CLOSING, buffer, position, stop)
                if end - position >= self._depth:
                    return position + self._depth
                self._depth -= end - position
                position = end
        self._scanned = position
        return -1


def _end_of_match(pattern: re.Pattern[bytes], buffer: bytes | bytearray, start: int, stop: int) -> int:
    match = pattern.match(buffer, start, stop)
    assert match is not None  # the patterns match the empty string, or are asked where their first byte stands
    return match.end()
