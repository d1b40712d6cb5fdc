# SPDX-License-Identifier: Apache-2.0
"""What the server remembers: strings and lists under keys, until they expire or its memory is
full.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import islice
from typing import Final

from resp import RespError

# Bytes that Python needs beside what is in a key and in an item of a list; measured, rounded up.
KEY_OVERHEAD: Final = 400
LIST_OVERHEAD: Final = 700
ITEM_OVERHEAD: Final = 60

SWEPT_KEYS: Final = 100
"""That are looked at when there is no place: to look at all would stop everybody for long."""

_LARGEST: Final = 2**63 - 1
_SMALLEST: Final = -(2**63)

Value = bytes | deque[bytes]


@dataclass
class _Entry:
    value: Value
    size: int
    expires: float = math.inf


class Store:
    """Values under keys.

    Args:
        max_bytes: of all keys and values together, with what Python needs for them.
        clock: gives seconds.
    """

    def __init__(self, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        self._entries: dict[bytes, _Entry] = {}
        self._mortal: OrderedDict[bytes, None] = OrderedDict()
        """The keys that will expire. Those that have not been looked at for long come first."""

        self._used = 0

    # strings

    def get(self, key: bytes) -> bytes | None:
        entry = self._find(key)
        if entry is None:
            return None
        if not isinstance(entry.value, bytes):
            raise _wrong_type()
        return entry.value

    def set(self, key: bytes, value: bytes, seconds: int | None = None) -> None:
        """Stores a string, whatever was there before, for some seconds or for ever.

        Raises:
            RespError: there is no place.
        """
        before = self._find(key)
        size = len(key) + KEY_OVERHEAD + len(value)
        self._grow(key, size - (before.size if before else 0))
        self._entries[key] = entry = _Entry(value, size)
        self._mortal.pop(key, None)
        if seconds is not None:
            self._let_expire(key, entry, seconds)

    def increment(self, key: bytes, by: int = 1) -> int:
        """Adds to the number under a key, and returns the sum.

        Raises:
            RespError: there is a value of another kind, or the sum has more than 64 bits.
        """
        number = integer(self.get(key) or b"0") + by
        if not _SMALLEST <= number <= _LARGEST:
            raise RespError("ERR increment or decrement would overflow")
        entry = self._find(key)
        value = b"%d" % number
        if entry is None:
            self.set(key, value)
        else:  # it keeps its time
            growth = len(value) - len(entry.value)
            self._grow(key, growth)
            entry.value, entry.size = value, entry.size + growth
        return number

    # lists

    def push(self, key: bytes, items: Collection[bytes]) -> int:
        """Puts items at the head of a list, one after the other, and returns its length."""
        entry = self._find(key) or _Entry(deque(), 0)
        values = _list_in(entry)
        size = sum(len(item) + ITEM_OVERHEAD for item in items)
        if not entry.size:
            size += len(key) + KEY_OVERHEAD + LIST_OVERHEAD
        self._grow(key, size)
        values.extendleft(items)
        entry.size += size
        self._entries[key] = entry
        return len(values)

    def pop(self, key: bytes) -> bytes | None:
        """Takes the head of a list. A list without items is none."""
        entry = self._find(key)
        if entry is None:
            return None
        values = _list_in(entry)
        item = values.popleft()
        size = len(item) + ITEM_OVERHEAD
        entry.size -= size
        self._used -= size
        if not values:
            self.delete(key)
        return item

    # keys

    def exists(self, key: bytes) -> bool:
        return self._find(key) is not None

    def delete(self, key: bytes) -> bool:
        entry = self._find(key)
        if entry is not None:
            self._remove(key, entry)
        return entry is not None

    def expire(self, key: bytes, seconds: int) -> bool:
        """Gives a key some seconds to live. Zero or less is the end of it."""
        entry = self._find(key)
        if entry is not None:
            self._let_expire(key, entry, seconds)
        return entry is not None

    def remaining(self, key: bytes) -> float | None:
        """The seconds that a key has; infinity without an end, None without a key."""
        entry = self._find(key)
        return None if entry is None else entry.expires - self._clock()

    def _let_expire(self, key: bytes, entry: _Entry, seconds: int) -> None:
        entry.expires = self._clock() + seconds
        self._mortal[key] = None

    def _find(self, key: bytes) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is not None and entry.expires <= self._clock():
            self._remove(key, entry)
            return None
        return entry

    def _remove(self, key: bytes, entry: _Entry) -> None:
        del self._entries[key]
        self._mortal.pop(key, None)
        self._used -= entry.size

    def _grow(self, key: bytes, size: int) -> None:
        if size > 0 and self._used + size > self._max_bytes:
            self._sweep(key)
            if self._used + size > self._max_bytes:
                raise RespError("OOM command not allowed when used memory > 'maxmemory'.")
        self._used += size

    def _sweep(self, spared: bytes) -> None:
        # What has expired and nobody asks for is thrown away only now. The key that is to grow has
        # been looked at already.
        now = self._clock()
        for key in list(islice(self._mortal, SWEPT_KEYS)):
            self._mortal.move_to_end(key)
            entry = self._entries[key]
            if entry.expires <= now and key != spared:
                self._remove(key, entry)


def integer(text: bytes) -> int:
    """Reads a number of 64 bits.

    Raises:
        RespError: it is none.
    """
    # Length first: long numbers take long to read.
    if len(text) <= 20 and text.removeprefix(b"-").isdigit():
        number = int(text)
        if _SMALLEST <= number <= _LARGEST:
            return number
    raise RespError("ERR value is not an integer or out of range")


def _list_in(entry: _Entry) -> deque[bytes]:
    if not isinstance(entry.value, deque):
        raise _wrong_type()
    return entry.value


def _wrong_type() -> RespError:
    return RespError("WRONGTYPE Operation against a key holding the wrong kind of value")
