# SPDX-License-Identifier: Apache-2.0
"""What every server can do."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from .options import ServerLimits, ServerTimeouts
from .statistics import ServerStatistics

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend

__all__ = ("AbstractAsyncNetworkServer", "AbstractNetworkServer", "SupportsEventSet")


class SupportsEventSet(Protocol):
    """An event of any library: `asyncio.Event`, `trio.Event`, `threading.Event`..."""

    def set(self) -> object:
        """Tells the waiting side that it happened."""


class AbstractAsyncNetworkServer(metaclass=ABCMeta):
    """A server that runs in an event loop.

    ``async with`` activates it, and closes it at the end.
    """

    async def __aenter__(self) -> Self:
        await self.server_activate()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.server_close()

    @abstractmethod
    def is_listening(self) -> bool:
        """Tells whether the listeners are open."""

    @abstractmethod
    def is_serving(self) -> bool:
        """Tells whether the server listens and accepts clients."""

    @abstractmethod
    async def server_activate(self) -> None:
        """Opens the listeners, if they are not open yet.

        Raises:
            ServerClosedError: the server is closed, or was closed meanwhile.
            OSError: an address cannot be bound.
        """

    @abstractmethod
    async def serve_forever(self, *, is_up_event: SupportsEventSet | None = None) -> None:
        """Serves until `shutdown` is called, or until the server is closed and its last client is
        gone.

        Activates the server, calls the handler's ``service_init()``, starts accepting, and then
        sets ``is_up_event``. Can be called again after it has returned. Cancelling it ends all
        clients.

        Raises:
            ServerClosedError: the server is closed.
            ServerAlreadyRunning: another task is in this method.
        """

    @abstractmethod
    async def server_close(self) -> None:
        """Stops listening, for good; safe to repeat.

        Clients that are connected stay until they are done.

        Raises:
            BusyResourceError: `serve_forever` is still setting up.
        """

    @abstractmethod
    async def shutdown(self, *, drain: float | None = None) -> None:
        """Ends `serve_forever`: cancels the accepting and the client tasks, and returns when they
        are all gone.

        Returns at once if the server does not run. If it is cancelled, the server ends all the
        same, at once.

        Args:
            drain: seconds in which handlers may finish the requests that they have, before they are
                cancelled. Until then nobody new is accepted, connections are closed in order as
                soon as their handler waits at a ``yield``, and stream listeners are closed at once:
                `serve_forever` can be called again, and then opens them anew.
        """

    @abstractmethod
    def is_draining(self) -> bool:
        """Tells whether the server only finishes what it has begun (`shutdown`), so that a handler
        with much to do can stop early.
        """

    @property
    @abstractmethod
    def limits(self) -> ServerLimits:
        """What the peers may have. Can be set at any time; those who have more already keep it."""

    @limits.setter
    @abstractmethod
    def limits(self, limits: ServerLimits) -> None: ...

    @property
    @abstractmethod
    def timeouts(self) -> ServerTimeouts:
        """How long the peers are waited for."""

    @abstractmethod
    def statistics(self) -> ServerStatistics:
        """What the server has done since it was made. Thread-safe."""

    @abstractmethod
    def backend(self) -> AsyncBackend:
        """The event loop's adapter."""


class AbstractNetworkServer(metaclass=ABCMeta):
    """A server that runs in a thread. ``with`` closes it at the end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.server_close()

    @abstractmethod
    def is_serving(self) -> bool:
        """Tells whether the server accepts clients. Thread-safe."""

    @abstractmethod
    def serve_forever(self, *, is_up_event: SupportsEventSet | None = None) -> None:
        """Serves in this thread until `shutdown` is called; sets ``is_up_event`` when it accepts
        clients.

        Raises:
            ServerClosedError: the server is closed.
            ServerAlreadyRunning: another thread is in this method.
        """

    @abstractmethod
    def server_close(self) -> None:
        """Stops listening, for good. Thread-safe, and safe to repeat."""

    @abstractmethod
    def shutdown(self, timeout: float | None = None, *, drain: float | None = None) -> None:
        """Ends `serve_forever` and waits for its end, at most ``timeout`` seconds. Thread-safe.

        Args:
            drain: as in `AbstractAsyncNetworkServer.shutdown`.
        """

    @abstractmethod
    def is_draining(self) -> bool:
        """Tells whether the server only finishes what it has begun (`shutdown`). Thread-safe."""

    @property
    @abstractmethod
    def limits(self) -> ServerLimits:
        """What the peers may have.

        Can be set at any time, in any thread; those who have more already keep it.
        """

    @limits.setter
    @abstractmethod
    def limits(self, limits: ServerLimits) -> None: ...

    @property
    @abstractmethod
    def timeouts(self) -> ServerTimeouts:
        """How long the peers are waited for."""

    @abstractmethod
    def statistics(self) -> ServerStatistics:
        """What the server has done since it was made. Thread-safe."""
