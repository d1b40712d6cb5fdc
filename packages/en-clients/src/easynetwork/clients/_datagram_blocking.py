# SPDX-License-Identifier: Apache-2.0
"""Packets both ways over one datagram socket, for threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from easynetwork.protocol.encoders import make_datagram_decoder, make_datagram_encoder

from ._blocking_client import BlockingClient
from ._blocking_datagram import BlockingDatagramSocket
from ._time_limits import deadline_after

if TYPE_CHECKING:
    from easynetwork.protocol import DatagramProtocol

__all__ = ("DatagramClientCore",)

_SentT = TypeVar("_SentT")
_ReceivedT = TypeVar("_ReceivedT")
_T = TypeVar("_T")
_SocketT = TypeVar("_SocketT", bound=BlockingDatagramSocket)


class DatagramClientCore(BlockingClient[_SentT, _ReceivedT, _SocketT]):
    """All of a blocking datagram client but its address family."""

    def __init__(self, sock: _SocketT, protocol: DatagramProtocol[_SentT, _ReceivedT]) -> None:
        self._encode = make_datagram_encoder(protocol)
        self._decode = make_datagram_decoder(protocol)
        super().__init__(sock)

    def send_packet(self, packet: _SentT, *, timeout: float | None = None) -> None:
        self._send_through(self._transport.send, packet, timeout)

    def _send_through(self, send: Callable[[bytes, float], None], packet: _SentT, timeout: float | None) -> None:
        deadline = deadline_after(timeout)
        self._check_open()
        datagram = self._encode(packet)
        with self._turn(self._send_lock, deadline):
            send(datagram, deadline)

    def recv_packet(self, *, timeout: float | None = None) -> _ReceivedT:
        return self._decode(self._receive_through(self._transport.receive, timeout))

    def _receive_through(self, receive: Callable[[float], _T], timeout: float | None) -> _T:
        deadline = deadline_after(timeout)
        with self._turn(self._receive_lock, deadline):
            return receive(deadline)
