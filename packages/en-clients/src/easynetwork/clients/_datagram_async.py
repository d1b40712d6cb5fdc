# SPDX-License-Identifier: Apache-2.0
"""Packets both ways over one datagram socket, for event loops."""

from __future__ import annotations

import contextlib
import socket as _socket
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, TypeVar

from easynetwork.lowlevel.datagrams import DatagramEndpoint
from easynetwork.protocol.encoders import make_datagram_decoder, make_datagram_encoder

from ._async_client import AsyncClient

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
    from easynetwork.protocol import DatagramProtocol

__all__ = ("AsyncDatagramClientCore",)

_SentT = TypeVar("_SentT")
_ReceivedT = TypeVar("_ReceivedT")
_T = TypeVar("_T")
_EndpointT = TypeVar("_EndpointT", bound=DatagramEndpoint)


class AsyncDatagramClientCore(AsyncClient[_SentT, _ReceivedT, _EndpointT]):
    """All of an asynchronous datagram client but its address family."""

    def __init__(
        self,
        backend: AsyncBackend,
        connect: Callable[[], Awaitable[_EndpointT]],
        given_socket: _socket.socket | None,
        protocol: DatagramProtocol[_SentT, _ReceivedT],
    ) -> None:
        super().__init__(backend, connect, given_socket)
        self._encode = make_datagram_encoder(protocol)
        self._decode = make_datagram_decoder(protocol)

    async def send_packet(self, packet: _SentT) -> None:
        endpoint = await self._connected()
        await self._send_through(endpoint.send, packet)

    async def _send_through(self, send: Callable[[bytes], Awaitable[None]], packet: _SentT) -> None:
        datagram = self._encode(packet)
        async with self._send_lock:
            with self._closed_meanwhile():
                await send(datagram)

    async def recv_packet(self) -> _ReceivedT:
        return await self._recv_packet_before(None)

    async def _recv_packet_before(self, deadline: float | None) -> _ReceivedT:
        return self._decode(await self._receive_through(lambda endpoint: endpoint.receive(deadline), deadline))

    async def _receive_through(self, receive: Callable[[_EndpointT], Awaitable[_T]], deadline: float | None) -> _T:
        endpoint = await self._turn_to_receive(deadline)
        try:
            with self._closed_meanwhile():
                return await receive(endpoint)
        finally:
            self._receive_lock.release()

    @contextlib.contextmanager
    def _closed_meanwhile(self) -> Generator[None, None, None]:
        """What fails because another task has closed the client says so."""
        self._check_open()
        try:
            yield
        except OSError:
            self._check_open()
            raise

    async def _close(self, transport: _EndpointT) -> None:
        await transport.aclose()

    def _abort(self, transport: _EndpointT) -> None:
        # Closing a datagram socket is a coroutine that has nothing to wait for: its first step is
        # all of it.
        closing = transport.aclose()
        try:
            closing.send(None)
        except StopIteration:
            pass
        finally:
            closing.close()
