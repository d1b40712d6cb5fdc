# SPDX-License-Identifier: Apache-2.0
"""What every client can do."""

from __future__ import annotations

import contextlib
import math
from abc import ABCMeta, abstractmethod
from collections.abc import AsyncGenerator, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from ._time_limits import check_seconds, deadline_after, remaining

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend

__all__ = ("AbstractAsyncNetworkClient", "AbstractNetworkClient")

_SentT = TypeVar("_SentT")
_ReceivedT = TypeVar("_ReceivedT")


class AbstractNetworkClient(Generic[_SentT, _ReceivedT], metaclass=ABCMeta):
    """A client that blocks its thread.

    All of it is thread-safe: one thread may receive while another sends or closes.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def is_closed(self) -> bool:
        """Tells whether `close` was called."""

    @abstractmethod
    def close(self) -> None:
        """Closes the client, for good, after the peer has what was sent; safe to repeat.

        Threads that wait in the client get `ClientClosedError`. If one of them was sending, its
        packet is cut and the connection reset.
        """

    @abstractmethod
    def send_packet(self, packet: _SentT, *, timeout: float | None = ...) -> None:
        """Sends ``packet`` and returns when the system has taken all of it.

        If it times out after a part has left, the connection cannot be used any more.

        Args:
            timeout: seconds for all of it, the wait for other threads included; None waits without
                limit.

        Raises:
            ClientClosedError: the client is closed.
            ConnectionError: the connection is lost, or (datagrams) the peer could not be reached.
            OSError: the system refuses the packet, for instance because it is too long for a
                datagram.
            TimeoutError: it took too long.
            ValueError: the time-out is negative or no number.
            RuntimeError: the protocol could not serialize the packet (see the cause); nothing was
                sent.
        """

    @abstractmethod
    def recv_packet(self, *, timeout: float | None = ...) -> _ReceivedT:
        """Waits for the next packet.

        Args:
            timeout: seconds for all of it, the wait for other threads included; 0 takes what is
                there, None waits without limit.

        Raises:
            ClientClosedError: the client is closed.
            ConnectionAbortedError: the peer has ended the connection, or it is lost.
            TruncatedStreamError: the same, in the middle of a packet, or of a TLS session.
            OSError: a datagram could not be delivered, or what came was cut off; the next packet
                can be received.
            BaseProtocolParseError: the peer has sent nonsense; the next packet can be received.
            RuntimeError: the protocol has failed (see the cause).
            TimeoutError: it took too long; nothing is lost.
            ValueError: the time-out is negative or no number.
        """

    def iter_received_packets(self, *, timeout: float | None = 0) -> Generator[_ReceivedT, None, None]:
        """Yields packets until there is none, or the connection ends: every `OSError` ends the
        iteration.

        Args:
            timeout: seconds for the whole iteration; 0 yields what is there, None goes on until the
                end of the connection.

        Raises:
            BaseProtocolParseError: the peer has sent nonsense. A new iteration goes on behind it.
            ValueError: the time-out is negative or no number.
        """
        deadline = deadline_after(timeout)
        with contextlib.suppress(OSError):
            while True:
                yield self.recv_packet(timeout=remaining(deadline))

    @abstractmethod
    def fileno(self) -> int:
        """The socket's descriptor; -1 if the client is closed."""


class AbstractAsyncNetworkClient(Generic[_SentT, _ReceivedT], metaclass=ABCMeta):
    """A client that runs in an event loop. ``async with`` connects it, and closes it at the end."""

    async def __aenter__(self) -> Self:
        try:
            await self.wait_connected()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    @abstractmethod
    def is_connected(self) -> bool:
        """Tells whether there is a connection (which the peer may have ended)."""

    @abstractmethod
    async def wait_connected(self) -> None:
        """Connects, unless that was done; the other operations do it on their own.

        Several tasks may wait at once.

        If one of them is cancelled, another one goes on.

        Raises:
            ClientClosedError: the client is closed, or was closed meanwhile.
            OSError: no connection could be made; trying again is allowed.
        """

    @abstractmethod
    def is_closing(self) -> bool:
        """Tells whether `aclose` was called."""

    @abstractmethod
    async def aclose(self) -> None:
        """Closes the client, for good, after the peer has what was sent; safe to repeat.

        Tasks that wait in the client get `ClientClosedError`. If it is cancelled, the connection is
        closed abruptly.
        """

    @abstractmethod
    async def send_packet(self, packet: _SentT) -> None:
        """Sends ``packet`` and returns when the system has taken all of it.

        Any task may call it at any time.

        If it is cancelled after a part has left, the connection cannot be used any more.

        Raises:
            ClientClosedError: the client is closed.
            ConnectionError: the connection is lost, or (datagrams) the peer could not be reached.
            OSError: the system refuses the packet, for instance because it is too long for a
                datagram.
            RuntimeError: the protocol could not serialize the packet (see the cause); nothing was
                sent.
        """

    @abstractmethod
    async def recv_packet(self) -> _ReceivedT:
        """Waits for the next packet. A cancelled call loses none.

        Raises:
            ClientClosedError: the client is closed.
            ConnectionAbortedError: the peer has ended the connection, or it is lost.
            TruncatedStreamError: the same, in the middle of a packet, or of a TLS session.
            OSError: a datagram could not be delivered, or what came was cut off; the next packet
                can be received.
            BaseProtocolParseError: the peer has sent nonsense; the next packet can be received.
            RuntimeError: the protocol has failed (see the cause).
        """

    async def iter_received_packets(self, *, timeout: float | None = 0) -> AsyncGenerator[_ReceivedT, None]:
        """Yields packets until there is none, or the connection ends: every `OSError` ends the
        iteration.

        Leave it early inside of `contextlib.aclosing` only, as every asynchronous generator; trio
        warns otherwise.

        Args:
            timeout: seconds for the whole iteration, connecting included; 0 yields what is there,
                None goes on until the end of the connection.

        Raises:
            BaseProtocolParseError: the peer has sent nonsense. A new iteration goes on behind it.
            ValueError: the time-out is negative or no number.
        """
        deadline: float | None = None
        if timeout is not None:
            check_seconds("timeout", timeout)
            if not math.isinf(timeout):
                deadline = self.backend().current_time() + timeout
        with contextlib.suppress(OSError):
            while True:
                yield await self._recv_packet_before(deadline)

    async def _recv_packet_before(self, deadline: float | None) -> _ReceivedT:
        """`recv_packet` with a time limit, for clients that know a better way than a cancel
        scope.
        """
        with contextlib.nullcontext() if deadline is None else self.backend().timeout_at(deadline):
            return await self.recv_packet()

    @abstractmethod
    def backend(self) -> AsyncBackend:
        """The event loop's adapter."""
