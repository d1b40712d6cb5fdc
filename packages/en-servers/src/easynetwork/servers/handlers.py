# SPDX-License-Identifier: Apache-2.0
"""What a user writes, and the clients that it is given."""

from __future__ import annotations

import contextlib
from abc import ABCMeta, abstractmethod
from collections.abc import AsyncGenerator, Coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from easynetwork.exceptions import UnsupportedOperation
from easynetwork.lowlevel.request_handler import RecvParams
from easynetwork.lowlevel.socket import (
    IPv4SocketAddress,
    IPv6SocketAddress,
    ISocket,
    UnixCredentials,
    UnixSocketAddress,
)
from easynetwork.lowlevel.typed_attr import TypedAttributeProvider, TypedAttributeSet, typed_attribute

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend

__all__ = (
    "AsyncBaseClientInterface",
    "AsyncDatagramClient",
    "AsyncDatagramRequestHandler",
    "AsyncStreamClient",
    "AsyncStreamRequestHandler",
    "INETClientAttribute",
    "UNIXClientAttribute",
)

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")


class INETClientAttribute(TypedAttributeSet):
    """What `AsyncBaseClientInterface.extra` tells about a client of a TCP or UDP server."""

    socket: ISocket = typed_attribute()
    local_address: IPv4SocketAddress | IPv6SocketAddress = typed_attribute()
    remote_address: IPv4SocketAddress | IPv6SocketAddress = typed_attribute()


class UNIXClientAttribute(TypedAttributeSet):
    """What `AsyncBaseClientInterface.extra` tells about a client of a Unix socket server."""

    socket: ISocket = typed_attribute()
    local_name: UnixSocketAddress = typed_attribute()
    peer_name: UnixSocketAddress = typed_attribute()
    peer_credentials: UnixCredentials = typed_attribute()


class AsyncBaseClientInterface(TypedAttributeProvider, Generic[_ResponseT], metaclass=ABCMeta):
    """One peer, as a handler sees it."""

    @abstractmethod
    async def send_packet(self, packet: _ResponseT, /) -> None:
        """Sends ``packet``; any task may call it at any time, and whole packets never mix.

        When it returns, the kernel has the packet, or will have it before the handler waits for
        anything: answers to requests that were received together leave together (*corking*). It
        waits while the peer does not read. If it is cancelled after a part has left, the connection
        is aborted and later calls raise.

        Raises:
            ClientClosedError: the client is closed.
            ConnectionError: the connection is lost.
            RuntimeError: the protocol could not serialize the packet (see the cause); nothing was
                sent.
        """

    async def send_packet_with_ancillary(self, packet: _ResponseT, ancillary_data: Any, /) -> None:
        """Sends ``packet`` together with control messages, in one system call.

        Args:
            ancillary_data: a ``SocketAncillary``, or an iterable of raw ``(level, type, data)``
                tuples.

        Raises:
            UnsupportedOperation: this transport has no control messages.
        """
        raise UnsupportedOperation("this transport cannot send control messages")

    @abstractmethod
    def is_closing(self) -> bool:
        """Tells whether the client is closed, or about to be."""

    @abstractmethod
    def backend(self) -> AsyncBackend:
        """The event loop's adapter: time-outs, tasks, threads."""


class AsyncStreamClient(AsyncBaseClientInterface[_ResponseT]):
    """A connected peer."""

    @abstractmethod
    async def aclose(self) -> None:
        """Waits until the peer has all that was sent, then closes the connection. Safe to repeat.

        If it is cancelled, the connection is closed abruptly.
        """


class AsyncDatagramClient(AsyncBaseClientInterface[_ResponseT]):
    """The address of a peer. Two clients are equal if they are the same peer on the same server."""

    @abstractmethod
    def __hash__(self) -> int: ...

    @abstractmethod
    def __eq__(self, other: object, /) -> bool: ...


class AsyncStreamRequestHandler(Generic[_RequestT, _ResponseT], metaclass=ABCMeta):
    """What a server does with its connections. There is one instance for the whole server."""

    async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any, /) -> None:
        """Called once by each ``serve_forever()``, before any client.

        Args:
            exit_stack: is unwound after the last client task has ended, as by an error, so that
                task groups on it end. What is on it may wait.
            server: a weak reference (proxy) to the server.
        """

    @abstractmethod
    def handle(self, client: AsyncStreamClient[_ResponseT], /) -> AsyncGenerator[RecvParams | float | None, _RequestT]:
        """An asynchronous generator: each ``yield`` waits for the next request.

        Whatever goes wrong while it waits is raised at the ``yield``: `StreamProtocolParseError`
        for a bad frame, `TimeoutError` for a `RecvParams` with a time-out, cancellation,
        `RuntimeError` for a protocol that has crashed (its cause; nothing can be read after that).
        When the peer ends the connection, the generator is closed (`GeneratorExit`).

        Returning after a request: called again for the next one. Returning before the first
        ``yield``, or raising: the connection is closed.
        """

    def on_connection(
        self, client: AsyncStreamClient[_ResponseT], /
    ) -> Coroutine[Any, Any, None] | AsyncGenerator[RecvParams | float | None, _RequestT]:
        """Called once for each connection before `handle`: a coroutine function, or a generator
        like `handle` that may ask for requests.

        If it raises, or the peer goes away while it waits, neither `handle` nor `on_disconnection`
        is called.
        """
        return _nothing()

    async def on_disconnection(self, client: AsyncStreamClient[_ResponseT], /) -> None:
        """Called once when `handle` will not be called again for this client, whose connection may
        be gone already.
        """


async def _nothing() -> None:
    """What most handlers do on connection."""


class AsyncDatagramRequestHandler(Generic[_RequestT, _ResponseT], metaclass=ABCMeta):
    """What a server does with its datagrams. There is one instance for the whole server."""

    async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any, /) -> None:
        """Called once by each ``serve_forever()``, before any client.

        Args:
            exit_stack: is unwound after the last client task has ended, as by an error, so that
                task groups on it end. What is on it may wait.
            server: a weak reference (proxy) to the server.
        """

    @abstractmethod
    def handle(
        self, client: AsyncDatagramClient[_ResponseT], /
    ) -> AsyncGenerator[RecvParams | float | None, _RequestT]:
        """An asynchronous generator: each ``yield`` waits for the next datagram of this peer.

        It is started when a datagram is there. The first ``yield`` parses it; returning before
        discards it.
        """
