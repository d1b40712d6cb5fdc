# SPDX-License-Identifier: Apache-2.0
"""How reading goes on after a bad frame."""

from __future__ import annotations

from easynetwork.exceptions import (
    FrameBoundaryLostError,
    IncrementalDeserializeError,
    LimitOverrunError,
    StreamProtocolParseError,
)

__all__ = ("find_end_of_overlong_frame", "is_boundary_lost", "separator_to_find", "take_remaining_data")


def is_boundary_lost(error: Exception) -> bool:
    """Tell whether nobody can say where the next frame starts."""
    if isinstance(error, LimitOverrunError):
        return not error.separator
    return isinstance(error, FrameBoundaryLostError)


def separator_to_find(error: Exception) -> bytes | None:
    """Return the separator up to which everything belongs to the bad frame, if it has not come
    yet.
    """
    if isinstance(error, LimitOverrunError) and not error.separator_found:
        return error.separator
    return None


def take_remaining_data(error: StreamProtocolParseError) -> bytes:
    """Take the bytes after the bad frame out of the error.

    Handlers may log or keep the error, which must not hold, or show, up to a whole buffer of other
    packets.
    """
    remaining, error.remaining_data = error.remaining_data, b""
    if isinstance(error.error, IncrementalDeserializeError):
        error.error.remaining_data = b""
    return remaining


def find_end_of_overlong_frame(separator: bytes, buffer: bytes | bytearray, start: int, stop: int) -> tuple[bool, int]:
    """Return whether the separator has come, and the index of the first byte that must be kept."""
    index = buffer.find(separator, start, stop)
    if index >= 0:
        return True, index + len(separator)
    # The last bytes may be the beginning of the separator.
    return False, max(start, stop - len(separator) + 1)
