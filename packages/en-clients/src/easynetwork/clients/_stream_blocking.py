# SPDX-License-Identifier: Apache-2.0
"""Packets both ways over one stream, for threads."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from easynetwork.exceptions import TruncatedStreamError
from easynetwork.protocol.encoders import encoder_crashed, make_encoder
from easynetwork.protocol.receivers import NEED_DATA, NeedData, make_receiver

from ._blocking_client import BlockingClient
from ._blocking_stream import BlockingByteStream
from ._time_limits import deadline_after

if TYPE_CHECKING:
    from easynetwork.protocol import AnyStreamProtocolType

__all__ = ("StreamClientCore",)

_SentT = TypeVar("_SentT")
_ReceivedT = TypeVar("_ReceivedT")
_StreamT = TypeVar("_StreamT", bound=BlockingByteStream)


class StreamClientCore(BlockingClient[_SentT, _ReceivedT, _StreamT]):
    """All of a blocking stream client but its address family."""

    def __init__(
        self,
        stream: _StreamT,
        protocol: AnyStreamProtocolType[_SentT, _ReceivedT],
        max_recv_size: int,
    ) -> None:
        self._encode = make_encoder(protocol)
        self._receiver = make_receiver(protocol, max_recv_size)
        self._next_packet: Callable[[], _ReceivedT | NeedData] = self._receiver.next_packet
        self._max_recv_size = max_recv_size
        self._eof_sent = False
        super().__init__(stream)

    def send_packet(self, packet: _SentT, *, timeout: float | None = None) -> None:
        self._send_through(self._transport.send, packet, timeout)

    def _send_through(self, send: Callable[[bytes, float], None], packet: _SentT, timeout: float | None) -> None:
        deadline = deadline_after(timeout)
        self._check_open()
        try:
            data = self._encode(packet)
        except Exception as exc:
            raise encoder_crashed() from exc
        with self._turn(self._send_lock, deadline):
            if self._eof_sent:
                raise RuntimeError("send_eof() was called: nothing more can be sent")
            send(data, deadline)

    def send_eof(self) -> None:
        """Tells the peer that no more will be sent; receiving goes on.

        Does nothing the second time.

        Raises:
            UnsupportedOperation: TLS cannot end one direction alone.
            ClientClosedError: the client is closed.
        """
        with self._turn(self._send_lock, math.inf):
            if not self._eof_sent:
                self._transport.send_eof()
                self._eof_sent = True

    def recv_packet(self, *, timeout: float | None = None) -> _ReceivedT:
        return self._receive_through(self._next_packet, timeout)

    def _receive_through(self, next_packet: Callable[[], _ReceivedT | NeedData], timeout: float | None) -> _ReceivedT:
        deadline = deadline_after(timeout)
        with self._turn(self._receive_lock, deadline):
            while (packet := next_packet()) is NEED_DATA:
                self._read(deadline)
            return packet

    def _read(self, deadline: float) -> None:
        if self._receiver.ended:
            raise ConnectionAbortedError("nothing can be read after the bad data that came before")
        try:
            data = self._transport.receive(self._max_recv_size, deadline)
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
