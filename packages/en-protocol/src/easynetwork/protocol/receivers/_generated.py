# SPDX-License-Identifier: Apache-2.0
"""The general way: the protocol's own generators read the packets, one generator for each."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from easynetwork.exceptions import DeserializeError, StreamProtocolParseError

from .._base import inherits
from .._stream import BufferedStreamProtocol, StreamProtocol, parse_error
from ._abc import NEED_DATA, SMALL_BUFFER, NeedData, StreamReceiver
from ._recovery import find_end_of_overlong_frame, is_boundary_lost, separator_to_find, take_remaining_data

__all__ = ("GeneratedBuffer", "GeneratedChunks")

_T_co = TypeVar("_T_co", covariant=True)


class _GeneratedReceiver(StreamReceiver[_T_co]):
    """Sends what is in `_pending` to a generator of the protocol."""

    crash_message: str
    """What to say when the protocol raises what it may not."""

    def __init__(self) -> None:
        self._pending: deque[bytes] = deque()
        self.drained = True
        self._generator: Generator[Any, Any, tuple[_T_co, Any]] | None = None
        self._yielded: Any = None
        self._in_frame = False
        self._separator_to_find: bytes | None = None
        self._tail = b""  # of an over-long frame; the separator may have begun in it

    def next_packet(self) -> _T_co | NeedData:
        while self._pending:
            chunk = self._pending.popleft()
            self.drained = not self._pending
            if self._separator_to_find is not None:
                chunk = self._finish_overlong_frame(self._separator_to_find, chunk)
            if chunk and (packet := self._parse(chunk)) is not NEED_DATA:
                return packet
        return NEED_DATA

    def feed(self, data: bytes) -> None:
        if data and not self.ended:
            self._pending.append(data)
            self.drained = False

    def receive(self, data: bytes) -> _T_co | NeedData:
        if self.drained and data and self._separator_to_find is None and not self.ended:
            return self._parse(data)  # the usual case: nothing waits before it
        return super().receive(data)

    @property
    def has_partial_frame(self) -> bool:
        return self._in_frame or self._separator_to_find is not None

    @property
    def unread(self) -> int:
        return sum(map(len, self._pending))

    @abstractmethod
    def _create_generator(self) -> Generator[Any, Any, tuple[_T_co, Any]]:
        """Ask the protocol for the generator of the next packet."""

    @abstractmethod
    def _parse(self, chunk: bytes) -> _T_co | NeedData:
        """Give bytes to the generator; put back what it does not take."""

    def _started_generator(self) -> Generator[Any, Any, tuple[_T_co, Any]]:
        if self._generator is None:
            try:
                generator = self._create_generator()
                self._yielded = next(generator)
            except Exception as exc:
                raise self._crashed() from exc
            self._generator = generator
        return self._generator

    def _send(self, value: Any) -> _T_co | NeedData:
        generator = self._generator or self._started_generator()
        try:
            self._yielded = generator.send(value)
        except StopIteration as stop:
            packet: _T_co
            packet, remaining = stop.value
            self._leave_frame()
            if remaining:
                self._put_back(bytes(remaining))
            return packet
        except StreamProtocolParseError as exc:
            self._leave_frame()
            self._go_on_after(exc)
            raise
        except DeserializeError as exc:
            raise self._refused(exc)  # noqa: B904 - it brings its own cause
        except Exception as exc:
            raise self._crashed() from exc
        self._in_frame = True
        return NEED_DATA

    def _refused(self, error: DeserializeError) -> Exception:
        """What to raise for an error of the serializer, whose generator is driven without the
        protocol object.

        No frame of the traceback may have it as a local variable: the cycle would keep the packet.
        """
        parse = parse_error(error)
        parse.__cause__ = error
        if isinstance(parse, RuntimeError):
            crash = self._crashed()
            crash.__cause__ = parse
            return crash
        self._leave_frame()
        self._go_on_after(parse)
        return parse

    def _leave_frame(self) -> None:
        self._generator = None
        self._in_frame = False

    def _put_back(self, data: bytes) -> None:
        if data:
            self._pending.appendleft(data)
            self.drained = False

    def _go_on_after(self, error: StreamProtocolParseError) -> None:
        remaining = take_remaining_data(error)
        if is_boundary_lost(error.error):
            self._end()
            return
        self._put_back(remaining)
        self._separator_to_find = separator_to_find(error.error)

    def _finish_overlong_frame(self, separator: bytes, chunk: bytes) -> bytes:
        data = self._tail + chunk
        found, kept = find_end_of_overlong_frame(separator, data, 0, len(data))
        if not found:
            self._tail = data[kept:]
            return b""
        self._tail = b""
        self._separator_to_find = None
        return data[kept:]

    def _crashed(self) -> RuntimeError:
        self._end()
        return RuntimeError(self.crash_message)

    def _end(self) -> None:
        self.ended = True
        self._leave_frame()
        self._pending.clear()
        self.drained = False
        self._separator_to_find = None
        self._tail = b""


class GeneratedChunks(_GeneratedReceiver[_T_co]):
    """Drives `StreamProtocol.build_packet_from_chunks`, or the serializer's own generator where
    that does the same.
    """

    crash_message = "protocol.build_packet_from_chunks() crashed"

    def __init__(self, protocol: StreamProtocol[Any, _T_co]) -> None:
        super().__init__()
        self._create: Callable[[], Generator[None, bytes, tuple[_T_co, bytes]]] = protocol.build_packet_from_chunks
        if inherits(protocol, StreamProtocol, "build_packet_from_chunks") and protocol.converter is None:
            self._create = protocol.serializer.incremental_deserialize

    def _create_generator(self) -> Generator[None, bytes, tuple[_T_co, bytes]]:
        return self._create()

    def _parse(self, chunk: bytes) -> _T_co | NeedData:
        return self._send(chunk)


class GeneratedBuffer(_GeneratedReceiver[_T_co]):
    """Drives `BufferedStreamProtocol.build_packet_from_buffer`: bytes are copied to where the
    generator wants them.
    """

    crash_message = "protocol.build_packet_from_buffer() crashed"

    def __init__(self, protocol: BufferedStreamProtocol[Any, _T_co], sizehint: int) -> None:
        super().__init__()
        self._protocol = protocol
        self._sizehint = sizehint
        self._buffer: Any = None
        self._view: memoryview | None = None  # of the buffer, byte by byte

    def next_packet(self) -> _T_co | NeedData:
        packet = super().next_packet()
        if packet is NEED_DATA:
            self._release()
        return packet

    def _create_generator(self) -> Generator[int | None, int, tuple[_T_co, Any]]:
        if self._view is None:
            self._buffer = self._protocol.create_buffer(self._sizehint)
            self._view = memoryview(self._buffer).cast("B")
        return self._protocol.build_packet_from_buffer(self._buffer)

    def _room(self) -> memoryview:
        self._started_generator()
        assert self._view is not None
        try:
            room = self._view[self._yielded :]
            if room.readonly or not room:
                raise BufferError("The protocol asks for bytes, but its buffer has no room for them")
        except Exception as exc:
            raise self._crashed() from exc
        return room

    def _parse(self, chunk: bytes) -> _T_co | NeedData:
        room = self._room()
        taken = min(len(room), len(chunk))
        room[:taken] = chunk[:taken]
        self._put_back(chunk[taken:])
        return self._send(taken)

    def _release(self) -> None:
        if self._view is not None and not self._in_frame and len(self._view) > SMALL_BUFFER:
            self._generator = None
            self._buffer = self._view = None

    def _end(self) -> None:
        super()._end()
        self._buffer = self._view = None
