# SPDX-License-Identifier: Apache-2.0
"""One connection, as its handler and the engine see it."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar

from easynetwork.exceptions import ClientClosedError, StreamProtocolParseError, UnsupportedOperation
from easynetwork.lowlevel.fair_lock import FairLock
from easynetwork.lowlevel.streams import ByteStream, SendStalledError
from easynetwork.protocol.encoders import encoder_crashed, make_encoder
from easynetwork.protocol.receivers import NEED_DATA, BufferReceiver, make_receiver

from ..handlers import AsyncStreamClient
from ..statistics import CloseReason
from .conversation import EOF, EndOfStream
from .counters import FULL
from .log import consists_of
from .wish import PacketTimeoutError, read_wish

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend

    from .stream_service import StreamService

__all__ = ("StreamClient",)

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")

_TURN: Final = 0.002
"""Seconds that a client may keep the event loop while it never has to wait. Ten such clients delay another by some 20 ms."""

_UNTIMED: Final = 0.0
"""The end of a turn of which only one thing was done yet: most turns are over after that, and need no look at the clock."""

_FIRST_READ_SIZE: Final = 4096
"""Bytes of a connection's first read; a read that is filled makes the next one larger. Most packets are small, and a large read makes a large object."""


class StreamClient(AsyncStreamClient[_ResponseT], Generic[_RequestT, _ResponseT]):
    """Packets both ways over one stream. The handler knows it as `AsyncStreamClient`; `receive` is the engine's."""

    def __init__(
        self,
        stream: ByteStream,
        service: StreamService[_RequestT, _ResponseT],
        attributes: Mapping[Any, Callable[[], Any]],
    ) -> None:
        protocol, max_recv_size = service.protocol, service.max_recv_size
        self._stream = stream
        self._encode = make_encoder(protocol)
        self._receiver = receiver = make_receiver(protocol, max_recv_size)
        self._buffer_receiver = receiver if isinstance(receiver, BufferReceiver) else None
        self._max_recv_size = max_recv_size
        self._read_size = min(_FIRST_READ_SIZE, max_recv_size)
        self._attributes = attributes
        self._packet_timeout = service.timeouts.packet
        self._idle = service.timeouts.idle
        self._counters = service.counters
        self._send_lock = FairLock(stream.backend())
        self.closed = False
        """Whether nothing more will be sent or received; the streams' own state is asked only where it may have changed."""
        self._input_ended = False  # whether nothing more will be received
        self._input_ended_by: CloseReason | None = None  # if that was decided here
        self.reason: CloseReason | None = None
        """Why the connection is ending, as far as this side of it knows."""
        self._thrown = 0  # the identity of what was thrown in last; the error itself has a traceback, and so all that a bad packet was
        self.is_over = False
        """Whether the server is ending, so that there is nothing more to wait for."""
        self._unfinished_sends = 0
        self._traffic = traffic = service.counters.begin()
        self._reads, self._sends = traffic.reads, traffic.sends
        self._sent_before_wait = 0  # packets
        self._turn_ends: float | None = None  # on the monotonic clock; None: this turn has not begun

    def backend(self) -> AsyncBackend:
        return self._stream.backend()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return MappingProxyType({**self._stream.extra_attributes, **self._attributes})

    @property
    def has_sent(self) -> bool:
        """Whether any packet was handed to the stream."""
        return self._traffic.packets_sent > 0

    def is_closing(self) -> bool:
        return self.closed or self._stream.is_closing()

    async def receive(self, wish: Any) -> _RequestT | Literal[EndOfStream.EOF]:
        """Waits for the next packet as the handler wished; `EOF` when the peer has ended or lost the connection, or the client is closed.

        Raises:
            What is to be thrown in at the ``yield``.
        """
        deadline = None if wish is None and self._packet_timeout is None else self._deadline(wish)
        receiver = self._receiver
        try:
            if not receiver.drained:
                await self._take_turn()  # before a packet is taken: this may be cancelled
                if self._input_ended:
                    return self._end()
                self._traffic.more_packets += 1
                packet = receiver.next_packet()
                if packet is not NEED_DATA:
                    return packet
                self._traffic.more_packets -= 1
            while not (self._input_ended or receiver.ended):
                limit = deadline if self._idle is None else self._idle_limit(deadline)
                try:
                    if self._buffer_receiver is None:
                        data = await self._stream.receive(self._read_size, limit)
                        size = len(data)
                        if size == self._read_size:
                            self._read_size = min(self._read_size * 4, self._max_recv_size)
                        receiver.feed(data)
                    else:
                        size = await self._stream.receive_into(self._buffer_receiver.get_buffer, limit)
                        self._buffer_receiver.buffer_updated(size)
                except (ConnectionError, TimeoutError, _InputEnded) as exc:
                    self._nothing_came(exc, wish, is_idle=limit != deadline)
                    continue
                if not size:
                    self.note(CloseReason.PEER_ENDED)
                    break
                self._reads.append(size)
                if len(self._reads) >= FULL:
                    self._traffic.add_up()
                self._turn_ends = None
                packet = receiver.next_packet()
                if packet is not NEED_DATA:
                    return packet
                self._traffic.more_packets -= 1
        except StreamProtocolParseError as exc:
            self._counters.parse_errors += 1
            self._traffic.more_packets -= 1
            self._thrown = id(exc)
            raise
        if receiver.ended:
            self.note(CloseReason.PROTOCOL_ERROR)
        return self._end()

    def end_input(self, reason: CloseReason) -> None:
        """Nothing more will be received: at its next ``yield``, or where it waits at one, the handler is told that it was the end. Safe to repeat."""
        self._input_ended = True
        self._input_ended_by = reason
        self._stream.interrupt_receive(_InputEnded())

    def _end(self) -> Literal[EndOfStream.EOF]:
        if self._input_ended_by is not None:
            self.note(self._input_ended_by)
        return EOF

    def end_traffic(self) -> None:
        """Its packets are those of a client that is gone."""
        self._counters.end(self._traffic)

    def note(self, reason: CloseReason) -> None:
        """Keeps the first reason that is known."""
        if self.reason is None:
            self.reason = reason

    def note_error(self, exc: Exception | BaseExceptionGroup[Any]) -> None:
        """Keeps the reason, if it is not known yet, that lies in what came out of the handler."""
        was_thrown_in = id(exc) == self._thrown  # the type is looked at, too: an identity may be given again
        if was_thrown_in and isinstance(exc, StreamProtocolParseError):
            self.note(CloseReason.PROTOCOL_ERROR)
        elif consists_of(exc, PacketTimeoutError) or (was_thrown_in and isinstance(exc, TimeoutError)):
            self.note(CloseReason.PACKET_TIMEOUT)
        elif consists_of(exc, ClientClosedError):
            self.note(CloseReason.HANDLER_CLOSED)
        elif consists_of(exc, ConnectionError):
            self.note(CloseReason.PEER_RESET)
        elif isinstance(exc, Exception):
            self.note(CloseReason.HANDLER_ERROR)

    def _idle_limit(self, deadline: float | None) -> float:
        """When the wait that begins now has to end, for the packet's sake or for the client's."""
        assert self._idle is not None
        self._sent_before_wait = self._traffic.packets_sent
        limit = self.backend().current_time() + self._idle
        return limit if deadline is None else min(limit, deadline)

    def _nothing_came(self, exc: Exception, wish: Any, *, is_idle: bool) -> None:
        """Looks at what ended a read.

        Raises:
            TimeoutError: what is to be thrown in at the ``yield``.
        """
        if isinstance(exc, ConnectionError):
            self._input_ended = True
            if not self.closed:
                self.note(CloseReason.PEER_RESET)
        elif isinstance(exc, TimeoutError):
            if not is_idle:
                names_time = isinstance(wish, int | float) or (wish is not None and wish.timeout is not None)
                if not names_time:
                    raise PacketTimeoutError(f"no packet within {self._packet_timeout:g} seconds") from None
                self._thrown = id(exc)
                raise exc
            if self._traffic.packets_sent == self._sent_before_wait:
                self.end_input(CloseReason.IDLE)

    def _deadline(self, wish: Any) -> float | None:
        timeout = self._packet_timeout
        if wish is not None:
            params = read_wish(wish)
            if params.recv_with_ancillary is not None:
                self.check_control()
            if params.timeout is not None:
                timeout = params.timeout
        if timeout is None or math.isinf(timeout):
            return None
        return self.backend().current_time() + timeout

    def check_control(self) -> None:
        """Refuses control messages.

        Raises:
            UnsupportedOperation: always; transports that have them do nothing here.
        """
        raise UnsupportedOperation("this transport cannot receive control messages")

    async def _take_turn(self) -> None:
        """Lets others have theirs, if this client's has lasted too long. A turn begins with the first thing done after a wait."""
        if len(self._sends) >= FULL:  # all sends come by here but the first one after a read
            self._traffic.add_up()
        if self._turn_ends is None:
            self._turn_ends = _UNTIMED
        elif self._turn_ends == _UNTIMED:
            self._turn_ends = monotonic() + _TURN
        elif monotonic() >= self._turn_ends:
            await self.backend().coro_yield()
            self._turn_ends = None

    async def send_packet(self, packet: _ResponseT, /) -> None:
        if self._turn_ends is None:
            self._turn_ends = _UNTIMED
        else:
            await self._take_turn()
        data = self._encoded(packet)
        size = len(data)
        self._sends.append(size)
        sent = 0 if self._unfinished_sends else self._stream.send_nowait(data)
        if sent < size:
            await self._send_rest(data, sent)

    def _encoded(self, packet: _ResponseT) -> bytes:
        """The bytes of a packet."""
        self._check_open()
        try:
            return self._encode(packet)
        except Exception as exc:
            raise encoder_crashed() from exc

    async def _send_rest(self, data: bytes, sent: int) -> None:
        try:
            await self._send_in_turn(self._stream.send, memoryview(data)[sent:])
        except BaseException:
            if sent:
                self.abort()  # the peer has a fragment
            raise

    async def _send_in_turn(self, send: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        """Sends after those who asked before."""
        self._unfinished_sends += 1
        if self._unfinished_sends > self._counters.longest_queue:
            self._counters.longest_queue = self._unfinished_sends
        try:
            async with self._send_lock:
                self._check_open()
                await send(*arguments)
        except BaseException as exc:
            if isinstance(exc, SendStalledError):
                self.note(CloseReason.SEND_STALLED)
            elif isinstance(exc, ConnectionError):
                self._check_open()  # another task closed the client meanwhile
            if self.is_closing():  # a send that is cut short ends the stream
                self.closed = self._input_ended = True
            raise
        finally:
            self._unfinished_sends -= 1

    def _check_open(self) -> None:
        if self.closed:
            raise ClientClosedError("the client is closed")

    async def aclose(self) -> None:
        self.closed = self._input_ended = True
        try:
            async with self._send_lock:  # what is being sent goes out first
                await self._stream.aclose()
        except BaseException:
            self._stream.abort()
            raise

    def abort(self) -> None:
        """Closes the connection at once; the peer may see a reset."""
        self.closed = self._input_ended = True
        self._stream.abort()


class _InputEnded(Exception):
    """Wakes a client that waits for its peer."""
