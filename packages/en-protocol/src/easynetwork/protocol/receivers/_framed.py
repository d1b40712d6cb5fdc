# SPDX-License-Identifier: Apache-2.0
"""The fast way: frames are found by a `Framer` in a buffer, and read one by one.

A frame costs two calls, whatever is in the buffer behind it: packets already read are passed over by moving an index, and
bytes are moved only when new ones come and an unfinished frame is held.
"""

from __future__ import annotations

from abc import abstractmethod
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
from ._abc import NEED_DATA, SMALL_BUFFER, BufferReceiver, NeedData, StreamReceiver, check_written
from ._recovery import find_end_of_overlong_frame, is_boundary_lost, separator_to_find, take_remaining_data

__all__ = ("FramedBuffer", "FramedChunks")

_T_co = TypeVar("_T_co", covariant=True)


class _FramedReceiver(StreamReceiver[_T_co]):
    """Holds the bytes between `_start` and `_stop` of `_buffer`."""

    _crash_message: str

    _worth_keeping = -1
    """A buffer with no more bytes than this stays when it is empty; letting it go costs a call for each packet."""

    def __init__(
        self,
        serializer: FramedPacketSerializer[Any, Any],
        converter: AbstractPacketConverterComposite[Any, _T_co, Any, Any] | None,
    ) -> None:
        self._framer = serializer.create_framer()
        self._find_end = self._framer.find_end
        self._trailer = self._framer.trailer
        self._deserialize = serializer.deserialize_frame
        if inherits(serializer, FramedPacketSerializer, "deserialize_frame"):
            self._deserialize = serializer.deserialize  # the same, one call less for each packet
        self._converter = converter
        self._buffer: bytes | bytearray = b""
        self._start = self._stop = 0
        self._separator_to_find: bytes | None = None

    def next_packet(self) -> _T_co | NeedData:
        if self._separator_to_find is not None and not self._finish_overlong_frame(self._separator_to_find):
            return NEED_DATA
        buffer, start, stop = self._buffer, self._start, self._stop
        if start >= stop:
            self._shrink()
            return NEED_DATA
        try:
            end = self._find_end(buffer, start, stop)
        except IncrementalDeserializeError as exc:
            raise self._bad_framing(exc) from exc
        except Exception as exc:
            raise self._crashed() from exc
        if end < 0:
            return self._need_data()
        frame = buffer[start:end]
        self._start = start = end + self._trailer
        if start >= stop:
            if stop > self._worth_keeping:
                self._shrink()
            else:
                self.drained = True
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

    @property
    def has_partial_frame(self) -> bool:
        return self._start < self._stop or self._separator_to_find is not None

    @property
    def unread(self) -> int:
        return self._stop - self._framer.skip_padding(self._buffer, self._start, self._stop)

    @abstractmethod
    def _shrink(self) -> None:
        """Move what is held to the beginning of the buffer, and let go of memory that it does not need."""

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


class FramedChunks(_FramedReceiver[_T_co]):
    """Keeps the transport's own chunk as its buffer until an unfinished frame has to be put together."""

    _crash_message = "protocol.build_packet_from_chunks() crashed"
    _worth_keeping = SMALL_BUFFER

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

    def _shrink(self) -> None:
        if self._start >= self._stop:
            self.drained = self._separator_to_find is None and not self.ended
            self._buffer = b""
            self._start = self._stop = 0
        elif self._start > 0:
            self._buffer = self._buffer[self._start : self._stop]
            self._start, self._stop = 0, len(self._buffer)


class FramedBuffer(_FramedReceiver[_T_co], BufferReceiver[_T_co]):
    """Lets the transport write behind what is held. The buffer never changes its size: views of it may be around."""

    _crash_message = "protocol.build_packet_from_buffer() crashed"

    def __init__(
        self,
        serializer: FramedPacketSerializer[Any, Any],
        converter: AbstractPacketConverterComposite[Any, _T_co, Any, Any] | None,
        sizehint: int,
    ) -> None:
        super().__init__(serializer, converter)
        self._sizehint = sizehint
        self._storage = self._buffer = bytearray()  # the same, and known to be writable

    def get_buffer(self) -> memoryview:
        if self._stop == len(self._storage):
            # Twice as much each time, but never more than the frame can need.
            held = self._stop - self._start
            self._replace(max(self._sizehint, held + 1, min(2 * held, self._framer.max_size)))
        return memoryview(self._storage)[self._stop :]

    def buffer_updated(self, nbytes: int) -> None:
        check_written(nbytes, len(self._storage) - self._stop)
        if not self.ended:
            self._stop += nbytes

    def feed(self, data: bytes) -> None:
        if self.ended:
            return
        if len(data) > len(self._storage) - self._stop:
            self._replace(self._stop - self._start + max(self._sizehint, len(data)))
        # Through views, because a bytearray would copy what is assigned to its slice once more.
        memoryview(self._storage)[self._stop : self._stop + len(data)] = data
        self._stop += len(data)

    def _shrink(self) -> None:
        held = self._stop - self._start
        if len(self._storage) > SMALL_BUFFER and held < len(self._storage) // 4:
            self._replace(held)
        elif self._start > 0:
            view = memoryview(self._storage)
            view[:held] = view[self._start : self._stop]
            self._start, self._stop = 0, held

    def _replace(self, size: int) -> None:
        held = memoryview(self._storage)[self._start : self._stop]
        self._storage = self._buffer = bytearray(size)
        memoryview(self._storage)[: len(held)] = held
        self._start, self._stop = 0, len(held)
