# SPDX-License-Identifier: Apache-2.0
"""One peer of a datagram server, as its handler and the engine see it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sized
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar

from easynetwork.exceptions import ClientClosedError, DatagramProtocolParseError
from easynetwork.lowlevel.fair_lock import FairLock
from easynetwork.lowlevel.request_handler import RecvParams

from ..handlers import AsyncDatagramClient
from .conversation import EOF, EndOfStream
from .counters import FULL
from .wish import PacketTimeoutError, read_wish

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend, IEvent

    from .datagram_hub import DatagramHub

__all__ = ("DatagramClient",)

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")

_PLAIN: Final = RecvParams()


class DatagramClient(AsyncDatagramClient[_ResponseT], Generic[_RequestT, _ResponseT]):
    """Packets both ways with one address. The handler knows it as `AsyncDatagramClient`; the queue of what has come is the engine's."""

    def __init__(self, hub: DatagramHub[Any, Any, Any], address: Any) -> None:
        self._hub = hub
        self._address = address
        self._attributes: Mapping[Any, Callable[[], Any]] | None = None
        self.queue: list[Any] = []
        """What has come and was not asked for yet; the oldest is the first."""
        self._arrival: IEvent | None = None  # what a generator waits for
        self._send_lock: FairLock | None = None  # there is one once a send had to wait
        self.is_attended = False
        """Whether a generator runs for this peer."""
        self.taken = 0
        """How many datagrams its generators have asked for."""

    def __eq__(self, other: object, /) -> bool:
        if not isinstance(other, DatagramClient):
            return NotImplemented
        return self._hub is other._hub and self._address == other._address

    def __hash__(self) -> int:
        return hash((DatagramClient, self._address))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    @property
    def name(self) -> object:
        """The address, as the log shows it."""
        return self._hub.service.peer_name(self._hub.listener, self._address)

    def backend(self) -> AsyncBackend:
        return self._hub.backend

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        if self._attributes is None:
            attributes = self._hub.service.client_attributes(self._hub.listener, self._address)
            self._attributes = MappingProxyType(attributes)
        return self._attributes

    def is_closing(self) -> bool:
        return self._hub.ended or self._hub.listener.is_closing()

    # what the handler asks for

    async def receive(self, wish: Any) -> _RequestT | Literal[EndOfStream.EOF]:
        """Waits for the next datagram and reads it; `EOF` when no more will come, because the server was closed or shut down.

        Raises:
            What is to be thrown in at the ``yield``.
        """
        hub = self._hub
        params = _PLAIN
        data_received = None
        if wish is not None:
            params = read_wish(wish)
            if params.recv_with_ancillary is not None:
                hub.reader.check_control()
                data_received = params.recv_with_ancillary.data_received
        if not self.queue:
            await self._wait_for_datagram(params.timeout)
            if not self.queue:
                return EOF
        datagram = self.queue.pop(0)
        self.taken += 1
        try:
            packet: _RequestT = hub.read(datagram, data_received)
        except DatagramProtocolParseError:
            hub.counters.parse_errors += 1
            hub.traffic.more_packets -= 1
            raise
        return packet

    async def _wait_for_datagram(self, timeout: float | None) -> None:
        """Returns when there is one, or when there will be none."""
        hub = self._hub
        if not hub.is_receiving:
            return
        timeouts = hub.service.timeouts
        error = TimeoutError if timeout is not None else PacketTimeoutError
        for_packet = _seconds(timeout if timeout is not None else timeouts.packet)
        patience = min(for_packet, _seconds(timeouts.idle))
        self._arrival = arrival = hub.backend.create_event()
        hub.arrivals.add(arrival)
        try:
            if math.isinf(patience):
                await arrival.wait()
                return
            with hub.backend.move_on_after(patience) as scope:
                await arrival.wait()
            if scope.cancelled_caught() and not self.queue and patience == for_packet:
                raise error(f"no datagram within {patience:g} seconds")
        finally:
            self._arrival = None
            hub.arrivals.discard(arrival)

    async def send_packet(self, packet: _ResponseT, /) -> None:
        hub = self._hub
        data = hub.encode(packet)
        try:
            if self._send_lock is not None or not hub.listener.send_nowait(data, self._address):
                await self._send_in_turn(hub.listener.send, data, self._address)
        except OSError as exc:
            raise self._send_error(exc) from None
        hub.sends.append(len(data))
        if len(hub.sends) >= FULL:
            hub.traffic.add_up()

    async def send_packet_with_ancillary(self, packet: _ResponseT, ancillary_data: Any, /) -> None:
        send = self._hub.service.send_with_control
        if send is None:
            await super().send_packet_with_ancillary(packet, ancillary_data)  # which refuses
            return
        data = self._hub.encode(packet)
        try:
            await self._send_in_turn(send, self._hub.listener, data, ancillary_data, self._address)
        except OSError as exc:
            raise self._send_error(exc) from None
        self._hub.traffic.send(len(data))

    async def _send_in_turn(self, send: Callable[..., Any], *arguments: Any) -> None:
        """Sends after those that wait already, for a peer whose queue is full."""
        if self._send_lock is None:
            self._send_lock = FairLock(self._hub.backend)
        async with self._send_lock:
            await send(*arguments)

    def _send_error(self, exc: OSError) -> OSError:
        return ClientClosedError("the server is closed") if self.is_closing() else exc

    # what the engine does with the queue

    def put(self, datagram: Sized) -> bool:
        """Queues a datagram, and wakes the generator that waits for it; False if there is no room."""
        queue, counters = self.queue, self._hub.counters
        if queue and (limit := self._limit_of(datagram)) is not None:
            counters.limits_hit[limit] += 1
            return False
        queue.append(datagram)
        if len(queue) > counters.longest_queue:
            counters.longest_queue = len(queue)
        if self._arrival is not None:
            self._arrival.set()
        return True

    def _limit_of(self, datagram: Sized) -> str | None:
        """The name of the limit that keeps ``datagram`` from waiting behind the others."""
        queue, limits, descriptors_in = self.queue, self._hub.service.limits, self._hub.reader.descriptors_in
        if limits.max_pending_datagrams is not None and len(queue) >= limits.max_pending_datagrams:
            return "max_pending_datagrams"
        if limits.max_pending_bytes is not None and sum(map(len, queue)) + len(datagram) > limits.max_pending_bytes:
            return "max_pending_bytes"
        descriptors = descriptors_in(datagram)
        if not descriptors or limits.max_pending_descriptors is None:
            return None
        is_too_much = sum(map(descriptors_in, queue)) + descriptors > limits.max_pending_descriptors
        return "max_pending_descriptors" if is_too_much else None

    def discard_next(self) -> None:
        """Throws the oldest datagram away, if there is one."""
        if self.queue:
            self._hub.reader.discard(self.queue.pop(0))
            self._hub.traffic.more_packets -= 1

    def discard_all(self) -> None:
        """Throws all of them away."""
        while self.queue:
            self.discard_next()


def _seconds(limit: float | None) -> float:
    return math.inf if limit is None else limit
