# SPDX-License-Identifier: Apache-2.0
"""Packets both ways over one stream, for event loops."""

from __future__ import annotations

import contextlib
import errno
import os
import warnings
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from easynetwork.exceptions import ClientClosedError, TruncatedStreamError
from easynetwork.lowlevel.fair_lock import FairLock
from easynetwork.lowlevel.streams import ByteStream
from easynetwork.protocol.encoders import encoder_crashed, make_encoder
from easynetwork.protocol.receivers import NEED_DATA, BufferReceiver, make_receiver

from .abc import AbstractAsyncNetworkClient

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend, CancelScope
    from easynetwork.protocol import AnyStreamProtocolType

__all__ = ("AsyncStreamClientCore",)

_SentT = TypeVar("_SentT")
_ReceivedT = TypeVar("_ReceivedT")


class AsyncStreamClientCore(AbstractAsyncNetworkClient[_SentT, _ReceivedT]):
    """All of an asynchronous stream client but its address family."""

    def __init__(
        self,
        backend: AsyncBackend,
        connect: Callable[[], Awaitable[ByteStream]],
        protocol: AnyStreamProtocolType[_SentT, _ReceivedT],
        max_recv_size: int,
    ) -> None:
        self._backend = backend
        self._connect = connect
        self._encode = make_encoder(protocol)
        self._receiver = make_receiver(protocol, max_recv_size)
        self._max_recv_size = max_recv_size
        self._stream: ByteStream | None = None
        self._connecting: CancelScope | None = None
        self._connect_lock = FairLock(backend)
        self._send_lock = FairLock(backend)
        self._receive_lock = FairLock(backend)
        self._closing = False
        self._eof_sent = False

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        stream: ByteStream | None = getattr(self, "_stream", None)
        if stream is not None and not stream.is_closing():
            _warn(f"unclosed client {self!r}", ResourceWarning, source=self)
            with contextlib.suppress(Exception):  # the event loop may be gone
                stream.abort()

    def backend(self) -> AsyncBackend:
        return self._backend

    def is_connected(self) -> bool:
        return self._stream is not None and not self._closing

    def is_closing(self) -> bool:
        return self._closing

    async def wait_connected(self) -> None:
        await self._connected_stream()

    async def _connected_stream(self) -> ByteStream:
        self._check_open()
        if self._stream is not None:
            return self._stream
        async with self._connect_lock:
            self._check_open()  # while others tried
            if self._stream is None:
                self._stream = await self._try_to_connect()
            return self._stream

    async def _try_to_connect(self) -> ByteStream:
        stream: ByteStream | None = None
        self._connecting = self._backend.open_cancel_scope()
        try:
            with self._connecting:
                stream = await self._connect()
        finally:
            self._connecting = None
        if stream is not None and self._closing:
            stream.abort()
        self._check_open()
        assert stream is not None
        return stream

    def _check_open(self) -> None:
        if self._closing:
            raise ClientClosedError("the client is closed")

    def _extra(self, attribute: Any) -> Any:
        """What the connection tells of itself; a connection that is not there yet is an `OSError`."""
        if self._stream is None:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return self._stream.extra(attribute)

    async def send_packet(self, packet: _SentT) -> None:
        stream = await self._connected_stream()
        try:
            data = self._encode(packet)
        except Exception as exc:
            raise encoder_crashed() from exc
        async with self._send_lock:
            self._check_open()
            if self._eof_sent:
                raise RuntimeError("send_eof() was called: nothing more can be sent")
            try:
                await stream.send(data)
            except ConnectionError:
                self._check_open()  # another task closed the client meanwhile
                raise

    async def send_eof(self) -> None:
        """Tells the peer that no more will be sent; receiving goes on. Does nothing the second time.

        Raises:
            UnsupportedOperation: TLS cannot end one direction alone.
            ClientClosedError: the client is closed.
        """
        stream = await self._connected_stream()
        async with self._send_lock:
            self._check_open()
            if not self._eof_sent:
                await stream.send_eof()
                self._eof_sent = True

    async def recv_packet(self) -> _ReceivedT:
        return await self._recv_packet_before(None)

    async def _recv_packet_before(self, deadline: float | None) -> _ReceivedT:
        stream = await self._turn_to_receive(deadline)
        try:
            self._check_open()
            while (packet := self._receiver.next_packet()) is NEED_DATA:
                await self._read(stream, deadline)
            return packet
        finally:
            self._receive_lock.release()

    async def _turn_to_receive(self, deadline: float | None) -> ByteStream:
        """Takes the receivers' lock. A cancel scope is dear, so there is one only if this may have to wait."""
        stream = self._stream
        if stream is not None and self._receive_lock.acquire_nowait():
            return stream
        with contextlib.nullcontext() if deadline is None else self._backend.timeout_at(deadline):
            stream = await self._connected_stream()
            await self._receive_lock.acquire()
        assert stream is not None
        return stream

    async def _read(self, stream: ByteStream, deadline: float | None) -> None:
        receiver = self._receiver
        if receiver.ended:
            raise ConnectionAbortedError("nothing can be read after the bad data that came before")
        try:
            if isinstance(receiver, BufferReceiver):
                size = await stream.receive_into(receiver.get_buffer, deadline)
                if size:
                    return receiver.buffer_updated(size)
            else:
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

    async def aclose(self) -> None:
        self._closing = True
        if self._connecting is not None:
            self._connecting.cancel()
        try:
            async with self._connect_lock:  # who was connecting has given up
                pass
            if self._stream is not None:
                async with self._send_lock:  # what is being sent goes out first
                    await self._stream.aclose()
        except BaseException:
            if self._stream is not None:
                self._stream.abort()
            raise
