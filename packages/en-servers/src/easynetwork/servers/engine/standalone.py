# SPDX-License-Identifier: Apache-2.0
"""Servers for programs that have no event loop: each ``serve_forever()`` runs one."""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from easynetwork.exceptions import BusyResourceError, ServerAlreadyRunning, ServerClosedError
from easynetwork.lowlevel.api_async.backend.utils import ensure_backend
from easynetwork.lowlevel.socket import ISocket, SocketAddress

from ..abc import AbstractNetworkServer, SupportsEventSet
from ..options import ServerLimits, ServerTimeouts
from ..statistics import ServerStatistics
from .arguments import check_drain, check_type
from .server import BaseAsyncNetworkServer
from .signals import ending_by_signals

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend, ThreadsPortal
    from easynetwork.lowlevel.api_async.backend.utils import BuiltinAsyncBackendLiteral

__all__ = ("BaseStandaloneNetworkServer", "standalone_backend")

_AddressT = TypeVar("_AddressT", bound=SocketAddress)

_NAMED_CLIENTS = 10
"""Those that a log record names; all others are counted."""


class BaseStandaloneNetworkServer(AbstractNetworkServer, Generic[_AddressT]):
    """Runs an asynchronous server in an event loop, again and again.

    Args:
        server: what to run.
        runner_options: how the event loop is run, see `AsyncBackend.bootstrap`.
    """

    def __init__(
        self, server: BaseAsyncNetworkServer[Any, _AddressT], runner_options: Mapping[str, Any] | None
    ) -> None:
        self._server = server
        self._runner_options = runner_options
        self._limits = server.limits  # as they were set last, maybe a moment before the event loop knows
        self._lock = threading.Lock()
        self._closed = False
        self._run: _Run | None = None

    def is_serving(self) -> bool:
        return self._server.is_serving()

    def get_addresses(self) -> tuple[_AddressT, ...]:
        """The addresses that the server is bound to; empty while it does not run. Thread-safe."""
        return self._server.get_addresses()

    def get_sockets(self) -> tuple[ISocket, ...]:
        """Views of the listening sockets, for options and the like; empty while the server does not
        run. Thread-safe.
        """
        return self._server.get_sockets()

    @property
    def limits(self) -> ServerLimits:
        return self._limits

    @limits.setter
    def limits(self, limits: ServerLimits) -> None:
        check_type("limits", limits, ServerLimits)
        self._limits = limits

        async def set_limits() -> None:
            self._server.limits = limits

        with self._lock:
            run = self._run
            if run is None or run.request(set_limits) is None:
                self._server.limits = limits

    @property
    def timeouts(self) -> ServerTimeouts:
        return self._server.timeouts

    def is_draining(self) -> bool:
        return self._server.is_draining()

    def statistics(self) -> ServerStatistics:
        return self._server.statistics()

    def serve_forever(
        self,
        *,
        is_up_event: SupportsEventSet | None = None,
        runner_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Serves in this thread until `shutdown` is called, or until the server is closed and its
        last client is gone.

        Can be called again after it has returned, and then binds its addresses anew. In the main
        thread, Ctrl-C and SIGTERM end it as `shutdown` does (SIGTERM if the program has no handler
        of its own for it); a second SIGTERM ends the process at once. If the server's time-outs
        have a time to drain, the first SIGTERM gives it to the handlers, the second cancels them,
        and the third ends the process.

        Args:
            is_up_event: is set when clients are accepted: a `threading.Event`, or anything with
                ``set()``.
            runner_options: in place of what the constructor was given.

        Raises:
            ServerClosedError: the server is closed.
            ServerAlreadyRunning: another thread is in this method.
            RuntimeError: an event loop is running in this thread.
            OSError: an address cannot be bound.
            KeyboardInterrupt: Ctrl-C or SIGTERM has ended the service. If nobody catches it, the
                program ends without a traceback, with the status that shells have for the signal:
                130, or 143.
        """
        run = self._begin()
        options = self._runner_options if runner_options is None else runner_options
        try:
            with ending_by_signals(self._stops(run)):
                self._server.backend().bootstrap(self._serve, run, is_up_event, runner_options=options)
        finally:
            self._run = None
            run.ended.set()

    def _begin(self) -> _Run:
        with self._lock:
            if self._closed:
                raise ServerClosedError("the server is closed")
            if self._run is not None:
                raise ServerAlreadyRunning("the server is already running")
            self._run = run = _Run()
            return run

    async def _serve(self, run: _Run, is_up_event: SupportsEventSet | None) -> None:
        failure: Exception | None = None
        async with self._server.backend().create_threads_portal() as portal:
            with self._lock:
                run.portal = portal
                if self._closed or run.is_stopping:
                    return
            try:
                await self._server.serve_forever(is_up_event=is_up_event)
            except Exception as exc:
                failure = exc  # the portal would wrap it in a group
            finally:
                await self._server.stop_listening()
        if failure is not None:
            raise failure

    def server_close(self) -> None:
        """Stops listening, for good; safe to repeat.

        Thread-safe. Clients that are connected stay until they are done, then `serve_forever`
        returns.

        Raises:
            RuntimeError: this is the thread that serves.
        """
        with self._lock:
            self._closed = True
            run = self._run
        if run is None:
            return
        run.refuse_own_thread("server_close")
        closing = run.request(self._close)
        if closing is None:
            run.ended.wait()  # not set up yet, and it will see that it is closed; or at its end
        else:
            concurrent.futures.wait((closing,))

    def shutdown(self, timeout: float | None = None, *, drain: float | None = None) -> None:
        """Ends `serve_forever` with all its clients, and waits for its end.

        Thread-safe; returns at once if the server does not run.

        Args:
            timeout: seconds to wait at most. If they were not enough, the log names the handler and
                the clients that it still has; `serve_forever` returns when it is done with them.
            drain: seconds in which handlers may finish the requests that they have, before they are
                cancelled (`AbstractAsyncNetworkServer.shutdown`); with a shorter ``timeout`` they
                have this time all the same.

        Raises:
            RuntimeError: this is the thread that serves.
        """
        check_drain(drain)
        run = self._run
        if run is None:
            return
        run.refuse_own_thread("shutdown")
        self._stop(run, drain)
        if not run.ended.wait(timeout):
            self._name_the_unfinished(run, timeout)

    def _stops(self, run: _Run) -> Sequence[Callable[[], None]]:
        """What the signals do, one after the other."""
        at_once = partial(self._stop, run, None)
        drain = self.timeouts.drain
        return (at_once,) if drain is None else (partial(self._stop, run, drain), at_once)

    def _stop(self, run: _Run, drain: float | None) -> None:
        with self._lock:
            run.is_stopping = True
        run.request(partial(self._server.shutdown, drain=drain))

    async def _close(self) -> None:
        with contextlib.suppress(BusyResourceError):
            await self._server.server_close()
            return
        await self._server.shutdown()  # it has no clients yet
        await self._server.server_close()

    def _name_the_unfinished(self, run: _Run, timeout: float | None) -> None:
        logger = self._server.logger
        if run.portal is None:
            logger.warning("The server has not ended within %s seconds: it is still being set up", timeout)
            return
        handler, clients = self._server.describe_handler()
        names = ", ".join(map(str, clients[:_NAMED_CLIENTS]))
        logger.warning(
            "The server has not ended within %s seconds: %s %s, with clients: %d%s",
            timeout,
            handler,
            "is finishing its requests" if self.is_draining() else "goes on after its cancellation",
            len(clients),
            f" ({names}{', ...' if len(clients) > _NAMED_CLIENTS else ''})" if clients else "",
        )


class _Run:
    """One call of ``serve_forever()``, for other threads."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.is_stopping = False
        self.portal: ThreadsPortal | None = None
        self._thread = threading.get_ident()

    def refuse_own_thread(self, method: str) -> None:
        if self._thread == threading.get_ident():
            raise RuntimeError(
                f"{method}() was called in the thread that serves, where it would wait for itself:"
                " a request handler uses the server that its service_init() is given"
            )

    def request(self, func: Callable[[], Coroutine[Any, Any, None]]) -> concurrent.futures.Future[None] | None:
        """Has ``func`` run in the event loop; None if that is not there yet, or not any more."""
        if self.portal is None:
            return None
        with contextlib.suppress(RuntimeError):  # the portal is closed
            return self.portal.run_coroutine_soon(func)
        return None


def standalone_backend(backend: AsyncBackend | BuiltinAsyncBackendLiteral | None) -> AsyncBackend:
    """The backend that ``backend`` means to a standalone server: itself, the one of that name, or
    for None that of asyncio.
    """
    return ensure_backend("asyncio" if backend is None else backend)
