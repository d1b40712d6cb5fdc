# SPDX-License-Identifier: Apache-2.0
"""What a datagram server does between its opening and its closing."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence, Sized
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..options import ServerLimits
from .counters import Counters
from .datagram_peers import DatagramPeers
from .log import DropLog, RateLimit

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import TaskGroup

    from .datagram_source import DatagramSource
    from .settings import DatagramSettings

__all__ = ("DatagramService",)

_DatagramT = TypeVar("_DatagramT", bound=Sized)
_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")


class DatagramService(Generic[_DatagramT, _RequestT, _ResponseT]):
    """What a datagram server does with its listeners; the transport is in the settings."""

    def __init__(self, settings: DatagramSettings[_DatagramT, _RequestT, _ResponseT]) -> None:
        self.settings = settings
        """As they are now: limits may change while the server runs."""
        self.counters = Counters()
        self._drops = DropLog(settings.logger, self.counters)
        self._receive_trouble = RateLimit()
        self._peers: list[DatagramPeers[_DatagramT, _RequestT, _ResponseT]] = []  # of each listener

    def set_limits(self, limits: ServerLimits) -> None:
        self.settings = replace(self.settings, limits=limits)
        for peers in self._peers:
            peers.set_settings(self.settings)

    async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any) -> None:
        exit_stack.callback(self._end)  # the last thing: what the handler puts on the stack may still send
        await self.settings.handler.service_init(exit_stack, server)

    def active(self) -> Sequence[object]:
        return [name for peers in tuple(self._peers) for name in peers.waiting()]

    async def serve(self, listener: DatagramSource[_DatagramT], clients: TaskGroup) -> None:
        """Has the datagrams of ``listener`` handled until it is closed."""
        listener.send_timeout = (
            math.inf if self.settings.timeouts.send_stall is None else self.settings.timeouts.send_stall
        )
        peers = DatagramPeers(self.settings, listener, self.counters, self._drops, self._receive_failed)
        self._peers.append(peers)
        await peers.serve(clients)

    async def drain(self, listener: DatagramSource[_DatagramT], clients: TaskGroup) -> bool:
        """No more datagrams are received.

        Those that are here are handled, and answered through ``listener``; who waits for more is
        told that it was the end.
        """
        self.end_drivers()
        return False

    def end_drivers(self) -> None:
        for peers in self._peers:
            peers.stop_receiving()

    def _receive_failed(self, exc: OSError) -> None:
        if self._receive_trouble.allows():
            self.settings.logger.warning("Cannot receive datagrams for now: %s", exc)

    def _end(self) -> None:
        for peers in self._peers:
            peers.end()
        self._peers.clear()
        self._drops.flush()
