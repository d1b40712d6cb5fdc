# SPDX-License-Identifier: Apache-2.0
"""Happy Eyeballs (RFC 8305): one broken address family must not make the user wait for its
time-out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from .api_async.backend._runtime import Runtime
    from .api_async.backend._sync import IEvent

__all__ = ("CONNECTION_ATTEMPT_DELAY", "AddressInfo", "connect_first", "failure_of_all", "interleave_families")

CONNECTION_ATTEMPT_DELAY: Final = 0.25  # seconds, RFC 8305 section 5

AddressInfo = tuple[Any, Any, int, str, Any]
"""One line of `socket.getaddrinfo`: family, type, protocol, canonical name, address."""


class _Connection(Protocol):
    def abort(self) -> object: ...


T = TypeVar("T", bound=_Connection)


async def connect_first(
    runtime: Runtime,
    addresses: Sequence[AddressInfo],
    connect: Callable[[AddressInfo], Awaitable[T]],
    delay: float | None = None,
) -> T:
    """Connects to the address that answers first, and returns what ``connect`` returned for it.

    The address families take turns. If this is cancelled, every attempt is, and no connection stays
    open.

    Args:
        runtime: the running event loop.
        addresses: in the order of preference.
        connect: makes one attempt, and leaves nothing open if it fails or is cancelled.
        delay: seconds before the next attempt starts while one is pending; it starts at once when
            that one fails. None is the RFC's.

    Raises:
        OSError: all attempts have failed. The message names every address; the errors are its
            cause, in a group. If they all have the same ``errno``, this is of that kind (for
            instance `ConnectionRefusedError`).
    """
    race = _Race(runtime, connect, CONNECTION_ATTEMPT_DELAY if delay is None else delay)
    return await race.run(interleave_families(addresses))


def interleave_families(addresses: Iterable[AddressInfo]) -> list[AddressInfo]:
    """The same addresses, with the families taking turns; each keeps its order, and the first
    address stays first.
    """
    families: dict[Any, list[AddressInfo]] = {}
    for address in addresses:
        families.setdefault(address[0], []).append(address)
    return [address for turn in zip_longest(*families.values()) for address in turn if address is not None]


class _Race(Generic[T]):
    def __init__(self, runtime: Runtime, connect: Callable[[AddressInfo], Awaitable[T]], delay: float) -> None:
        self._runtime = runtime
        self._connect = connect
        self._delay = delay
        self._scope = runtime.open_cancel_scope()
        self._winner: T | None = None
        self._failures: list[tuple[AddressInfo, OSError]] = []
        self._crash: Exception | None = None

    async def run(self, addresses: Iterable[AddressInfo]) -> T:
        try:
            with self._scope:
                await self._start_attempts(addresses)
        except BaseException:
            if self._winner is not None:
                self._winner.abort()
            raise
        if self._winner is not None:
            return self._winner
        if self._crash is not None:
            raise self._crash
        raise failure_of_all(self._failures)

    async def _start_attempts(self, addresses: Iterable[AddressInfo]) -> None:
        async with self._runtime.create_task_group() as group:
            for address in addresses:
                failed = self._runtime.create_event()
                group.start_soon(self._attempt, address, failed)
                with self._runtime.move_on_after(self._delay):
                    await failed.wait()

    async def _attempt(self, address: AddressInfo, failed: IEvent) -> None:
        try:
            connection = await self._connect(address)
        except OSError as exc:
            self._failures.append((address, exc))
            failed.set()
        except Exception as exc:  # a bad argument or a bug: other addresses would not help
            self._crash = exc
            self._scope.cancel()
        else:
            self._finish(connection)

    def _finish(self, connection: T) -> None:
        if self._winner is None:
            self._winner = connection
            self._scope.cancel()
        else:
            connection.abort()


def failure_of_all(failures: Sequence[tuple[AddressInfo, OSError]]) -> OSError:
    """One error for a host of which no address could be connected to, as `connect_first` raises
    it.
    """
    if not failures:
        return OSError("there is no address to connect to")
    text = "; ".join(f"{address[4][:2]}: {exc.strerror or exc}" for address, exc in failures)
    message = f"could not connect to {text}"
    causes = [exc for _, exc in failures]
    numbers = {exc.errno for exc in causes}
    number = numbers.pop()
    error = OSError(message) if numbers or number is None else OSError(number, message)
    error.__cause__ = ExceptionGroup("every attempt to connect has failed", causes)
    return error
