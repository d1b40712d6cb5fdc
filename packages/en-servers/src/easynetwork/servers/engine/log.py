# SPDX-License-Identifier: Apache-2.0
"""What the log says about clients. Payload never gets into it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable
from typing import Any, Final

from easynetwork.exceptions import ClientClosedError

from .counters import Counters
from .recv_params import DefaultTimeoutError

__all__ = ("ClientErrorLog", "DropLog", "RateLimit", "consists_of")

_Error = Exception | BaseExceptionGroup[Any]
"""One that is an `Exception`, or may have such parts."""

_ONE_LINE_A: Final = 1.0
"""Seconds between two lines about the same kind of trouble, so that nobody can fill a disk from
outside."""

_COUNTED_PEERS: Final = 1000
"""Peers that are told apart between two lines: enough to see whether it is one or many, and 100 kB
when all addresses are forged."""


class RateLimit:
    """Lets one event a second through."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = float("-inf")

    def allows(self) -> bool:
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + _ONE_LINE_A
        return True


class DropLog:
    """Counts the datagrams that nobody will read, and says so in one line a second at most."""

    def __init__(self, logger: logging.Logger, counters: Counters) -> None:
        self._logger = logger
        self._counters = counters
        self._limit = RateLimit()
        self._datagrams = 0
        self._peers: set[Hashable] = set()

    def add(self, peer: Hashable) -> None:
        """One more, of ``peer``."""
        self._counters.datagrams_dropped += 1
        self._datagrams += 1
        if len(self._peers) < _COUNTED_PEERS:
            self._peers.add(peer)
        if self._limit.allows():
            self.flush()

    def flush(self) -> None:
        """Says what was not said yet."""
        if self._datagrams:
            peers = len(self._peers)
            self._logger.warning(
                "Dropped datagrams: %d, from peers: %s; they came faster than they were handled",
                self._datagrams,
                f"{peers} or more" if peers == _COUNTED_PEERS else peers,
            )
            self._datagrams = 0
            self._peers.clear()


class ClientErrorLog:
    """Says what went wrong with one client, in at most one record for each kind."""

    def __init__(self, logger: logging.Logger, counters: Counters, address: object) -> None:
        self._logger = logger
        self._counters = counters
        self._address = address

    def handler_failed(self, exc: _Error, *, connections_break: bool) -> None:
        """Logs what came out of a handler.

        Args:
            connections_break: whether a `ConnectionError` is part of a client's ordinary life and
                says nothing.

        Raises:
            BaseExceptionGroup: the part that is no `Exception`. Task groups of trio's raise errors
                and a cancellation in one.
        """
        _, rest = _split(exc, DefaultTimeoutError)
        closed, rest = _split(rest, ClientClosedError)
        if connections_break:
            _, rest = _split(rest, ConnectionError)
        errors, no_errors = _split(rest, Exception)
        if closed is not None:
            self._logger.warning(
                "There have been attempts to do operation on closed client %s", self._address, exc_info=closed
            )
        if errors is not None:
            self._counters.handler_errors += 1
            self._logger.error(
                "Exception occurred during processing of request from %s", self._address, exc_info=errors
            )
        if no_errors is not None:
            raise no_errors

    def disconnection_hook_failed(self, exc: _Error) -> None:
        """Logs what came out of ``on_disconnection()``.

        Raises:
            BaseExceptionGroup: as `handler_failed` does.
        """
        connection_errors, rest = _split(exc, ConnectionError)
        closed, lost = _split(connection_errors, ClientClosedError)
        if closed is not None:
            self.handler_failed(closed, connections_break=False)
        if lost is not None:
            self._logger.warning("ConnectionError raised in request_handler.on_disconnection()")
        if rest is not None:
            self.handler_failed(rest, connections_break=False)


def consists_of(exc: _Error, kind: type[Exception]) -> bool:
    """Whether an exception is of ``kind``, or a group of nothing else."""
    return _split(exc, kind)[1] is None


def _split(exc: _Error | None, kind: type[Exception]) -> tuple[Exception | None, _Error | None]:
    """Parts an exception, or a group of them, into what is of ``kind`` and what is not."""
    if isinstance(exc, BaseExceptionGroup):
        return exc.split(kind)
    return (exc, None) if isinstance(exc, kind) else (None, exc)
