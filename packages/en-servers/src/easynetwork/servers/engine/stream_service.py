# SPDX-License-Identifier: Apache-2.0
"""A connection from its acceptance to its end."""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from easynetwork.lowlevel.streams import ByteStream, ClosedListenerError, StreamListener

from ..handlers import AsyncStreamRequestHandler
from ..options import ServerLimits, ServerTimeouts
from ..statistics import CloseReason
from .admission import Admission
from .conversation import Outcome, converse
from .counters import Counters
from .log import ClientErrorLog, RateLimit
from .stream_client import StreamClient

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend, TaskGroup
    from easynetwork.protocol import AnyStreamProtocolType

__all__ = ("BACKLOG", "MAX_RECV_SIZE", "StreamService", "as_it_is")

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")

BACKLOG: Final = 512
"""Connections that may wait to be accepted, unless the server's option says otherwise; the kernel may lower it (net.core.somaxconn)."""

MAX_RECV_SIZE: Final = 65536
"""Bytes read at once, unless the server's option says otherwise: below malloc's threshold for mappings of their own (128 KiB), above which every read
would cost page faults."""

_ACCEPT_PAUSE: Final = 0.1
"""Seconds to wait when the system is out of descriptors or memory: they come back when clients leave, not by asking again."""


async def as_it_is(stream: ByteStream) -> ByteStream:
    """Secures nothing."""
    return stream


@dataclass(kw_only=True, eq=False)
class StreamService(Generic[_RequestT, _ResponseT]):
    """What a stream server does with its listeners; the transport is in the values."""

    open_listeners: Callable[[], Awaitable[Sequence[StreamListener]]]
    """Binds the server's addresses."""

    client_attributes: Callable[[ByteStream], tuple[object, Mapping[Any, Callable[[], Any]]]]
    """The address of a peer for the log, and its typed attributes. Raises `OSError` if the connection is gone already."""

    protocol: AnyStreamProtocolType[_ResponseT, _RequestT]
    handler: AsyncStreamRequestHandler[_RequestT, _ResponseT]
    logger: logging.Logger

    limits: ServerLimits = field(default_factory=ServerLimits)
    timeouts: ServerTimeouts = field(default_factory=ServerTimeouts)

    max_recv_size: int
    """Bytes that one read may bring."""

    make_client: Callable[..., StreamClient[_RequestT, _ResponseT]] = StreamClient
    """Gives a connection its handler's side, of the arguments of `StreamClient`."""

    secure: Callable[[ByteStream], Awaitable[ByteStream]] = as_it_is
    """Turns an accepted stream into the one to talk over (TLS); runs in the client's task."""

    network_of: Callable[[Any], bytes | None] = lambda address: None
    """The part of a peer's address that it cannot choose, by which its connections are counted; None where there is none."""

    connection_log_level: int = logging.INFO

    counters: Counters = field(default_factory=Counters, init=False)
    _admission: Admission = field(init=False)
    _is_draining: bool = field(default=False, init=False)

    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1), init=False)
    """For the names of the tasks, which handlers and debuggers see."""

    _accept_trouble: RateLimit = field(default_factory=RateLimit, init=False)
    _handshake_trouble: RateLimit = field(default_factory=RateLimit, init=False)
    _attended: dict[StreamClient[_RequestT, _ResponseT], object] = field(default_factory=dict[Any, object], init=False)

    def __post_init__(self) -> None:
        self._admission = Admission(self.limits, self.counters, self.logger)

    def set_limits(self, limits: ServerLimits) -> None:
        self.limits = limits
        self._admission.set_limits(limits)

    async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any) -> None:
        self._is_draining = False
        await self.handler.service_init(exit_stack, server)

    def attended(self) -> Sequence[object]:
        return tuple(self._attended.values())

    async def serve(self, listener: StreamListener, clients: TaskGroup) -> None:
        """Accepts connections until ``listener`` is closed, and starts a task for each."""
        backend = listener.backend()
        while True:
            await self._admission.wait_for_room(backend)
            try:
                stream = await listener.accept()
            except ClosedListenerError:
                return
            except OSError as exc:
                if self._accept_trouble.allows():
                    self.logger.warning("Cannot accept connections for now: %s", exc)
                await backend.sleep(_ACCEPT_PAUSE)
                continue
            try:
                await self._admission.wait_for_room(backend)  # another listener may have taken it meanwhile
            except BaseException:
                stream.abort()
                raise
            self._start_client(stream, clients)
            await backend.coro_yield()

    async def drain(self, listener: StreamListener, clients: TaskGroup) -> bool:
        """Tells the clients that it was the end, and those who are in the kernel's queue too, where a closed listener would reset them."""
        self._is_draining = True
        backend: AsyncBackend = listener.backend()
        with contextlib.suppress(OSError), backend.move_on_after(0):
            for _ in range(BACKLOG):
                self._start_client(await listener.accept(), clients)
        for client in tuple(self._attended):
            client.end_input(CloseReason.DRAINING)
        return True

    def end_conversations(self) -> None:
        for client in self._attended:
            client.is_over = True

    def _start_client(self, stream: ByteStream, clients: TaskGroup) -> None:
        try:
            address, attributes = self.client_attributes(stream)
        except OSError:
            stream.abort()  # reset before its turn came
            return
        network = self.network_of(address)
        if not self._admission.enter(network):
            self.counters.closed[CloseReason.LIMIT] += 1
            stream.abort()
            return
        stream.send_timeout = math.inf if self.timeouts.send_stall is None else self.timeouts.send_stall
        stream.shutdown_timeout = self.timeouts.shutdown
        name = f"client-{next(self._numbers)}"
        clients.start_soon(self._run_client, stream, address, attributes, network, name=name)

    async def _run_client(
        self,
        accepted: ByteStream,
        address: object,
        attributes: Mapping[Any, Callable[[], Any]],
        network: bytes | None,
    ) -> None:
        try:
            stream = await self._establish(accepted)
            if stream is None:
                self.counters.closed[CloseReason.HANDSHAKE_FAILED] += 1
                return
            client = self.make_client(stream, self, attributes)
            await self._serve_client(client, address)
        finally:
            self._admission.leave(network)

    async def _establish(self, accepted: ByteStream) -> ByteStream | None:
        try:
            return await self.secure(accepted)
        except (ConnectionError, TimeoutError):
            pass  # the peer gave up, or was made to
        except OSError as exc:
            if self._handshake_trouble.allows():
                self.logger.warning("Error in client task (during TLS handshake): %s", exc)
        self.counters.handshakes_failed += 1
        return None

    async def _serve_client(self, client: StreamClient[_RequestT, _ResponseT], address: object) -> None:
        self.logger.log(self.connection_log_level, "Accepted new connection (address = %s)", address)
        self.counters.clients_total += 1
        self._attended[client] = address
        if self._is_draining:
            client.end_input(CloseReason.DRAINING)
        try:
            await self._attend(client, ClientErrorLog(self.logger, self.counters, address))
        except BaseException:
            client.note(CloseReason.CANCELLED)
            raise
        finally:
            del self._attended[client]
            try:
                await client.aclose()
            finally:
                reason = client.reason or CloseReason.HANDLER_CLOSED
                self.counters.closed[reason] += 1
                client.end_traffic()
                self.logger.log(self.connection_log_level, "%s disconnected (%s)", address, reason)

    async def _attend(self, client: StreamClient[_RequestT, _ResponseT], errors: ClientErrorLog) -> None:
        """All that the handler does for one client. Only what is not an `Exception` leaves it."""
        try:
            if not await self._greet(client):
                return
        except (Exception, BaseExceptionGroup) as exc:
            client.note_error(exc)
            errors.handler_failed(exc, connections_break=True)
            return
        try:
            await self._handle_requests(client)
        except (Exception, BaseExceptionGroup) as exc:
            client.note_error(exc)
            errors.handler_failed(exc, connections_break=True)
        finally:
            try:
                await self.handler.on_disconnection(client)
            except (Exception, BaseExceptionGroup) as exc:
                errors.disconnection_hook_failed(exc)

    async def _greet(self, client: StreamClient[_RequestT, _ResponseT]) -> bool:
        """Runs ``on_connection()``, in either of its forms; False if the peer went away meanwhile."""
        greeting = self.handler.on_connection(client)
        if isinstance(greeting, AsyncGenerator):
            return (
                await converse([greeting], client.receive, lambda: client.is_over) is not Outcome.EOF
                or client.is_closing()
            )
        await greeting
        return True

    async def _handle_requests(self, client: StreamClient[_RequestT, _ResponseT]) -> None:
        turns = self._turns(client)
        while (outcome := await converse(turns, client.receive, lambda: client.is_over)) is Outcome.INTERRUPTED:
            await client.backend().coro_yield()  # ends a service that is cancelled, whatever its handler made of that
        if outcome is Outcome.SILENT and not client.has_sent:
            client.abort()  # refused; there is nothing that could get lost

    def _turns(self, client: StreamClient[_RequestT, _ResponseT]) -> Iterator[AsyncGenerator[Any, _RequestT]]:
        handle = self.handler.handle
        while not client.closed:
            yield handle(client)
