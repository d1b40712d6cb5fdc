# SPDX-License-Identifier: Apache-2.0
"""The life of an asynchronous server, whatever it serves."""

from __future__ import annotations

import contextlib
import logging
import warnings
import weakref
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from easynetwork.exceptions import BusyResourceError, ServerAlreadyRunning, ServerClosedError
from easynetwork.lowlevel.interrupts import unwrapped_interrupts
from easynetwork.lowlevel.socket import ISocket, SocketAddress, SocketAttribute

from ..abc import AbstractAsyncNetworkServer, SupportsEventSet
from ..options import ServerLimits, ServerTimeouts
from ..statistics import ServerStatistics
from .arguments import check_drain, check_type
from .counters import Counters

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend, CancelScope, TaskGroup

    from .settings import DatagramSettings, StreamSettings

__all__ = ("BaseAsyncNetworkServer", "Service")


class Listener(Protocol):
    """What the life of a server needs of its listeners, of streams or of datagrams."""

    def is_closing(self) -> bool: ...

    async def aclose(self) -> None: ...

    @property
    def extra(self) -> Callable[..., Any]: ...


_ListenerT = TypeVar("_ListenerT", bound=Listener)
_ListenerT_contra = TypeVar("_ListenerT_contra", bound=Listener, contravariant=True)
_AddressT = TypeVar("_AddressT", bound=SocketAddress)


class Service(Protocol[_ListenerT_contra]):
    """What a server does between its opening and its closing."""

    @property
    def settings(self) -> StreamSettings[Any, Any] | DatagramSettings[Any, Any, Any]: ...

    async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any) -> None: ...

    @property
    def counters(self) -> Counters: ...

    def set_limits(self, limits: ServerLimits) -> None: ...

    async def serve(self, listener: _ListenerT_contra, clients: TaskGroup) -> None:
        """Serves until ``listener`` is closed, with a task in ``clients`` for each client."""

    async def drain(self, listener: _ListenerT_contra, clients: TaskGroup) -> bool:
        """`serve` was cancelled: handlers are told the end at their next ``yield``.

        Tells whether ``listener`` is of no more use to them.
        """
        ...

    def end_drivers(self) -> None:
        """The tasks of the clients have been cancelled: a handler that goes on all the same shall
        be closed when it asks for a packet.
        """

    def active(self) -> Sequence[object]:
        """The addresses of the clients that the handler has at the moment. Thread-safe."""
        ...


class _Run:
    """One call of ``serve_forever()``."""

    def __init__(self, backend: AsyncBackend) -> None:
        self.setting_up = backend.open_cancel_scope()
        self.serving = backend.open_cancel_scope()
        self.accepting = backend.open_cancel_scope()
        self.ended = backend.create_event()
        self.is_set_up = False
        self.is_accepting = False
        self.is_draining = False

    def cancel(self) -> None:
        self.is_draining = False
        (self.serving if self.is_set_up else self.setting_up).cancel()

    def drain(self) -> None:
        self.is_draining, self.is_accepting = True, False
        self.accepting.cancel()


class _EndOfService(BaseException):
    """Ends what the service has running, as a task group on its exit stack, when no client is left.

    A cancellation would end it too, but then what its clean-up awaits would be interrupted, on
    every loop in its own way. This is no `Exception`, because it is nobody's error.
    """


class BaseAsyncNetworkServer(AbstractAsyncNetworkServer, Generic[_ListenerT, _AddressT]):
    """Opening, serving and closing; the transports give it a `Service` and a name.

    Args:
        backend: the event loop's adapter.
        service: what to do with the listeners.
        open_listeners: binds the server's addresses.
        logger: where to say what happens.
    """

    def __init__(
        self,
        backend: AsyncBackend,
        service: Service[_ListenerT],
        open_listeners: Callable[[], Awaitable[Sequence[_ListenerT]]],
        logger: logging.Logger,
    ) -> None:
        self._backend = backend
        self._service = service
        self._open_listeners = open_listeners
        self._logger = logger
        self._listeners: Sequence[_ListenerT] = ()
        self._addresses: tuple[_AddressT, ...] = ()
        self._activation_lock = backend.create_lock()
        self._activation: CancelScope | None = None
        self._closed = False
        self._run: _Run | None = None

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        if getattr(self, "_listeners", ()):
            _warn(f"unclosed server {self!r}", ResourceWarning, source=self)

    def backend(self) -> AsyncBackend:
        return self._backend

    @property
    def logger(self) -> logging.Logger:
        """Where the server says what happens."""
        return self._logger

    def is_listening(self) -> bool:
        return bool(self._listeners) and not any(listener.is_closing() for listener in self._listeners)

    def is_draining(self) -> bool:
        return self._run is not None and self._run.is_draining

    @property
    def timeouts(self) -> ServerTimeouts:
        return self._service.settings.timeouts

    @property
    def limits(self) -> ServerLimits:
        return self._service.settings.limits

    @limits.setter
    def limits(self, limits: ServerLimits) -> None:
        check_type("limits", limits, ServerLimits)
        self._service.set_limits(limits)

    def statistics(self) -> ServerStatistics:
        return self._service.counters.snapshot(len(self._service.active()))

    def is_serving(self) -> bool:
        return self._run is not None and self._run.is_accepting and self.is_listening()

    def get_addresses(self) -> tuple[_AddressT, ...]:
        """The addresses that the server is bound to; empty while it does not listen."""
        return self._addresses

    def get_sockets(self) -> tuple[ISocket, ...]:
        """Views of the listening sockets, for options and the like; empty while the server does not
        listen.
        """
        return tuple(listener.extra(SocketAttribute.socket) for listener in self._listeners)

    def describe_handler(self) -> tuple[str, Sequence[object]]:
        """The name of the request handler's class, and the addresses of the clients that it has.

        Thread-safe.
        """
        kind = type(self._service.settings.handler)
        return f"{kind.__module__}.{kind.__qualname__}", self._service.active()

    async def server_activate(self) -> None:
        async with self._activation_lock:
            self._check_not_closed()
            if self._listeners:
                return
            listeners: Sequence[_ListenerT] = ()
            self._activation = activation = self._backend.open_cancel_scope()
            with activation:
                listeners = await self._open_listeners()
            if self._closed:
                await self._close_all(listeners)
            self._check_not_closed()
            self._listeners = listeners
            # Asked for now, because other threads want to know, and a socket may be closed while it
            # tells them.
            self._addresses = tuple(listener.extra(SocketAttribute.sockname) for listener in listeners)

    def _check_not_closed(self) -> None:
        if self._closed:
            raise ServerClosedError("the server is closed")

    async def server_close(self) -> None:
        if self._run is not None and not self._run.is_set_up:
            raise BusyResourceError("the server is being set up by serve_forever()")
        self._closed = True
        if self._activation is not None:
            self._activation.cancel()
        await self.stop_listening()

    async def stop_listening(self) -> None:
        """Closes the listeners. Unlike after `server_close`, the server can be activated again."""
        listeners, self._listeners, self._addresses = self._listeners, (), ()
        await self._close_all(listeners)

    async def _close_all(self, listeners: Sequence[_ListenerT]) -> None:
        async with contextlib.AsyncExitStack() as closing:  # each one is closed, whatever happens to the others
            for listener in listeners:
                closing.push_async_callback(self._close, listener)

    async def _close(self, listener: _ListenerT) -> None:
        try:
            await listener.aclose()
        except OSError as exc:  # it is closed, but its socket file is still there
            self._logger.error("%s", exc.strerror or exc)

    async def shutdown(self, *, drain: float | None = None) -> None:
        check_drain(drain)
        run = self._run
        if run is None:
            return
        try:
            if drain is not None and run.is_set_up:
                run.drain()
                with self._backend.move_on_after(drain):
                    await run.ended.wait()
        finally:
            run.cancel()
            self._service.end_drivers()
        await run.ended.wait()

    async def serve_forever(self, *, is_up_event: SupportsEventSet | None = None) -> None:
        self._check_not_closed()
        if self._run is not None:
            raise ServerAlreadyRunning("the server is already running")
        self._run = run = _Run(self._backend)
        try:
            with unwrapped_interrupts(), run.setting_up:
                await self._set_up_and_serve(run, is_up_event)
        finally:
            self._run = None
            run.ended.set()

    async def _set_up_and_serve(self, run: _Run, is_up_event: SupportsEventSet | None) -> None:
        await self.server_activate()
        try:
            async with contextlib.AsyncExitStack() as service:
                await self._service.service_init(service, weakref.proxy(self))
                try:
                    with run.serving:
                        await self._serve(run, is_up_event)
                finally:
                    self._logger.info("Server stopped")
                raise _EndOfService
        except* _EndOfService:
            pass

    async def _serve(self, run: _Run, is_up_event: SupportsEventSet | None) -> None:
        async with self._backend.create_task_group() as clients:
            with self._accepting(run):
                with run.accepting:
                    async with self._backend.create_task_group() as acceptors:
                        for listener in self._listeners:
                            acceptors.start_soon(self._service.serve, listener, clients)
                        self._logger.info("Start serving at %s", ", ".join(map(str, self.get_addresses())))
                        run.is_set_up = run.is_accepting = True
                        if is_up_event is not None:
                            is_up_event.set()
                if run.is_draining:
                    await self._drain(clients)

    async def _drain(self, clients: TaskGroup) -> None:
        self._logger.info("Draining: no more clients are accepted, and requests are finished")
        unused = [listener for listener in self._listeners if await self._service.drain(listener, clients)]
        if unused:
            await self.stop_listening()

    @contextlib.contextmanager
    def _accepting(self, run: _Run) -> Generator[None]:
        try:
            yield
        except BaseException:
            self._service.end_drivers()
            raise
        finally:
            run.is_set_up, run.is_accepting = True, False
            self._logger.info("Server loop break, waiting for remaining tasks...")
