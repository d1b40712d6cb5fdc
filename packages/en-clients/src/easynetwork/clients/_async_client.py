# SPDX-License-Identifier: Apache-2.0
"""What all asynchronous clients have in common: connecting when it is needed, once for all tasks,
and closing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket as _socket
import warnings
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from easynetwork.exceptions import ClientClosedError
from easynetwork.lowlevel.datagrams import DatagramEndpoint
from easynetwork.lowlevel.fair_lock import FairLock
from easynetwork.lowlevel.socket import ISocket, SocketAttribute
from easynetwork.lowlevel.streams import ByteStream

from .abc import AbstractAsyncNetworkClient

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend, CancelScope
    from easynetwork.lowlevel.socket import SocketAddress

__all__ = ("AsyncClient",)

_SentT = TypeVar("_SentT")
_ReceivedT = TypeVar("_ReceivedT")
_TransportT = TypeVar("_TransportT", bound=ByteStream | DatagramEndpoint)


class AsyncClient(AbstractAsyncNetworkClient[_SentT, _ReceivedT], Generic[_SentT, _ReceivedT, _TransportT]):
    """One task sends and one receives at a time; the others wait for their turn.

    Args:
        backend: the event loop's adapter.
        connect: makes the connection.
        given_socket: what ``connect`` makes it of, to be closed even if that never happens.
    """

    def __init__(
        self,
        backend: AsyncBackend,
        connect: Callable[[], Awaitable[_TransportT]],
        given_socket: _socket.socket | None,
    ) -> None:
        self._backend = backend
        self._connect = connect
        self._given_socket = given_socket
        self._transport: _TransportT | None = None
        self._connecting: CancelScope | None = None
        self._connect_lock = FairLock(backend)
        self._send_lock = FairLock(backend)
        self._receive_lock = FairLock(backend)
        self._closing = False

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        transport: _TransportT | None = getattr(self, "_transport", None)
        if transport is not None and not transport.is_closing():
            _warn(f"unclosed client {self!r}", ResourceWarning, source=self)
            with contextlib.suppress(Exception):  # the event loop may be gone
                self._abort(transport)

    def backend(self) -> AsyncBackend:
        return self._backend

    def is_connected(self) -> bool:
        return self._transport is not None and not self._closing

    def is_closing(self) -> bool:
        return self._closing

    @property
    def socket(self) -> ISocket:
        """A view of the socket, for options and the like.

        `AttributeError` before the connection is made.
        """
        if self._transport is None:
            raise AttributeError("socket: the client is not connected yet")
        return self._socket_view()

    def _socket_view(self) -> ISocket:
        return self._extra(SocketAttribute.socket)  # type: ignore[no-any-return]

    def _sockname(self) -> SocketAddress:
        return self._extra(SocketAttribute.sockname)  # type: ignore[no-any-return]

    def _peername(self) -> SocketAddress:
        return self._extra(SocketAttribute.peername)  # type: ignore[no-any-return]

    def _extra(self, attribute: Any) -> Any:
        """What the connection tells of itself; a connection that is not there yet is an
        `OSError`.
        """
        if self._transport is None:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return self._transport.extra(attribute)

    # connecting

    async def wait_connected(self) -> None:
        await self._connected()

    async def _connected(self) -> _TransportT:
        self._check_open()
        if self._transport is not None:
            return self._transport
        async with self._connect_lock:
            self._check_open()  # while others tried
            if self._transport is None:
                self._transport = await self._try_to_connect()
            return self._transport

    async def _try_to_connect(self) -> _TransportT:
        transport: _TransportT | None = None
        self._connecting = self._backend.open_cancel_scope()
        try:
            with self._connecting:
                transport = await self._connect()
        finally:
            self._connecting = None
        if transport is not None and self._closing:
            self._abort(transport)
        self._check_open()
        assert transport is not None
        return transport

    def _check_open(self) -> None:
        if self._closing:
            raise ClientClosedError("the client is closed")

    async def _turn_to_receive(self, deadline: float | None) -> _TransportT:
        """Takes the receivers' lock.

        A cancel scope is dear, so there is one only if this may have to wait.
        """
        transport = self._transport
        if transport is not None and self._receive_lock.acquire_nowait():
            return transport
        with contextlib.nullcontext() if deadline is None else self._backend.timeout_at(deadline):
            transport = await self._connected()
            await self._receive_lock.acquire()
        assert transport is not None
        return transport

    # closing

    async def aclose(self) -> None:
        self._closing = True
        if self._connecting is not None:
            self._connecting.cancel()
        try:
            async with self._connect_lock:  # who was connecting has given up
                pass
            if self._transport is not None:
                await self._close(self._transport)
        except BaseException:
            if self._transport is not None:
                self._abort(self._transport)
            raise
        finally:
            # An attempt that is being given up closes the socket itself, after telling the event
            # loop.
            if self._given_socket is not None and self._connecting is None:
                self._given_socket.close()

    @abstractmethod
    async def _close(self, transport: _TransportT) -> None:
        """Closes in order."""

    @abstractmethod
    def _abort(self, transport: _TransportT) -> None:
        """Closes at once."""
