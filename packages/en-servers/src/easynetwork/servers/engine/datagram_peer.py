# SPDX-License-Identifier: Apache-2.0
"""One peer of a datagram server, as its handler and the engine see it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sized
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from easynetwork.exceptions import ClientClosedError, DatagramProtocolParseError
from easynetwork.lowlevel.fair_lock import FairLock
from easynetwork.protocol.encoders import make_datagram_encoder
from easynetwork.protocol.receivers import NEED_DATA

from ..handlers import AsyncDatagramClient
from .counters import FULL, Counters
from .driver import END, Answer
from .recv_params import DefaultTimeoutError, ReceiveTimeoutError, read_recv_params

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend, IEvent

    from .datagram_source import DatagramSource
    from .settings import DatagramSettings

__all__ = ("DatagramPeer", "SharedSocket")

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")


class SharedSocket:
    """What the peers of one listener share.

    Args:
        settings: of the server.
        listener: where their datagrams come from.
        counters: where packets and bytes are counted.
    """

    def __init__(
        self, settings: DatagramSettings[Any, Any, Any], listener: DatagramSource[Any], counters: Counters
    ) -> None:
        self.settings = settings
        """As they are now: limits may change while the server runs."""
        self.listener = listener
        self.counters = counters
        self.traffic = counters.traffic
        self.sends = counters.traffic.sends
        self.decode = settings.reader.decode
        self.read = settings.reader.read
        self.encode = make_datagram_encoder(settings.protocol)
        self.is_receiving = True
        """Whether datagrams may still arrive."""
        self.is_over = False
        """Whether the service has ended, and with it everything that is held for peers."""
        self.arrivals: set[IEvent] = set()
        """What the handlers wait for that have asked for one more datagram."""

    def stop_receiving(self) -> None:
        """Wakes the handlers that wait: nothing will arrive any more. Safe to repeat."""
        self.is_receiving = False
        for arrival in self.arrivals:
            arrival.set()

    def end(self) -> None:
        """Ends sending, when the service has ended."""
        self.is_over = True
        self.encode = _refuse


def _refuse(packet: object) -> bytes:
    """What becomes of packets when the service has ended, without a question for each packet
    before.
    """
    raise ClientClosedError("the server has ended")


class DatagramPeer(AsyncDatagramClient[_ResponseT], Generic[_RequestT, _ResponseT]):
    """Packets both ways with one address: the handler's `AsyncDatagramClient`, and the driver's
    `PacketSource`. It owns the queue of what has come.
    """

    receive_errors: tuple[type[Exception], ...] = ()  # each of them is thrown in
    corked = False  # each answer is a datagram, and leaves at once
    closed = False
    is_over = False

    def __init__(self, shared: SharedSocket, address: Any) -> None:
        self._shared = shared
        self._address = address
        self._attributes: Mapping[Any, Callable[[], Any]] | None = None
        self.queue: list[Any] = []
        """What has come and was not asked for yet; the oldest is the first."""
        self._arrival: IEvent | None = None  # what a generator waits for
        self._timeout: float | None = None  # of the present wait, as the handler has asked for it
        self._data_received: Callable[[Any], object] | None = None
        self._send_lock: FairLock | None = None  # there is one once a send had to wait
        self.is_active = False
        """Whether a generator runs for this peer."""
        self.taken = 0
        """How many datagrams its generators have asked for."""

    def __eq__(self, other: object, /) -> bool:
        if not isinstance(other, DatagramPeer):
            return NotImplemented
        return self._shared is other._shared and self._address == other._address

    def __hash__(self) -> int:
        return hash((DatagramPeer, self._address))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    @property
    def name(self) -> object:
        """The address, as the log shows it."""
        return self._shared.settings.peer_name(self._shared.listener, self._address)

    def backend(self) -> AsyncBackend:
        return self._shared.settings.backend

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        if self._attributes is None:
            attributes = self._shared.settings.describe_peer(self._shared.listener, self._address)
            self._attributes = MappingProxyType(attributes)
        return self._attributes

    def is_closing(self) -> bool:
        return self._shared.is_over or self._shared.listener.is_closing()

    # receiving: what the driver asks for

    def take(self, yielded: Any, /) -> Answer[_RequestT]:
        self._timeout = self._data_received = None
        if yielded is not None:
            params = read_recv_params(yielded)
            self._timeout = params.timeout
            if params.recv_with_ancillary is not None:
                self._shared.settings.reader.check_control()
                self._data_received = params.recv_with_ancillary.data_received
        if self.queue:
            return self._take_datagram()
        return NEED_DATA if self._shared.is_receiving else END

    def until_readable(self) -> Iterable[Any]:
        return self._wait_for_datagram().__await__()

    def read(self) -> Answer[_RequestT]:
        return self._take_datagram() if self.queue else END

    def receive_failed(self, error: Exception, /) -> Answer[_RequestT]:
        raise error

    def uncork(self) -> None:
        """Nothing is held back here."""

    def _take_datagram(self) -> _RequestT:
        shared = self._shared
        datagram = self.queue.pop(0)
        self.taken += 1
        try:
            if self._data_received is None and type(datagram) is bytes:
                return shared.decode(datagram)  # type: ignore[no-any-return]  # as below
            return shared.read(datagram, self._data_received)  # type: ignore[no-any-return]  # the settings are of any protocol here
        except DatagramProtocolParseError:
            shared.counters.parse_errors += 1
            shared.traffic.more_packets -= 1
            raise

    async def _wait_for_datagram(self) -> None:
        """Returns when there is one, or when there will be none."""
        shared, backend, timeouts = self._shared, self.backend(), self._shared.settings.timeouts
        error = DefaultTimeoutError if self._timeout is None else ReceiveTimeoutError
        for_packet = _seconds(timeouts.packet if self._timeout is None else self._timeout)
        patience = min(for_packet, _seconds(timeouts.idle))
        self._arrival = arrival = backend.create_event()
        shared.arrivals.add(arrival)
        try:
            if math.isinf(patience):
                await arrival.wait()
                return
            with backend.move_on_after(patience) as scope:
                await arrival.wait()
            if scope.cancelled_caught() and not self.queue and patience == for_packet:
                raise error(f"no datagram within {patience:g} seconds")
        finally:
            self._arrival = None
            shared.arrivals.discard(arrival)

    # sending

    async def send_packet(self, packet: _ResponseT, /) -> None:
        shared = self._shared
        data = shared.encode(packet)
        try:
            if self._send_lock is not None or not shared.listener.send_nowait(data, self._address):
                await self._send_in_turn(shared.listener.send, data, self._address)
        except OSError as exc:
            raise self._send_error(exc) from None
        shared.sends.append(len(data))
        if len(shared.sends) >= FULL:
            shared.traffic.add_up()

    async def send_packet_with_ancillary(self, packet: _ResponseT, ancillary_data: Any, /) -> None:
        shared = self._shared
        send = shared.settings.send_with_control
        if send is None:
            await super().send_packet_with_ancillary(packet, ancillary_data)  # which refuses
            return
        data = shared.encode(packet)
        try:
            await self._send_in_turn(send, shared.listener, data, ancillary_data, self._address)
        except OSError as exc:
            raise self._send_error(exc) from None
        shared.traffic.send(len(data))

    async def _send_in_turn(self, send: Callable[..., Any], *arguments: Any) -> None:
        """Sends after those that wait already, for a peer whose queue is full."""
        if self._send_lock is None:
            self._send_lock = FairLock(self.backend())
        async with self._send_lock:
            await send(*arguments)

    def _send_error(self, exc: OSError) -> OSError:
        return ClientClosedError("the server is closed") if self.is_closing() else exc

    # the queue

    def put(self, datagram: Sized) -> bool:
        """Queues a datagram, and wakes the generator that waits for it; False if there is no
        room.
        """
        queue, counters = self.queue, self._shared.counters
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
        queue, settings = self.queue, self._shared.settings
        limits, descriptors_in = settings.limits, settings.reader.descriptors_in
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
            self._shared.settings.reader.discard(self.queue.pop(0))
            self._shared.traffic.more_packets -= 1

    def discard_all(self) -> None:
        """Throws all of them away."""
        while self.queue:
            self.discard_next()


def _seconds(limit: float | None) -> float:
    return math.inf if limit is None else limit
