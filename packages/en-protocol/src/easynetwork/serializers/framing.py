# SPDX-License-Identifier: Apache-2.0
"""Frames: serializers that can tell where a packet ends before they read it.

A `Framer` finds the end of the next frame in a buffer that grows; the serializer then reads the
frame in one shot. From these two halves `FramedPacketSerializer` derives the generators of the
incremental interfaces, and the receivers of `easynetwork.protocol.receivers` use the halves
directly: the generators must hand back the bytes after each packet, which copies the rest of a
chunk once for each packet in it, while a framer only moves an index. Both ways give the same
packets and the same errors.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from typing import TypeVar

from easynetwork.exceptions import DeserializeError, IncrementalDeserializeError, LimitOverrunError

from ._plain import PlainBufferSerializer
from ._validation import check_positive_int, check_separator

__all__ = ("FixedSizeFramer", "FramedPacketSerializer", "Framer", "SeparatorFramer")

_SentT_contra = TypeVar("_SentT_contra", contravariant=True)
_ReceivedT_co = TypeVar("_ReceivedT_co", covariant=True)


class Framer(ABC):
    """Finds the end of one frame after the other.

    It remembers how far it has looked, relative to `start`, so that no byte is looked at twice
    however the frame is cut into chunks. Once it has found an end or raised an error, it is ready
    for the next frame.
    """

    trailer: int = 0
    """How many bytes after the end of each frame belong to nobody (a separator)."""

    @abstractmethod
    def find_end(self, buffer: bytes | bytearray, start: int, stop: int) -> int:
        """Return the index of the end of the frame that begins at `start`, or -1 if it is not there
        yet.

        Only the bytes before `stop` count. A caller that got -1 asks again for the same frame, with
        more bytes.

        Raises:
            IncrementalDeserializeError: The frame is bad. The ``remaining_data`` are those of the
                bytes before `stop` that do not belong to it: after a `FrameBoundaryLostError` none,
                because its end will never be found.
        """

    def skip_padding(self, buffer: bytes | bytearray, start: int, stop: int) -> int:
        """After -1: the index of the first byte worth keeping.

        What is before it stands between two frames.
        """
        return start


class SeparatorFramer(Framer):
    """Frames end with a separator.

    Args:
        separator: What ends a frame.
        limit: The greatest length of a frame in bytes, without its separator.
        keep_end: Whether the separator is a part of the frame that is handed on.
    """

    def __init__(self, separator: bytes, limit: int, *, keep_end: bool = False) -> None:
        self._separator = check_separator(separator)
        self._limit = check_positive_int("limit", limit)
        self._kept = len(separator) if keep_end else 0
        self._scanned = 0
        self.trailer = len(separator) - self._kept

    def find_end(self, buffer: bytes | bytearray, start: int, stop: int) -> int:
        first = start + self._scanned
        # Without bounds the search is cheaper to call; what it may find behind `stop` does not
        # count.
        end = buffer.find(self._separator, first) if first else buffer.find(self._separator)
        if 0 <= end <= stop - len(self._separator):
            self._scanned = 0
            if end - start > self._limit:
                raise self._overrun(buffer, start, stop, end)
            return end + self._kept
        # A separator may have begun in the last bytes.
        scanned = stop - start - len(self._separator) + 1
        if scanned > self._limit:
            self._scanned = 0
            raise self._overrun(buffer, start, stop, start + scanned)
        self._scanned = max(scanned, 0)
        return -1

    def _overrun(self, buffer: bytes | bytearray, start: int, stop: int, end: int) -> LimitOverrunError:
        message = f"The frame is longer than the limit of {self._limit} bytes"
        return LimitOverrunError(message, memoryview(buffer)[start:stop], end - start, self._separator)


class FixedSizeFramer(Framer):
    """Every frame has the same length.

    Args:
        size: That length in bytes.
    """

    def __init__(self, size: int) -> None:
        self._size = check_positive_int("size", size)

    def find_end(self, buffer: bytes | bytearray, start: int, stop: int) -> int:
        end = start + self._size
        return end if end <= stop else -1


class FramedPacketSerializer(PlainBufferSerializer[_SentT_contra, _ReceivedT_co]):
    """A serializer whose frames a `Framer` can find.

    Receivers and encoders bypass the generators below as long as no subclass overrides them.
    """

    @abstractmethod
    def create_framer(self) -> Framer:
        """Make a framer at the beginning of a stream."""

    def serialize_frame(self, packet: _SentT_contra, /) -> bytes:
        """Give a packet with whatever marks its end in a stream.

        The same as `serialize` unless overridden.
        """
        return self.serialize(packet)

    def deserialize_frame(self, data: bytes, /) -> _ReceivedT_co:
        """Read a frame that the framer has cut out. The same as `deserialize` unless overridden.

        Raises:
            DeserializeError: The frame is bad; the next one may be good.
        """
        return self.deserialize(data)

    @abstractmethod
    def serialize(self, packet: _SentT_contra, /) -> bytes:
        raise NotImplementedError

    @abstractmethod
    def deserialize(self, data: bytes, /) -> _ReceivedT_co:
        raise NotImplementedError

    def incremental_serialize(self, packet: _SentT_contra, /) -> Generator[bytes, None, None]:
        yield self.serialize_frame(packet)

    def incremental_deserialize(self) -> Generator[None, bytes, tuple[_ReceivedT_co, bytes]]:
        framer = self.create_framer()
        buffer: bytes | bytearray = yield
        while (end := framer.find_end(buffer, 0, len(buffer))) < 0:
            if not isinstance(buffer, bytearray):
                buffer = bytearray(buffer)
            del buffer[: framer.skip_padding(buffer, 0, len(buffer))]
            buffer += yield
        remaining = bytes(memoryview(buffer)[end + framer.trailer :])
        try:
            return self.deserialize_frame(bytes(memoryview(buffer)[:end])), remaining
        except DeserializeError as exc:
            raise frame_error(exc, remaining)  # noqa: B904 - it brings its own cause


def frame_error(error: DeserializeError, remaining_data: bytes) -> IncrementalDeserializeError:
    """Say of one frame in a stream what one-shot reading has said."""
    incremental = IncrementalDeserializeError(str(error), remaining_data, error.error_info)
    incremental.__cause__ = error.__cause__
    return incremental
