# SPDX-License-Identifier: Apache-2.0
"""Packets both ways over one stream, for event loops."""

from __future__ import annotations

import socket as _socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from easynetwork.exceptions import TruncatedStreamError
from easynetwork.lowlevel.streams import ByteStream
from easynetwork.protocol.encoders import encoder_crashed, make_encoder
from easynetwork.protocol.receivers import NEED_DATA, NeedData, make_receiver

from ._async_client import AsyncClient

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
    from easynetwork.protocol import AnyStreamProtocolType

__all__ = ("AsyncStreamClientCore",)

_SentT = TypeVar("_SentT")
_ReceivedT = TypeVar("_ReceivedT")
_StreamT = TypeVar("_StreamT", bound=ByteStream)


class AsyncStreamClientCore(AsyncClient[_SentT, _ReceivedT, _StreamT]):
    """All of an asynchronous stream client but its address family."""

    def __init__(
        self,
        backend: AsyncBackend,
        connect: Callable[[], Awaitable[_StreamT]],
        given_socket: _socket.socket | None,
        protocol: AnyStreamProtocolType[_SentT, _ReceivedT],
        max_recv_size: int,
    ) -> None:
        super().__init__(backend, connect, given_socket)
        self._encode = make_encoder(protocol)
        self._receiver = make_receiver(protocol, max_recv_size)
        self._next_packet: Callable[[], _ReceivedT | NeedData] = self._receiver.next_packet
        self._max_recv_size = max_recv_size
        self._eof_sent = False

    async def send_packet(self, packet: _SentT) -> None:
        stream = await self._connected()
        await self._send_through(stream.send, packet)

    async def _send_through(self, send: Callable[[bytes], Awaitable[None]], packet: _SentT) -> None:
        try:
            data = self._encode(packet)
        except Exception as exc:
            raise encoder_crashed() from exc
        async with self._send_lock:
            self._check_open()
            if self._eof_sent:
                raise RuntimeError("send_eof() was called: nothing more can be sent")
            try:
                await send(data)
            except ConnectionError:
                self._check_open()  # another task closed the client meanwhile
                raise

    async def send_eof(self) -> None:
        """Tells the peer that no more will be sent; receiving goes on.

        Does nothing the second time.

        Raises:
            UnsupportedOperation: TLS cannot end one direction alone.
            ClientClosedError: the client is closed.
        """
        stream = await self._connected()
        async with self._send_lock:
            self._check_open()
            if not self._eof_sent:
                await stream.send_eof()
                self._eof_sent = True

    async def recv_packet(self) -> _ReceivedT:
        return await self._recv_packet_before(None)

    async def _recv_packet_before(self, deadline: float | None) -> _ReceivedT:
        return await self._receive_through(self._next_packet, deadline)

    async def _receive_through(
        self, next_packet: Callable[[], _ReceivedT | NeedData], deadline: float | None
    ) -> _ReceivedT:
        stream = await self._turn_to_receive(deadline)
        try:
            self._check_open()
            while (packet := next_packet()) is NEED_DATA:
                await self._read(stream, deadline)
            return packet
        finally:
            self._receive_lock.release()

    async def _read(self, stream: ByteStream, deadline: float | None) -> None:
        receiver = self._receiver
        if receiver.ended:
            raise ConnectionAbortedError("nothing can be read after the bad data that came before")
        try:
            data = await stream.receive(self._max_recv_size, deadline)
            if data:
                return receiver.feed(data)
        except ConnectionError as exc:
            self._check_open()  # another task closed the client meanwhile
            if isinstance(exc, TruncatedStreamError):
                raise
            raise self._end("the connection is lost") from exc
        raise self._end("the peer has ended the connection")

    def _end(self, what: str) -> ConnectionAbortedError:
        if self._receiver.has_partial_frame:
            return TruncatedStreamError(f"{what} in the middle of a packet")
        return ConnectionAbortedError(what)

    async def _close(self, transport: _StreamT) -> None:
        async with self._send_lock:  # what is being sent goes out first
            await transport.aclose()

    def _abort(self, transport: _StreamT) -> None:
        transport.abort()
