# SPDX-License-Identifier: Apache-2.0
"""Packets both ways over one stream, for threads."""

from __future__ import annotations

import contextlib
import math
import threading
import warnings
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, TypeVar

from easynetwork.exceptions import ClientClosedError, TruncatedStreamError
from easynetwork.lowlevel.socket import ISocket, SocketProxy
from easynetwork.protocol.encoders import encoder_crashed, make_encoder
from easynetwork.protocol.receivers import NEED_DATA, make_receiver

from ._blocking_stream import BlockingByteStream
from ._time_limits import deadline_after, remaining
from .abc import AbstractNetworkClient

if TYPE_CHECKING:
    from easynetwork.protocol import AnyStreamProtocolType

__all__ = ("StreamClientCore",)

_SentT = TypeVar("_SentT")
_ReceivedT = TypeVar("_ReceivedT")


class StreamClientCore(AbstractNetworkClient[_SentT, _ReceivedT]):
    """All of a blocking stream client but its address family."""

    def __init__(
        self,
        stream: BlockingByteStream,
        protocol: AnyStreamProtocolType[_SentT, _ReceivedT],
        max_recv_size: int,
    ) -> None:
        self._encode = make_encoder(protocol)
        self._receiver = make_receiver(protocol, max_recv_size)
        self._max_recv_size = max_recv_size
        self._send_lock = threading.Lock()
        self._receive_lock = threading.Lock()
        self._close_lock = threading.Lock()
        self._closing = False
        self._eof_sent = False
        self._socket_view = SocketProxy(stream.socket)
        self._stream = stream

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        stream: BlockingByteStream | None = getattr(self, "_stream", None)
        if stream is not None and not self._closing:
            _warn(f"unclosed client {self!r}", ResourceWarning, source=self)
            stream.abort()

    @property
    def socket(self) -> ISocket:
        """A view of the socket, for options and the like."""
        return self._socket_view

    def fileno(self) -> int:
        return self._stream.socket.fileno()

    def is_closed(self) -> bool:
        return self._closing

    def send_packet(self, packet: _SentT, *, timeout: float | None = None) -> None:
        deadline = deadline_after(timeout)
        self._check_open()
        try:
            data = self._encode(packet)
        except Exception as exc:
            raise encoder_crashed() from exc
        with self._turn(self._send_lock, deadline):
            if self._eof_sent:
                raise RuntimeError("send_eof() was called: nothing more can be sent")
            self._stream.send(data, deadline)

    def send_eof(self) -> None:
        """Tells the peer that no more will be sent; receiving goes on. Does nothing the second time.

        Raises:
            UnsupportedOperation: TLS cannot end one direction alone.
            ClientClosedError: the client is closed.
        """
        with self._turn(self._send_lock, math.inf):
            if not self._eof_sent:
                self._stream.send_eof()
                self._eof_sent = True

    def recv_packet(self, *, timeout: float | None = None) -> _ReceivedT:
        deadline = deadline_after(timeout)
        with self._turn(self._receive_lock, deadline):
            while (packet := self._receiver.next_packet()) is NEED_DATA:
                self._read(deadline)
            return packet

    def _read(self, deadline: float) -> None:
        if self._receiver.ended:
            raise ConnectionAbortedError("nothing can be read after the bad data that came before")
        try:
            data = self._stream.receive(self._max_recv_size, deadline)
        except TruncatedStreamError:
            raise
        except ConnectionError as exc:
            raise self._end("the connection is lost") from exc
        if not data:
            raise self._end("the peer has ended the connection")
        self._receiver.feed(data)

    def _end(self, what: str) -> ConnectionAbortedError:
        if self._receiver.has_partial_frame:
            return TruncatedStreamError(f"{what} in the middle of a packet")
        return ConnectionAbortedError(what)

    @contextlib.contextmanager
    def _turn(self, lock: threading.Lock, deadline: float) -> Generator[None, None, None]:
        """Waits until other threads are done with the same thing; that counts into the time-out."""
        left = remaining(deadline)
        if not lock.acquire(timeout=-1 if left is None else left):
            raise TimeoutError("another thread kept the client busy")
        try:
            self._check_open()
            try:
                yield
            except ConnectionError:
                self._check_open()  # another thread closed the client meanwhile
                raise
        finally:
            lock.release()

    def _check_open(self) -> None:
        if self._closing:
            raise ClientClosedError("the client is closed")

    def close(self) -> None:
        with self._close_lock:
            if not self._closing:
                self._closing = True
                self._close_stream()

    def _close_stream(self) -> None:
        nobody_sends = self._send_lock.acquire(blocking=False)
        nobody_receives = self._receive_lock.acquire(blocking=False)
        try:
            if nobody_sends:
                self._stream.finish(wait=nobody_receives)
            else:
                self._stream.break_off()  # the packet is cut
        finally:
            # Threads that waited are woken, and leave; new ones find the client closed.
            self._stream.interrupt()
            if not nobody_sends:
                self._send_lock.acquire()
            if not nobody_receives:
                self._receive_lock.acquire()
            self._stream.close()
            self._send_lock.release()
            self._receive_lock.release()
