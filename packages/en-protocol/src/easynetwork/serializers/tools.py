# SPDX-License-Identifier: Apache-2.0
"""Help for writing `incremental_deserialize` by hand."""

from __future__ import annotations

from collections.abc import Generator

from easynetwork.exceptions import LimitOverrunError

from ._validation import check_positive_int, check_separator

__all__ = ("GeneratorStreamReader",)


class GeneratorStreamReader:
    """Reads a stream inside a generator, with ``yield from``, as one would read a file.

        def incremental_deserialize(self):
            reader = GeneratorStreamReader()
            header = yield from reader.read_exactly(4)
            body = yield from reader.read_exactly(int.from_bytes(header))
            return body, reader.read_all()

    Each ``yield None`` of the generators asks for a chunk.

    Args:
        initial_bytes: The beginning of the stream, if some of it has been read already.
    """

    def __init__(self, initial_bytes: bytes = b"") -> None:
        self._buffer = bytearray(initial_bytes)

    def read_all(self) -> bytes:
        """Take what has come and has not been read. Never asks for more."""
        return self._take(len(self._buffer))

    def read(self, size: int) -> Generator[None, bytes, bytes]:
        """Read at least one byte and at most `size`; nothing if `size` is 0."""
        self._check_size("size", size)
        if size and not self._buffer:
            self._buffer += yield
        return self._take(min(size, len(self._buffer)))

    def read_exactly(self, n: int) -> Generator[None, bytes, bytes]:
        """Read `n` bytes.

        The caller bounds `n`: a peer must not choose how much memory it costs.
        """
        self._check_size("n", n)
        while len(self._buffer) < n:
            self._buffer += yield
        return self._take(n)

    def read_until(self, separator: bytes, limit: int, *, keep_end: bool = True) -> Generator[None, bytes, bytes]:
        """Read up to and with the separator.

        Args:
            separator: What to look for.
            limit: The greatest number of bytes before the separator.
            keep_end: Whether the separator is a part of the result.

        Raises:
            LimitOverrunError: There are more than `limit` bytes before the separator. The reader
                has given up all of its bytes; those after the separator, if it has come, are in
                ``remaining_data``.
        """
        check_separator(separator)
        check_positive_int("limit", limit)
        scanned = 0
        while (end := self._buffer.find(separator, scanned)) < 0:
            scanned = max(0, len(self._buffer) - len(separator) + 1)
            if scanned > limit:
                raise self._overrun(separator, limit, scanned)
            self._buffer += yield
        if end > limit:
            raise self._overrun(separator, limit, end)
        line = self._take(end + len(separator))
        return line if keep_end else line[:end]

    def _take(self, size: int) -> bytes:
        data = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
        return data

    def _overrun(self, separator: bytes, limit: int, consumed: int) -> LimitOverrunError:
        message = f"No separator within the limit of {limit} bytes"
        return LimitOverrunError(message, self.read_all(), consumed, separator)

    @staticmethod
    def _check_size(name: str, size: int) -> None:
        if size < 0:
            raise ValueError(f"{name}: expected a number that is not negative, got {size!r}")
