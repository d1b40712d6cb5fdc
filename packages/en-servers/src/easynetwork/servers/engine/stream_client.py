# SPDX-License-Identifier: Apache-2.0
"""One connection, as its handler and the engine see it."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar

from easynetwork.exceptions import ClientClosedError, UnsupportedOperation
from easynetwork.lowlevel.fair_lock import FairLock
from easynetwork.lowlevel.streams import ByteStream
from easynetwork.protocol.encoders import encoder_crashed, make_encoder
from easynetwork.protocol.receivers import NEED_DATA, BufferReceiver, make_receiver

from ..handlers import AsyncStreamClient
from .conversation import EOF, EndOfStream
from .wish import read_wish

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
    from easynetwork.protocol import AnyStreamProtocolType

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
        protocol: AnyStreamProtocolType[_ResponseT, _RequestT],
        max_recv_size: int,
        attributes: Mapping[Any, Callable[[], Any]],
    ) -> None:
        self._stream = stream
        self._encode = make_encoder(protocol)
        self._receiver = receiver = make_receiver(protocol, max_recv_size)
        self._buffer_receiver = receiver if isinstance(receiver, BufferReceiver) else None
        self._max_recv_size = max_recv_size
        self._read_size = min(_FIRST_READ_SIZE, max_recv_size)
        self._attributes = attributes
        self._send_lock = FairLock(stream.backend())
        self.closed = False
        """Whether nothing more will be sent or received; the streams' own state is asked only where it may have changed."""
        self.is_over = False
        """Whether the server is ending, so that there is nothing more to wait for."""
        self._unfinished_sends = 0
        self._has_sent = False
        self._turn_ends: float | None = None  # on the monotonic clock; None: this turn has not begun

    def backend(self) -> AsyncBackend:
        return self._stream.backend()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return MappingProxyType({**self._stream.extra_attributes, **self._attributes})

    @property
    def has_sent(self) -> bool:
        """Whether any packet was handed to the stream."""
        return self._has_sent

    def is_closing(self) -> bool:
        return self.closed or self._stream.is_closing()

    async def receive(self, wish: Any) -> _RequestT | Literal[EndOfStream.EOF]:
        """Waits for the next packet as the handler wished; `EOF` when the peer has ended or lost the connection, or the client is closed.

        Raises:
            What is to be thrown in at the ``yield``.
        """
        deadline = None if wish is None else self._deadline(wish)
        receiver = self._receiver
        if not receiver.drained:
            await self._take_turn()  # before a packet is taken: this may be cancelled
            if self.closed:
                return EOF
            packet = receiver.next_packet()
            if packet is not NEED_DATA:
                return packet
        while not (self.closed or receiver.ended):
            try:
                if self._buffer_receiver is None:
                    data = await self._stream.receive(self._read_size, deadline)
                    if not data:
                        break
                    if len(data) == self._read_size:
                        self._read_size = min(self._read_size * 4, self._max_recv_size)
                    receiver.feed(data)
                else:
                    size = await self._stream.receive_into(self._buffer_receiver.get_buffer, deadline)
                    if not size:
                        break
                    self._buffer_receiver.buffer_updated(size)
            except ConnectionError:
                break
            self._turn_ends = None
            packet = receiver.next_packet()
            if packet is not NEED_DATA:
                return packet
        return EOF

    def _deadline(self, wish: Any) -> float | None:
        params = read_wish(wish)
        if params.recv_with_ancillary is not None:
            self.check_control()
        if params.timeout is None or math.isinf(params.timeout):
            return None
        return self.backend().current_time() + params.timeout

    def check_control(self) -> None:
        """Refuses control messages.

        Raises:
            UnsupportedOperation: always; transports that have them do nothing here.
        """
        raise UnsupportedOperation("this transport cannot receive control messages")

    async def _take_turn(self) -> None:
        """Lets others have theirs, if this client's has lasted too long. A turn begins with the first thing done after a wait."""
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
        sent = 0 if self._unfinished_sends else self._stream.send_nowait(data)
        if sent < len(data):
            await self._send_rest(data, sent)

    def _encoded(self, packet: _ResponseT) -> bytes:
        """The bytes of a packet that is going to be sent."""
        self._check_open()
        try:
            data = self._encode(packet)
        except Exception as exc:
            raise encoder_crashed() from exc
        self._has_sent = True
        return data

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
        try:
            async with self._send_lock:
                self._check_open()
                await send(*arguments)
        except BaseException as exc:
            if isinstance(exc, ConnectionError):
                self._check_open()  # another task closed the client meanwhile
            self.closed = self.is_closing()  # a send that is cut short ends the stream
            raise
        finally:
            self._unfinished_sends -= 1

    def _check_open(self) -> None:
        if self.closed:
            raise ClientClosedError("the client is closed")

    async def aclose(self) -> None:
        self.closed = True
        try:
            async with self._send_lock:  # what is being sent goes out first
                await self._stream.aclose()
        except BaseException:
            self._stream.abort()
            raise

    def abort(self) -> None:
        """Closes the connection at once; the peer may see a reset."""
        self.closed = True
        self._stream.abort()
