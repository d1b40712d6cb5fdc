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
        self.ended = False
        """Whether the service has ended, and with it everything that is held for peers."""
        self._handle = service.handler.handle
        self._new_context = contextvars.copy_context().copy  # of that of serve_forever(), after service_init()
        self._recent: OrderedDict[Any, DatagramClient[_RequestT, _ResponseT]] = OrderedDict()
        self._others: WeakValueDictionary[Any, DatagramClient[_RequestT, _ResponseT]] = WeakValueDictionary()
        self._attended = 0
        self._numbers = itertools.count(1)  # for the names of the tasks, which handlers and debuggers see
        self.waiting: set[DatagramClient[_RequestT, _ResponseT]] = set()
        """The clients whose handler has had to wait."""
        self.is_receiving = True
        """Whether datagrams may still arrive."""
        self.arrivals: set[IEvent] = set()
        """What the generators wait for that have asked for one more datagram."""

    async def serve(self, clients: TaskGroup) -> None:
        """Receives until the listener is closed, in tasks of ``clients``."""
        try:
            while not self.listener.is_closing():
                lead = _Lead(self.backend.create_event())
                clients.start_soon(self._lead, lead, name=f"datagrams-{next(self._numbers)}")
                await lead.given_up.wait()
        finally:
            self.stop_receiving()

    async def _lead(self, lead: _Lead) -> None:
        """Receives until the listener is closed, or a handler needs the task. Only what is not an `Exception` leaves it."""
        receive, recent = self.listener.receive, self._recent
        talks = conversations(self._converse)
        talks.send(None)
        try:
            while not lead.is_given_up:
                try:
                    datagram, address = await receive()
                except OSError as exc:
                    if self.listener.is_closing():
                        return
                    self.service.receive_failed(exc)
                    await self.backend.sleep(_RECEIVE_PAUSE)
                    continue
                client = recent.get(address) or self._find(address)
                if client.is_attended or self._attended >= self.service.max_peers:
                    if not (client.is_attended and client.put(datagram)):
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
                            lead.give_up()
                            self.waiting.add(client)
                            try:
                                await finish(talks, context, trap)
                            finally:
                                self.waiting.discard(client)
                finally:
                    client.is_attended = False
                    self._attended -= 1
                    client.discard_all()
        finally:
            lead.give_up()
            talks.close()

    async def _converse(self, client: DatagramClient[_RequestT, _ResponseT]) -> None:
        """One generator, which uses up one datagram at least."""
        taken = client.taken
        try:
            # `converse` makes the generator, so that its handler's first words are in its context as well.
            await converse(map(self._handle, (client,)), client.receive)
        except (Exception, BaseExceptionGroup) as exc:
            ClientErrorLog(self.service.logger, client.name).handler_failed(exc, connections_break=False)
        if client.taken == taken:
            client.discard_next()

    def _find(self, address: Any) -> DatagramClient[_RequestT, _ResponseT]:
        client: DatagramClient[_RequestT, _ResponseT] | None = self._others.get(address)
        if client is None:
            client = DatagramClient(self, address)
        if len(self._recent) >= _RECENT_PEERS:
            oldest, forgotten = self._recent.popitem(last=False)
            self._others[oldest] = forgotten
        self._recent[address] = client
        return client

    def _drop(self, client: DatagramClient[_RequestT, _ResponseT], datagram: _DatagramT) -> None:
        self.reader.discard(datagram)
        self.service.drops.add(client)

    def stop_receiving(self) -> None:
        """Nothing will arrive any more, and those who wait for it see why. Safe to repeat."""
        self.is_receiving = False
        for arrival in self.arrivals:
            arrival.set()

    def end(self) -> None:
        """The service has ended: nothing can be sent any more."""
        self.ended = True
        self.encode = _refuse


def _refuse(packet: object) -> bytes:
    """What becomes of packets when the service has ended, without a question for each packet before."""
    raise ClientClosedError("the server has ended")


class _Lead:
    """The role of the task that receives."""

    def __init__(self, given_up: IEvent) -> None:
        self.given_up = given_up
        self.is_given_up = False

    def give_up(self) -> None:
        """Lets another task lead. Safe to repeat."""
        self.is_given_up = True
        self.given_up.set()
