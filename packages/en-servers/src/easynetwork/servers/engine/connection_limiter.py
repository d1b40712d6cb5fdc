# SPDX-License-Identifier: Apache-2.0
"""The limits on connections (admission control)."""

from __future__ import annotations

import logging
import socket as _socket
from collections import Counter
from typing import TYPE_CHECKING

from easynetwork.lowlevel.socket import IPv4SocketAddress, IPv6SocketAddress

from ..options import ServerLimits
from .counters import Counters
from .log import RateLimit

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend, IEvent

__all__ = ("ConnectionLimiter", "network_of")

_V4_MAPPED = bytes(10) + b"\xff\xff"


class ConnectionLimiter:
    """Counts connections, and knows when there are too many."""

    def __init__(self, limits: ServerLimits, counters: Counters, logger: logging.Logger) -> None:
        self._limits = limits
        self._counters = counters
        self._logger = logger
        self._connections = 0
        self._networks: Counter[bytes] = Counter()
        self._change: IEvent | None = None  # what those wait for who would accept
        self._was_told = False
        self._warnings = RateLimit()
        self._refusals = RateLimit()

    def set_limits(self, limits: ServerLimits) -> None:
        """From now on these hold; those who have more already keep it."""
        self._limits = limits
        self._was_told = False
        self._notify()

    async def wait_for_room(self, backend: AsyncBackend) -> None:
        """Returns at once if one more connection is allowed, else when it is."""
        while (limit := self._limits.max_connections) is not None and self._connections >= limit:
            self._tell_that_it_is_full(limit)
            if self._change is None:
                self._change = backend.create_event()
            await self._change.wait()

    def enter(self) -> None:
        """Takes a slot for a connection that was accepted."""
        self._connections += 1

    def admit(self, network: bytes | None) -> bool:
        """Counts a connection under the network of its peer; tells False, and does not count it, if
        that network has too many already.
        """
        if network is None:
            return True
        limit = self._limits.max_connections_per_address
        if limit is not None and self._networks[network] >= limit:
            self._refuse(limit)
            return False
        self._networks[network] += 1
        return True

    def leave(self, network: bytes | None) -> None:
        """Releases the slot taken by `enter`, and what `admit` has counted under ``network``, if it
        has.
        """
        self._connections -= 1
        if network is not None:
            self._networks[network] -= 1
            if not self._networks[network]:
                del self._networks[network]  # what is kept is bounded by the connections
        limit = self._limits.max_connections
        if limit is not None and self._connections < limit / 2:
            self._was_told = False
        self._notify()

    def _notify(self) -> None:
        if self._change is not None:
            self._change.set()
            self._change = None

    def _tell_that_it_is_full(self, limit: int) -> None:
        """In one line until more than half of them have gone: a server at its limit reaches it
        again with each client.
        """
        self._counters.limits_hit["max_connections"] += 1
        if not self._was_told and self._warnings.allows():
            self._was_told = True
            self._logger.warning("Accepting no more connections for now: max_connections is %d", limit)

    def _refuse(self, limit: int) -> None:
        self._counters.limits_hit["max_connections_per_address"] += 1
        if self._refusals.allows():
            self._logger.warning("Refused a connection: max_connections_per_address is %d", limit)


def network_of(address: object) -> bytes | None:
    """Gives the part of an address that its owner cannot choose: all of an IPv4 address, the first
    64 bits of an IPv6 address. None where there is none.
    """
    if isinstance(address, IPv4SocketAddress):
        return _socket.inet_aton(address.host)
    if not isinstance(address, IPv6SocketAddress):
        return None
    packed = _socket.inet_pton(_socket.AF_INET6, address.host.partition("%")[0])
    return packed[12:] if packed.startswith(_V4_MAPPED) else packed[:8]
