# SPDX-License-Identifier: Apache-2.0
"""One connection, as its handler and the engine see it."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from easynetwork.exceptions import ClientClosedError, StreamProtocolParseError, UnsupportedOperation
from easynetwork.lowlevel.defaults import MAX_RECV_SIZE, TURN
from easynetwork.lowlevel.fair_lock import FairLock
from easynetwork.lowlevel.streams import ByteStream, SendStalledError
from easynetwork.protocol.encoders import encoder_crashed, make_encoder
from easynetwork.protocol.receivers import NEED_DATA, make_receiver

from ..handlers import AsyncStreamClient
from ..statistics import CloseReason
from .counters import FULL, Counters
from .driver import END, Answer
from .log import consists_of
from .recv_params import DefaultTimeoutError, ReceiveTimeoutError, read_recv_params

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend, IEvent, TaskGroup

    from .settings import PeerAttributes, StreamSettings

__all__ = ("StreamConnection",)

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")

_UNTIMED: Final = 0.0
"""The end of a turn of which only one thing was done yet: most turns are over after that, and need
no look at the clock."""

_FIRST_READ_SIZE: Final = 4096
"""Bytes of a connection's first read; a read that is filled makes the next one larger. Most packets
are small, and a large read makes a large object."""

_MAX_HELD: Final = MAX_RECV_SIZE
"""Bytes of answers that are held back: few enough for the kernel to take them at once in most
cases."""


class _InputEnded(Exception):
    """Wakes a connection that waits for its peer."""


class StreamConnection(AsyncStreamClient[_ResponseT], Generic[_RequestT, _ResponseT]):
    """Packets both ways over one stream: the handler's `AsyncStreamClient`, and the driver's
    `PacketSource`.

    Answers that the handler sends while more requests are here already are held back (*corked*),
    and leave in one system call: before anything is waited for, or when there are many.

    Args:
        settings: of the server.
        stream: carries the packets; belongs to the connection from then on.
        counters: where packets and bytes are counted.
        attributes: makes what `extra` tells besides what the stream tells.
        tasks: where the rest of held answers is sent, if the kernel has no room for them while the
            handler waits for something else.
    """

    receive_errors: tuple[type[Exception], ...] = (ConnectionError, TimeoutError, _InputEnded)

    # More attributes than Python keeps inline (30): as slots they are 3 % faster, and take less
    # memory.
    # fmt: off
    __slots__ = (
        "_attributes", "_closing", "_counters", "_data_received", "_deadline", "_default_timeout",
        "_encode", "_flush_error", "_has_control", "_has_own_timeout", "_held", "_held_size",
        "_idle_timeout", "_input_ended", "_input_ended_by", "_read_size", "_reads", "_receiver",
        "_send_lock", "_sends", "_settings", "_stream", "_tasks", "_turn_ends", "_turn_is_over",
        "_unfinished_sends", "_was_sent_to", "_was_sent_to_before", "closed", "corked", "is_over",
        "reason",
    )
    # fmt: on

    def __init__(
        self,
        settings: StreamSettings[_RequestT, _ResponseT],
        stream: ByteStream,
        counters: Counters,
        attributes: PeerAttributes,
        tasks: TaskGroup,
    ) -> None:
        self._settings = settings
        self._stream = stream
        self._counters = counters
        self._attributes = attributes
        self._tasks = tasks
        self._encode = make_encoder(settings.protocol)
        self._receiver = make_receiver(settings.protocol, settings.max_recv_size)
        self._read_size = min(_FIRST_READ_SIZE, settings.max_recv_size)
        self._default_timeout = settings.timeouts.packet
        self._idle_timeout = settings.timeouts.idle
        self._reads, self._sends = counters.traffic.reads, counters.traffic.sends

        self._deadline: float | None = None  # of the packet that is waited for
        self._has_own_timeout = False  # whether the handler has asked for that deadline
        self._data_received: Callable[[Any], object] | None = None  # what takes its control messages
        self._has_control = False  # whether some wait for their packet, or the handler has asked for them
        self._input_ended = False  # nothing more will be received
        self._input_ended_by: CloseReason | None = None  # if that was decided here
        self._turn_ends: float | None = None  # on the monotonic clock; None: this turn has not begun
        self._turn_is_over = False

        self.corked = False
        self._held: list[bytes] | None = None
        self._held_size = 0
        self._flush_error: OSError | None = None  # of answers whose send_packet() has returned
        self._unfinished_sends = 0
        self._send_lock: FairLock | None = None  # there is one once a send had to wait
        self._was_sent_to = False  # since the present wait for an idle client began
        self._was_sent_to_before = False

        self.closed = False
        """Whether nothing more will be sent or received; the stream's own state is asked only where
        it may have changed."""
        self._closing: IEvent | None = None  # set when the `aclose` that is under way has ended
        self.is_over = False
        self.reason: CloseReason | None = None
        """Why the connection is ending, as far as this side of it knows."""

    def backend(self) -> AsyncBackend:
        return self._settings.backend

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return MappingProxyType({**self._stream.extra_attributes, **self._attributes()})

    @property
    def has_sent(self) -> bool:
        """Whether any packet was handed to the stream."""
        return self._was_sent_to or self._was_sent_to_before

    def is_closing(self) -> bool:
        return self.closed or self._stream.is_closing()

    # receiving: what the driver asks for

    def take_early_bytes(self, data: bytes) -> None:
        """Takes in bytes that were read from the stream before it came here."""
        if data:
            self._receiver.feed(data)
            self._reads.append(len(data))
            self._counters.traffic.more_packets -= 1

    def take(self, yielded: Any, /) -> Answer[_RequestT]:
        if yielded is None and self._default_timeout is None:
            self._deadline = self._data_received = None
        else:
            self._read_params(yielded)
        if self._input_ended:
            return self._end()
        if self._receiver.drained:
            return NEED_DATA
        if not self._turn_ends:
            self._turn_ends = monotonic() + TURN
        elif monotonic() >= self._turn_ends:
            self._turn_is_over = True
            return NEED_DATA
        return self._next_packet()

    def until_readable(self) -> Iterable[Any]:
        if self.corked:
            self.uncork()  # no wait here for what the kernel has no room for: it would be the handler's to cancel
        if self._input_ended:
            return () if self._closing is None else self._closing.wait().__await__()
        if self._turn_is_over:
            return self.backend().coro_yield().__await__()
        if self._idle_timeout is not None:
            return self._stream.until_readable(self._idle_limit())
        return self._stream.until_readable(self._deadline)

    def read(self) -> Answer[_RequestT]:
        if self._input_ended:
            return self._end()
        if self._turn_is_over:
            self._turn_is_over = False
            self._turn_ends = None
            return self._next_packet()
        data = self._stream.receive_nowait(self._read_size)
        if not data:
            if data is None:
                return NEED_DATA
            self.note(CloseReason.PEER_ENDED)
            self._input_ended = True
            return self._end()
        size = len(data)
        if size == self._read_size:
            self._read_size = min(size * 4, self._settings.max_recv_size)
        self._reads.append(size)
        if len(self._reads) >= FULL:
            self._counters.traffic.add_up()
        self._turn_ends = None
        try:
            packet = self._receiver.receive(data)
        except Exception as exc:
            self._receiver_failed(exc)
            raise
        if packet is NEED_DATA:
            self._counters.traffic.more_packets -= 1
        else:
            if not self._receiver.drained:
                self.corked = True
            if self._has_control:
                self._deliver_control()
        return packet

    def _next_packet(self) -> Answer[_RequestT]:
        """Takes a packet that came together with the one before."""
        self._counters.traffic.more_packets += 1
        try:
            packet = self._receiver.receive(b"")
        except Exception as exc:
            self._receiver_failed(exc)
            raise
        if packet is NEED_DATA:
            self._counters.traffic.more_packets -= 1
        else:
            if self._held or not self._receiver.drained:
                self.corked = True
            if self._has_control:
                self._deliver_control()
        return packet

    def _receiver_failed(self, error: Exception) -> None:
        """Counts a frame that is no packet."""
        self._counters.traffic.more_packets -= 1
        if isinstance(error, StreamProtocolParseError):
            self._counters.parse_errors += 1
        if self._receiver.ended:
            self._input_ended = True

    def receive_failed(self, error: Exception, /) -> Answer[_RequestT]:
        if isinstance(error, TimeoutError):
            return self._timed_out()
        if isinstance(error, ConnectionError):
            self._input_ended = True
            if not self.closed:
                self.note(CloseReason.PEER_RESET)
        return self._end()

    def _timed_out(self) -> Answer[_RequestT]:
        try:
            packet = self.read()  # it may be here, and nobody had the time to tell
        except ConnectionError as exc:
            return self.receive_failed(exc)
        if packet is not NEED_DATA:
            return packet
        if self._deadline is not None and self.backend().current_time() >= self._deadline:
            kind = ReceiveTimeoutError if self._has_own_timeout else DefaultTimeoutError
            raise kind("no packet came in time")
        if self._was_sent_to:
            return NEED_DATA
        self.end_input(CloseReason.IDLE)
        return self._end()

    def end_input(self, reason: CloseReason) -> None:
        """Ends receiving: at its next ``yield``, or where it waits at one, the handler is told that
        it was the end. Safe to repeat.
        """
        self._input_ended = True
        self._input_ended_by = reason
        self._stream.interrupt_receive(_InputEnded())

    def _end(self) -> Answer[_RequestT]:
        """Answers that it was the end, once a close that another task has begun is complete: the
        end of the handler might cancel it.
        """
        if self._closing is not None and not self._closing.is_set():
            return NEED_DATA
        if self._input_ended_by is not None:
            self.note(self._input_ended_by)
        elif self._receiver.ended:
            self.note(CloseReason.PROTOCOL_ERROR)
        self.uncork()
        return END

    def _read_params(self, yielded: Any) -> None:
        params = read_recv_params(yielded)
        self._data_received = None
        if params.recv_with_ancillary is not None:
            self.check_control()
            self._has_control = True
            self._data_received = params.recv_with_ancillary.data_received
        self._has_own_timeout = params.timeout is not None
        timeout = self._default_timeout if params.timeout is None else params.timeout
        if timeout is None or math.isinf(timeout):
            self._deadline = None
        else:
            self._deadline = self.backend().current_time() + timeout

    def check_control(self) -> None:
        """Refuses control messages.

        Raises:
            UnsupportedOperation: always; transports that have them do nothing here.
        """
        raise UnsupportedOperation("this transport cannot receive control messages")

    def _deliver_control(self) -> None:
        """Hands on the control messages of the packet that was just taken; only where
        `check_control` allows them.
        """

    def _idle_limit(self) -> float:
        """When the wait that begins now has to end, for the packet's sake or for the client's."""
        assert self._idle_timeout is not None
        self._was_sent_to_before |= self._was_sent_to
        self._was_sent_to = False
        limit = self.backend().current_time() + self._idle_timeout
        return limit if self._deadline is None else min(limit, self._deadline)

    def _has_used_up_its_turn(self) -> bool:
        """Whether the others should have theirs.

        A turn begins with the first thing done after a wait.
        """
        if len(self._sends) >= FULL:  # all sends come by here but the first one after a read
            self._counters.traffic.add_up()
        if self._turn_ends is None:
            self._turn_ends = _UNTIMED
        elif self._turn_ends == _UNTIMED:
            self._turn_ends = monotonic() + TURN
        else:
            return monotonic() >= self._turn_ends
        return False

    async def _give_turn_away(self) -> None:
        await self.backend().coro_yield()
        self._turn_ends = None

    # sending

    async def send_packet(self, packet: _ResponseT, /) -> None:
        if self._turn_ends is None:
            self._turn_ends = _UNTIMED
        elif not self.corked and self._has_used_up_its_turn():
            await self._give_turn_away()
        if self.closed:
            self._check_open()
        try:
            data = self._encode(packet)
        except Exception as exc:
            raise encoder_crashed() from exc
        self._sends.append(len(data))
        self._was_sent_to = True
        if self._unfinished_sends:
            await self._send_in_turn(self._stream.send, data)
        elif self.corked:
            if self._held is None:
                self._held = []
            self._held.append(data)
            self._held_size += len(data)
            if self._held_size >= _MAX_HELD:
                await self._flush()
        else:
            try:
                sent = self._stream.send_nowait(data)
            except ConnectionError as exc:
                raise self._send_error(exc) from None
            if sent:
                if sent < len(data):
                    await self._send_rest(memoryview(data)[sent:])
            elif data:
                await self._send_in_turn(self._stream.send, data)

    def _encoded(self, packet: _ResponseT) -> bytes:
        self._check_open()
        try:
            return self._encode(packet)
        except Exception as exc:
            raise encoder_crashed() from exc

    async def _send_rest(self, rest: memoryview) -> None:
        """Sends the rest of what the kernel had no room for: nothing else may follow what has
        left.
        """
        try:
            await self._send_in_turn(self._stream.send, rest)
        except BaseException:
            self.abort()
            raise

    async def _send_in_turn(self, send: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        """Sends after those who asked before."""
        lock = self._begin_send()
        try:
            if not lock.acquire_nowait():
                await lock.acquire()
                if self.closed:
                    lock.release()
                    self._check_open()
        except BaseException:
            self._unfinished_sends -= 1
            raise
        await self._finish_send(lock, send, *arguments)

    def _begin_send(self) -> FairLock:
        self._unfinished_sends += 1
        if self._unfinished_sends > self._counters.longest_queue:
            self._counters.longest_queue = self._unfinished_sends
        return self._lock()

    async def _finish_send(self, lock: FairLock, send: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        try:
            await send(*arguments)
        except BaseException as exc:
            if isinstance(exc, SendStalledError):
                self.note(CloseReason.SEND_STALLED)
            was_closed = self.closed
            if self.is_closing():  # a send that is cut short ends the stream
                self.closed = self._input_ended = True
            if isinstance(exc, ConnectionError) and was_closed:
                self._check_open()  # another task closed the client meanwhile
            raise
        finally:
            self._unfinished_sends -= 1
            lock.release()

    def _lock(self) -> FairLock:
        if self._send_lock is None:
            self._send_lock = FairLock(self.backend())
        return self._send_lock

    def _check_open(self) -> None:
        if self.closed:
            if self._flush_error is not None and self._closing is None:
                raise self._flush_error  # that closed it
            raise ClientClosedError("the client is closed")

    def _send_error(self, error: ConnectionError) -> OSError:
        """What to raise for ``error``: what came first, or what was done here."""
        return ClientClosedError("the client is closed") if self.closed else self._flush_error or error

    # answers that are held back

    async def _flush(self) -> None:
        """Sends what is held, and waits until the kernel has it."""
        rest = self._flush_nowait()
        if rest:
            await self._send_rest(rest)
        elif self._has_used_up_its_turn():
            await self._give_turn_away()

    def uncork(self) -> None:
        """Sends what is held, and no longer holds anything back.

        A task sends what the kernel has no room for.
        """
        self.corked = False
        if self._held and (rest := self._flush_nowait()):
            lock = self._begin_send()
            lock.acquire_nowait()  # it is free: nothing is held while others send
            self._tasks.start_soon(self._send_held_rest, lock, rest)

    async def _send_held_rest(self, lock: FairLock, rest: memoryview) -> None:
        try:
            await self._finish_send(lock, self._stream.send, rest)
        except OSError as exc:
            self._lose(exc)
        except BaseException:
            self.abort()
            raise

    def _flush_nowait(self) -> memoryview | None:
        """Sends what is held, and returns what the kernel has no room for."""
        data = b"".join(self._held or ())
        self._held = None
        if len(self._sends) >= FULL:
            self._counters.traffic.add_up()
        self._held_size = 0
        try:
            sent = self._stream.send_nowait(data)
        except OSError as exc:
            self._lose(exc)
            return None
        return memoryview(data)[sent:] if sent < len(data) else None

    def _lose(self, error: OSError) -> None:
        """Notes that answers were lost whose `send_packet` has returned: the next one raises
        ``error``, and the next ``yield`` is the end.
        """
        self._flush_error = error
        self.corked = False  # or the next one would be held, and not fail
        if isinstance(error, SendStalledError):
            self.note(CloseReason.SEND_STALLED)
        elif not isinstance(error, ClientClosedError):
            self.note(CloseReason.PEER_RESET)
        if not isinstance(error, ConnectionError):
            self._stream.abort()  # nothing may follow what is missing
        self._input_ended = True
        self._stream.interrupt_receive(_InputEnded())

    # closing

    def note(self, reason: CloseReason) -> None:
        """Keeps the first reason that is known."""
        if self.reason is None:
            self.reason = reason

    def note_error(self, exc: Exception | BaseExceptionGroup[Any]) -> None:
        """Keeps the reason, if it is not known yet, that lies in what came out of the handler."""
        if isinstance(exc, StreamProtocolParseError):
            self.note(CloseReason.PROTOCOL_ERROR)
        elif consists_of(exc, ReceiveTimeoutError):
            self.note(CloseReason.PACKET_TIMEOUT)
        elif consists_of(exc, ClientClosedError):
            self.note(CloseReason.HANDLER_CLOSED)
        elif consists_of(exc, ConnectionError):
            self.note(CloseReason.PEER_RESET)
        else:
            self.note(CloseReason.HANDLER_ERROR if isinstance(exc, Exception) else CloseReason.CANCELLED)

    async def aclose(self) -> None:
        self.closed = self._input_ended = True
        if self._closing is None or self._closing.is_set():
            self._closing = closed = self.backend().create_event()
        else:
            closed = None  # another task closes it, and has the lock
        self.corked = False
        try:
            async with self._lock():  # what is being sent goes out first
                if self._held and (rest := self._flush_nowait()):
                    try:
                        await self._stream.send(rest)
                    except OSError as exc:  # no error of closing
                        self._lose(exc)
                        self._stream.abort()
                await self._stream.aclose()
        except BaseException:
            self._stream.abort()
            raise
        finally:
            if closed is not None:
                closed.set()

    def abort(self) -> None:
        """Closes the connection at once; the peer may see a reset."""
        self.closed = self._input_ended = True
        self._held = None
        self._stream.abort()
