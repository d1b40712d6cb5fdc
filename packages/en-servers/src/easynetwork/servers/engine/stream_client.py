# SPDX-License-Identifier: Apache-2.0
"""One connection, as its handler and the engine see it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar

from easynetwork.exceptions import ClientClosedError, UnsupportedOperation
from easynetwork.lowlevel.fair_lock import FairLock
from easynetwork.lowlevel.streams import ByteStream
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
        self._protocol = protocol
        self._receiver = receiver = make_receiver(protocol, max_recv_size)
        self._buffer_receiver = receiver if isinstance(receiver, BufferReceiver) else None
        self._max_recv_size = max_recv_size
        self._attributes = attributes
        self._send_lock = FairLock(stream.backend())
        self._closing = False
        self._has_sent = False
        self._turn_ends = 0.0

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
        return self._closing or self._stream.is_closing()

    async def receive(self, wish: Any) -> _RequestT | Literal[EndOfStream.EOF]:
        """Waits for the next packet as the handler wished; `EOF` when the peer has ended or lost the connection, or the client is closed.

        Raises:
            What is to be thrown in at the ``yield``.
        """
        deadline = None if wish is None else self._deadline(wish)
        if monotonic() >= self._turn_ends:
            await self._give_turn()
        if self._closing:
            return EOF
        receiver = self._receiver
        try:
            while (packet := receiver.next_packet()) is NEED_DATA:
                if receiver.ended:
                    return EOF
                if self._buffer_receiver is None:
                    data = await self._stream.receive(self._max_recv_size, deadline)
                    if not data:
                        return EOF
                    receiver.feed(data)
                else:
                    size = await self._stream.receive_into(self._buffer_receiver.get_buffer, deadline)
                    if not size:
                        return EOF
                    self._buffer_receiver.buffer_updated(size)
                self._turn_ends = monotonic() + _TURN
        except ConnectionError:
            return EOF
        return packet

    def _deadline(self, wish: Any) -> float | None:
        params = read_wish(wish)
        if params.recv_with_ancillary is not None:
            raise UnsupportedOperation("this transport cannot receive control messages")
        if params.timeout is None or math.isinf(params.timeout):
            return None
        return self.backend().current_time() + params.timeout

    async def _give_turn(self) -> None:
        await self.backend().coro_yield()
        self._turn_ends = monotonic() + _TURN

    async def send_packet(self, packet: _ResponseT, /) -> None:
        if monotonic() >= self._turn_ends:
            await self._give_turn()
        self._check_open()
        try:
            data = b"".join(self._protocol.generate_chunks(packet))
        except Exception as exc:
            raise RuntimeError("protocol.generate_chunks() crashed") from exc
        lock = self._send_lock
        if not lock.acquire_nowait():
            await lock.acquire()
        try:
            self._check_open()
            self._has_sent = True
            await self._stream.send(data)
        except BaseException as exc:
            self._closing = self.is_closing()  # a send that is cut short ends the stream
            if isinstance(exc, ConnectionError):
                self._check_open()  # another task closed the client meanwhile
            raise
        finally:
            lock.release()

    def _check_open(self) -> None:
        if self._closing:
            raise ClientClosedError("the client is closed")

    async def aclose(self) -> None:
        self._closing = True
        try:
            async with self._send_lock:  # what is being sent goes out first
                await self._stream.aclose()
        except BaseException:
            self._stream.abort()
            raise

    def abort(self) -> None:
        """Closes the connection at once; the peer may see a reset."""
        self._closing = True
        self._stream.abort()
