# SPDX-License-Identifier: Apache-2.0
"""The fast way: frames are found by a `Framer` in a buffer, and read one by one.

A frame costs two calls, whatever is in the buffer behind it: packets already read are passed over
by moving an index, and bytes are moved only when new ones come and an unfinished frame is held.
"""

from __future__ import annotations

from typing import Any, TypeVar

from easynetwork.converter import AbstractPacketConverterComposite
from easynetwork.exceptions import (
    DeserializeError,
    IncrementalDeserializeError,
    PacketConversionError,
    StreamProtocolParseError,
)
from easynetwork.serializers.framing import FramedPacketSerializer, frame_error

from .._base import inherits
from ._abc import NEED_DATA, NeedData, StreamReceiver
from ._recovery import find_end_of_overlong_frame, is_boundary_lost, separator_to_find, take_remaining_data

__all__ = ("FramedReceiver",)

_T_co = TypeVar("_T_co", covariant=True)


class FramedReceiver(StreamReceiver[_T_co]):
    """Holds the bytes between `_start` and `_stop` of `_buffer`.

    That is the transport's own chunk, until an unfinished frame has to be put together.

    Args:
        serializer: finds and reads the frames.
        converter: makes packets of what is in them.
        crash_message: what to say when one of the two raises what it may not.
    """

    def __init__(
        self,
        serializer: FramedPacketSerializer[Any, Any],
        converter: AbstractPacketConverterComposite[Any, _T_co, Any, Any] | None,
        crash_message: str,
    ) -> None:
        self._framer = serializer.create_framer()
        self._find_end = self._framer.find_end
        self._trailer = self._framer.trailer
        self._deserialize = serializer.deserialize_frame
        if inherits(serializer, FramedPacketSerializer, "deserialize_frame"):
            self._deserialize = serializer.deserialize  # the same, one call less for each packet
        self._converter = converter
        self._crash_message = crash_message
        self._buffer: bytes | bytearray = b""
        self._start = self._stop = 0
        self.drained = True
        self._separator_to_find: bytes | None = None

    def feed(self, data: bytes) -> None:
        if self.ended:
            return
        self.drained = False
        if self._start >= self._stop:
            self._buffer, self._start, self._stop = data, 0, len(data)
            return
        self._shrink()
        if not isinstance(self._buffer, bytearray):
            self._buffer = bytearray(self._buffer)
        self._buffer += data
        self._stop = len(self._buffer)

    def next_packet(self) -> _T_co | NeedData:
        return self.receive(b"")

    def receive(self, data: bytes) -> _T_co | NeedData:
        buffer: bytes | bytearray
        if self.drained:
            # Mostly the data is one whole frame, and is not even held.
            buffer, start, stop = data, 0, len(data)
        else:
            if data:
                self.feed(data)
            if self._separator_to_find is not None and not self._finish_overlong_frame(self._separator_to_find):
                return NEED_DATA
            buffer, start, stop = self._buffer, self._start, self._stop
        if start >= stop:
            self._shrink()
            return NEED_DATA
        try:
            end = self._find_end(buffer, start, stop)
        except IncrementalDeserializeError as exc:
            self._hold(buffer, start, stop)
            raise self._bad_framing(exc) from exc
        except Exception as exc:
            raise self._crashed() from exc
        if end < 0:
            self._hold(buffer, start, stop)
            return self._need_data()
        frame = buffer[start:end]
        start = end + self._trailer
        if start < stop and self.drained:
            self._hold(buffer, start, stop)
        elif start < stop:
            self._start = start  # all else is as it was
        elif not self.drained:
            self._start = self._stop
            self._shrink()
        try:
            packet: Any = self._deserialize(frame if type(frame) is bytes else bytes(frame))
        except DeserializeError as exc:
            error = frame_error(exc, b"")
            raise StreamProtocolParseError(b"", error) from error
        except Exception as exc:
            raise self._crashed() from exc
        if self._converter is not None:
            packet = self._convert(self._converter, packet)
        return packet  # type: ignore[no-any-return]  # the serializer's packets are the protocol's where nothing converts them

    def _hold(self, buffer: bytes | bytearray, start: int, stop: int) -> None:
        self._buffer, self._start, self._stop = buffer, start, stop
        self.drained = False

    @property
    def has_partial_frame(self) -> bool:
        return self._start < self._stop or self._separator_to_find is not None

    @property
    def unread(self) -> int:
        return self._stop - self._framer.skip_padding(self._buffer, self._start, self._stop)

    def _shrink(self) -> None:
        """Move what is held to the beginning of the buffer, and let go of memory that it does not
        need.
        """
        if self._start >= self._stop:
            self.drained = self._separator_to_find is None and not self.ended
            self._buffer = b""
            self._start = self._stop = 0
        elif self._start > 0:
            self._buffer = self._buffer[self._start : self._stop]
            self._start, self._stop = 0, len(self._buffer)

    def _need_data(self) -> NeedData:
        self._start = self._framer.skip_padding(self._buffer, self._start, self._stop)
        self._shrink()
        return NEED_DATA

    def _finish_overlong_frame(self, separator: bytes) -> bool:
        found, self._start = find_end_of_overlong_frame(separator, self._buffer, self._start, self._stop)
        if found:
            self._separator_to_find = None
        else:
            self._shrink()
        return found

    def _bad_framing(self, error: IncrementalDeserializeError) -> StreamProtocolParseError:
        parse_error = StreamProtocolParseError(error.remaining_data, error)
        self._start = self._stop - len(take_remaining_data(parse_error))
        self._separator_to_find = separator_to_find(error)
        if is_boundary_lost(error):
            self._end()
        return parse_error

    def _convert(self, converter: AbstractPacketConverterComposite[Any, _T_co, Any, Any], packet: Any) -> _T_co:
        try:
            return converter.create_from_dto_packet(packet)
        except PacketConversionError as exc:
            raise StreamProtocolParseError(b"", exc) from exc
        except Exception as exc:
            raise self._crashed() from exc

    def _crashed(self) -> RuntimeError:
        self._end()
        return RuntimeError(self._crash_message)

    def _end(self) -> None:
        self.ended = True
        self._separator_to_find = None
        self._start = self._stop
        self._shrink()
