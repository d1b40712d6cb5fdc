# SPDX-License-Identifier: Apache-2.0
"""What a datagram server does between its opening and its closing."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..handlers import AsyncDatagramRequestHandler
from ..options import ServerLimits, ServerTimeouts
from .counters import Counters
from .datagram_hub import DatagramHub
from .datagram_reader import DatagramReader
from .datagram_source import DatagramSource
from .log import DropLog, RateLimit

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import TaskGroup
    from easynetwork.protocol import DatagramProtocol

__all__ = ("DatagramService",)

_DatagramT = TypeVar("_DatagramT", bound=Sized)
_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")


@dataclass(kw_only=True, eq=False)
class DatagramService(Generic[_DatagramT, _RequestT, _ResponseT]):
    """What a datagram server does with its listeners; the transport is in the values."""

    open_listeners: Callable[[], Awaitable[Sequence[DatagramSource[_DatagramT]]]]
    """Binds the server's addresses."""

    peer_name: Callable[[Any, Any], object]
    """What the log calls a peer, of listener and address."""

    client_attributes: Callable[[Any, Any], Mapping[Any, Callable[[], Any]]]
    """The typed attributes of a peer, of listener and address."""

    protocol: DatagramProtocol[_ResponseT, _RequestT]
    handler: AsyncDatagramRequestHandler[_RequestT, _ResponseT]
    logger: logging.Logger

    reader: DatagramReader[_DatagramT, _RequestT]
    """Makes packets of datagrams."""

    send_with_control: Callable[[Any, bytes, Any, Any], Awaitable[None]] | None = None
    """Sends data and control messages, of listener, data, messages and address; None where there are none."""

    limits: ServerLimits = field(default_factory=ServerLimits)
    timeouts: ServerTimeouts = field(default_factory=ServerTimeouts)

    counters: Counters = field(default_factory=Counters, init=False)
    drops: DropLog = field(init=False)
    """Where datagrams that nobody will read are counted."""

    max_peers: float = field(init=False)
    """The limit as a number, which each datagram is compared with."""

    _receive_trouble: RateLimit = field(default_factory=RateLimit, init=False)
    _hubs: list[DatagramHub[Any, Any, Any]] = field(default_factory=list[Any], init=False)

    def __post_init__(self) -> None:
        self.drops = DropLog(self.logger, self.counters)
        self.set_limits(self.limits)

    def set_limits(self, limits: ServerLimits) -> None:
        self.limits = limits
        self.max_peers = math.inf if limits.max_peers is None else limits.max_peers

    async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any) -> None:
        exit_stack.callback(self._end)  # the last thing: what the handler puts on the stack may still send
        await self.handler.service_init(exit_stack, server)

    def attended(self) -> Sequence[object]:
        return [client.name for hub in tuple(self._hubs) for client in tuple(hub.waiting)]

    async def serve(self, listener: DatagramSource[_DatagramT], clients: TaskGroup) -> None:
        """Has the datagrams of ``listener`` handled until it is closed."""
        listener.send_timeout = math.inf if self.timeouts.send_stall is None else self.timeouts.send_stall
        hub = DatagramHub(self, listener)
        self._hubs.append(hub)
        await hub.serve(clients)

    async def drain(self, listener: DatagramSource[_DatagramT], clients: TaskGroup) -> bool:
        """No more datagrams are received. Those that are here are handled, and answered through ``listener``; who waits for more is told that it was the end."""
        self.end_conversations()
        return False

    def end_conversations(self) -> None:
        for hub in self._hubs:
            hub.stop_receiving()

    def receive_failed(self, exc: OSError) -> None:
        """Says that nothing can be received for now."""
        if self._receive_trouble.allows():
            self.logger.warning("Cannot receive datagrams for now: %s", exc)

    def _end(self) -> None:
        for hub in self._hubs:
            hub.end()
            self.counters.end(hub.traffic)
        self._hubs.clear()
        self.drops.flush()
