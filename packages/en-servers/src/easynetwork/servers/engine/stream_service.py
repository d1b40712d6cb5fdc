# SPDX-License-Identifier: Apache-2.0
"""A connection from its acceptance to its end."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from easynetwork.lowlevel.streams import ByteStream, ClosedListenerError, StreamListener

from ..options import ServerLimits
from ..statistics import CloseReason
from .connection_limiter import ConnectionLimiter, network_of
from .counters import Counters
from .driver import Outcome, drive
from .log import ClientErrorLog, RateLimit
from .settings import PeerAttributes, StreamSettings
from .stream_connection import StreamConnection

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import TaskGroup


__all__ = ("StreamService",)

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")

_ACCEPT_PAUSE: Final = 0.1
"""Seconds to wait when the system is out of descriptors or memory: they come back when clients
leave, not by asking again."""


class StreamService(Generic[_RequestT, _ResponseT]):
    """What a stream server does with its listeners; the transport is in the settings.

    Args:
        settings: of the server.
        make_connection: makes the connection of an accepted stream, of the arguments of
            `StreamConnection`.
    """

    def __init__(
        self,
        settings: StreamSettings[_RequestT, _ResponseT],
        make_connection: Callable[..., StreamConnection[_RequestT, _ResponseT]] = StreamConnection,
    ) -> None:
        self.settings = settings
        """As they are now: limits may change while the server runs."""
        self._make_connection = make_connection
        self._handle = settings.handler.handle
        self.counters = Counters()
        self._limiter = ConnectionLimiter(settings.limits, self.counters, settings.logger)
        self._is_draining = False
        self._numbers = itertools.count(1)  # for the names of the tasks, which handlers and debuggers see
        self._accept_trouble = RateLimit()
        self._handshake_trouble = RateLimit()
        self._active: dict[StreamConnection[_RequestT, _ResponseT], object] = {}  # with the addresses of their peers

    def set_limits(self, limits: ServerLimits) -> None:
        self.settings = replace(self.settings, limits=limits)
        self._limiter.set_limits(limits)

    async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any) -> None:
        self._is_draining = False
        await self.settings.handler.service_init(exit_stack, server)

    def active(self) -> Sequence[object]:
        return tuple(self._active.values())

    async def serve(self, listener: StreamListener, clients: TaskGroup) -> None:
        """Accepts connections until ``listener`` is closed, and starts a task for each."""
        backend = self.settings.backend
        while True:
            await self._limiter.wait_for_room(backend)
            try:
                stream = await listener.accept()
            except ClosedListenerError:
                return
            except OSError as exc:
                if self._accept_trouble.allows():
                    self.settings.logger.warning("Cannot accept connections for now: %s", exc)
                await backend.sleep(_ACCEPT_PAUSE)
                continue
            try:
                await self._limiter.wait_for_room(backend)  # another listener may have taken it meanwhile
            except BaseException:
                stream.abort()
                raise
            self._start_client(stream, clients)
            await backend.coro_yield()

    async def drain(self, listener: StreamListener, clients: TaskGroup) -> bool:
        """Tells the clients that it was the end, and those who are in the kernel's queue too, where
        a closed listener would reset them.
        """
        self._is_draining = True
        with contextlib.suppress(OSError):
            for _ in range(listener.backlog + 1):  # Linux lets one more wait
                if (stream := listener.accept_nowait()) is None:
                    break
                self._start_client(stream, clients)
        for client in tuple(self._active):
            client.end_input(CloseReason.DRAINING)
        return True

    def end_drivers(self) -> None:
        for client in self._active:
            client.is_over = True

    def _start_client(self, stream: ByteStream, clients: TaskGroup) -> None:
        self._limiter.enter()
        stream.send_timeout = (
            math.inf if self.settings.timeouts.send_stall is None else self.settings.timeouts.send_stall
        )
        stream.shutdown_timeout = self.settings.timeouts.shutdown
        clients.start_soon(self._run_client, stream, clients, name=f"client-{next(self._numbers)}")

    async def _run_client(self, accepted: ByteStream, clients: TaskGroup) -> None:
        """Serves a connection, from its acceptance to its last log line.

        This is where requests are waited for, without another coroutine in between: each would take
        memory for as long as the connection lasts.
        """
        settings, backend = self.settings, self.settings.backend
        network: bytes | None = None
        try:
            admitted = await self._admit(accepted, clients)
            del accepted
            if admitted is None:
                return
            client, address = admitted
            del admitted
            network = network_of(address)
            settings.logger.log(settings.connection_log_level, "Accepted new connection (address = %s)", address)
            self.counters.clients_total += 1
            self._active[client] = address
            if self._is_draining:
                client.end_input(CloseReason.DRAINING)
            is_connected = False
            try:
                is_connected = await self._run_on_connection(client)
                if is_connected and not client.closed:
                    while (outcome := await backend.run_steps(drive(self._handle, client))) is Outcome.CANCELLED:
                        # Ends a service that is cancelled, whatever its handler made of that.
                        await backend.coro_yield()
                    if outcome is Outcome.NOT_STARTED and not client.has_sent:
                        client.abort()  # refused; there is nothing that could get lost
            except (Exception, BaseExceptionGroup) as exc:
                client.note_error(exc)
                self._error_log(address).handler_failed(exc, connections_break=True)
            except BaseException:
                client.note(CloseReason.CANCELLED)
                raise
            finally:
                await self._end_client(client, address, is_connected)
        finally:
            self._limiter.leave(network)

    async def _admit(
        self, accepted: ByteStream, clients: TaskGroup
    ) -> tuple[StreamConnection[_RequestT, _ResponseT], object] | None:
        """Makes a connection ready for packets, and returns it with the address of its peer.

        None if that has failed, or the peer has too many.
        """
        settings = self.settings
        try:
            established = await settings.establish(accepted)
        except OSError as exc:
            self._handshake_failed(exc)
            return None
        try:
            address, attributes = settings.describe_peer(established.stream)
        except OSError:
            established.stream.abort()  # reset before it was served
            return None
        address = established.address or address
        if not self._limiter.admit(network_of(address)):
            self.counters.closed[CloseReason.LIMIT] += 1
            established.stream.abort()
            return None
        if established.attributes:
            attributes = partial(_merged, attributes, established.attributes)
        client = self._make_connection(settings, established.stream, self.counters, attributes, clients)
        client.take_early_bytes(established.early_bytes)
        return client, address

    def _handshake_failed(self, error: OSError) -> None:
        gave_up = isinstance(error, ConnectionError | TimeoutError)  # the peer, or it was made to
        if not gave_up and self._handshake_trouble.allows():
            self.settings.logger.warning("Error in client task (during TLS handshake): %s", error)
        self.counters.handshakes_failed += 1
        self.counters.closed[CloseReason.HANDSHAKE_FAILED] += 1

    async def _run_on_connection(self, client: StreamConnection[_RequestT, _ResponseT]) -> bool:
        """Runs ``on_connection()``, in either of its forms; False if the peer went away
        meanwhile.
        """
        call = self.settings.handler.on_connection(client)
        if isinstance(call, AsyncGenerator):
            steps = drive(lambda _: call, client, once=True)
            return await client.backend().run_steps(steps) is not Outcome.END or client.is_closing()
        await call
        return True

    async def _end_client(
        self, client: StreamConnection[_RequestT, _ResponseT], address: object, is_connected: bool
    ) -> None:
        """Runs ``on_disconnection()`` if the handler knows the client, and closes the
        connection.
        """
        try:
            client.uncork()
            if is_connected:
                await self._run_on_disconnection(client, address)
        except BaseException:
            client.note(CloseReason.CANCELLED)
            raise
        finally:
            del self._active[client]
            try:
                await client.aclose()
            finally:
                reason = client.reason or CloseReason.HANDLER_CLOSED
                self.counters.closed[reason] += 1
                settings = self.settings
                settings.logger.log(settings.connection_log_level, "%s disconnected (%s)", address, reason)

    async def _run_on_disconnection(self, client: StreamConnection[_RequestT, _ResponseT], address: object) -> None:
        try:
            await self.settings.handler.on_disconnection(client)
        except (Exception, BaseExceptionGroup) as exc:
            self._error_log(address).disconnection_hook_failed(exc)

    def _error_log(self, address: object) -> ClientErrorLog:
        return ClientErrorLog(self.settings.logger, self.counters, address)


def _merged(attributes: PeerAttributes, more: Mapping[Any, Callable[[], Any]]) -> Mapping[Any, Callable[[], Any]]:
    return {**attributes(), **more}
