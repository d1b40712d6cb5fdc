# SPDX-License-Identifier: Apache-2.0
"""The peers of one listener while a server runs.

One task receives (it *leads*), and runs the handler of what it has received itself (see ``inline``). If that handler has to wait, the task belongs to the handler
until the peer has no more datagrams, and another task leads. So a handler that never waits costs no task, and one that does has its task for itself
from then on: nobody else's code runs in it. Each generator has a context of its own either way, and begins and ends in one task, before that receives
again: so the cancel scopes and task groups of a handler, which event loops bind to the task, are nobody else's.
"""

from __future__ import annotations

import contextvars
import itertools
from collections import OrderedDict
from collections.abc import Sized
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar
from weakref import WeakValueDictionary

from easynetwork.exceptions import ClientClosedError
from easynetwork.protocol.encoders import make_datagram_encoder

from .conversation import converse
from .counters import FULL
from .datagram_client import DatagramClient
from .inline import DONE, conversations, finish
from .log import ClientErrorLog

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import IEvent, TaskGroup

    from .datagram_service import DatagramService
    from .datagram_source import DatagramSource

__all__ = ("DatagramHub",)

_DatagramT = TypeVar("_DatagramT", bound=Sized)
_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")

_RECENT_PEERS: Final = 1024
"""Clients that are kept although nobody may hold them, because the same peers come again; some 300 bytes each."""

_RECEIVE_PAUSE: Final = 0.1
"""Seconds to wait when the system is out of memory: it comes back with time, not by asking again."""


class DatagramHub(Generic[_DatagramT, _RequestT, _ResponseT]):
    """Receives the datagrams of ``listener`` and has them handled."""

    def __init__(
        self,
        service: DatagramService[_DatagramT, _RequestT, _ResponseT],
        listener: DatagramSource[_DatagramT],
    ) -> None:
        self.service = service
        self.listener = listener
        self.backend = listener.backend()
        self.reader = service.reader
        self.read = service.reader.read
        self.encode = make_datagram_encoder(service.protocol)
        self.counters = service.counters
        self.traffic = service.counters.begin()
        self.sends = self.traffic.sends
        self.ended = False
        """Whether the service has ended, and with it everything that is held for peers."""
        self._handle = service.handler.handle
        self._new_context = contextvars.copy_context().copy  # of that of serve_forever(), after service_init()
        self._recent: OrderedDict[Any, DatagramClient[_RequestT, _ResponseT]] = OrderedDict()
        self._others: WeakValueDictionary[Any, DatagramClient[_RequestT, _ResponseT]] = WeakValueDictionary()
        self._attended = 0
        self._was_crowded = False
        self._clients: TaskGroup | None = None  # where the tasks are; None before serving
        self._leading = 0  # the number of the task that receives; 0 if none does
        self._over = self.backend.create_event()  # no task receives any more
        self._numbers = itertools.count(1)  # for the names of the tasks, which handlers and debuggers see
        self.waiting: set[DatagramClient[_RequestT, _ResponseT]] = set()
        """The clients whose handler has had to wait."""
        self.is_receiving = True
        """Whether datagrams may still arrive."""
        self.arrivals: set[IEvent] = set()
        """What the generators wait for that have asked for one more datagram."""

    async def serve(self, clients: TaskGroup) -> None:
        """Receives until the listener is closed, in tasks of ``clients``."""
        self._clients = clients
        try:
            while not self.listener.is_closing():  # a handler can end the task that receives: it may cancel it, for one
                self._over = self.backend.create_event()
                self._start_lead()
                await self._over.wait()
        finally:
            self.stop_receiving()

    def _start_lead(self) -> None:
        assert self._clients is not None
        self._leading = number = next(self._numbers)
        self._clients.start_soon(self._lead, number, name=f"datagrams-{number}")

    async def _lead(self, number: int) -> None:
        """Receives until the listener is closed, or a handler needs the task. Only what is not an `Exception` leaves it."""
        receive, recent, reads = self.listener.receive, self._recent, self.traffic.reads
        talks = conversations(self._converse)
        talks.send(None)
        try:
            while self._leading == number:
                try:
                    datagram, address = await receive()
                except _NothingMore:
                    return
                except OSError as exc:
                    if self.listener.is_closing():
                        return
                    self.service.receive_failed(exc)
                    await self.backend.sleep(_RECEIVE_PAUSE)
                    continue
                reads.append(len(datagram))
                if len(reads) >= FULL:
                    self.traffic.add_up()
                client = recent.get(address) or self._find(address)
                if client.is_attended or self._attended >= self.service.max_peers:
                    if not self._put(client, datagram):
                        self._drop(client, datagram)
                    continue
                client.queue.append(datagram)
                client.is_attended = True
                self._attended += 1
                try:
                    while client.queue:
                        context = self._new_context()
                        trap = context.run(talks.send, client)
                        if trap is not DONE:
                            if self._leading == number:
                                self._start_lead()  # this one is the handler's until the peer has no more datagrams
                            self.waiting.add(client)
                            try:
                                await finish(talks, context, trap)
                            finally:
                                self.waiting.discard(client)
                finally:
                    client.is_attended = False
                    self._attended -= 1
                    client.discard_all()
                    if self._was_crowded and not self._attended:
                        self._forget_the_crowd()
        finally:
            talks.close()
            if self._leading == number:
                self._leading = 0
                self._over.set()

    async def _converse(self, client: DatagramClient[_RequestT, _ResponseT]) -> None:
        """One generator, which uses up one datagram at least."""
        taken = client.taken
        try:
            # `converse` makes the generator, so that its handler's first words are in its context as well.
            await converse(map(self._handle, (client,)), client.receive)
        except (Exception, BaseExceptionGroup) as exc:
            ClientErrorLog(self.service.logger, self.counters, client.name).handler_failed(exc, connections_break=False)
        if client.taken == taken:
            client.discard_next()

    def _find(self, address: Any) -> DatagramClient[_RequestT, _ResponseT]:
        client: DatagramClient[_RequestT, _ResponseT] | None = self._others.get(address)
        if client is None:
            self.counters.clients_total += 1
            client = DatagramClient(self, address)
        if self._attended > _RECENT_PEERS:
            self._was_crowded = True
        if len(self._recent) >= _RECENT_PEERS:
            oldest, forgotten = self._recent.popitem(last=False)
            self._others[oldest] = forgotten
        self._recent[address] = client
        return client

    def _forget_the_crowd(self) -> None:
        """Small objects that stay, scattered over all the memory that the others have left, would keep the system from having it back."""
        self._was_crowded = False
        self._others.update(self._recent)  # some of them may be held, and must stay who they are
        self._recent.clear()

    def _put(self, client: DatagramClient[_RequestT, _ResponseT], datagram: _DatagramT) -> bool:
        if client.is_attended:
            return client.put(datagram)
        self.counters.limits_hit["max_peers"] += 1
        return False

    def _drop(self, client: DatagramClient[_RequestT, _ResponseT], datagram: _DatagramT) -> None:
        self.reader.discard(datagram)
        self.traffic.more_packets -= 1
        self.service.drops.add(client)

    def stop_receiving(self) -> None:
        """Nothing will arrive any more, and those who wait for it see why. Safe to repeat."""
        self.is_receiving = False
        self._leading = 0
        self.listener.interrupt_receive(_NothingMore())
        for arrival in self.arrivals:
            arrival.set()

    def end(self) -> None:
        """The service has ended: nothing can be sent any more."""
        self.ended = True
        self.encode = _refuse


def _refuse(packet: object) -> bytes:
    """What becomes of packets when the service has ended, without a question for each packet before."""
    raise ClientClosedError("the server has ended")


class _NothingMore(Exception):
    """Wakes the task that receives, for the last time."""
