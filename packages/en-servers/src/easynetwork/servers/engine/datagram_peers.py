# SPDX-License-Identifier: Apache-2.0
"""The peers of one listener while a server runs.

One task receives (it *leads*), and runs the handler of what it has received itself: most handlers
of datagrams never wait, they parse, and send an answer that the kernel takes at once, and a task
for each of them would cost more than all the rest. If a handler has to wait, the task belongs to it
until the peer has no more datagrams, and another task leads. So a handler that never waits costs no
task, and one that does has its task for itself from then on: nobody else's code runs in it. Each
generator has a context of its own either way, and begins and ends in one task, before that receives
again: so the cancel scopes and task groups of a handler, which event loops bind to the task, are
nobody else's.

All handlers of a task are driven by one generator, which is stepped by hand, because each has a
context of its own (*eager execution*).
"""

from __future__ import annotations

import contextvars
import enum
import itertools
import math
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence, Sized
from types import coroutine
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar
from weakref import WeakValueDictionary

from .counters import FULL, Counters
from .datagram_peer import DatagramPeer, SharedSocket
from .driver import drive
from .log import ClientErrorLog, DropLog

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import TaskGroup

    from .datagram_source import DatagramSource
    from .settings import DatagramSettings

__all__ = ("DatagramPeers",)

_DatagramT = TypeVar("_DatagramT", bound=Sized)
_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")

_RECENT_PEERS: Final = 1024
"""Peers that are kept although nobody may hold them, because the same ones come again; some 300
bytes each."""

_RECEIVE_PAUSE: Final = 0.1
"""Seconds to wait when the system is out of memory: it comes back with time, not by asking
again."""


class _Answer(enum.Enum):
    DONE = "the handler has ended"


_DONE: Final = _Answer.DONE
"""What a step of `DatagramPeers._run_handlers` gives when there is nothing to wait for. Everything
else is what the event loop has to be told."""


class _NothingMore(Exception):
    """Wakes the task that receives, for the last time."""


class DatagramPeers(Generic[_DatagramT, _RequestT, _ResponseT]):
    """Receives the datagrams of ``listener`` and has them handled.

    Args:
        settings: of the server.
        listener: where the datagrams come from, and the answers go.
        counters: where packets and bytes are counted.
        drops: where datagrams that nobody will read are counted.
        receive_failed: is told that nothing can be received for now, and why.
    """

    def __init__(
        self,
        settings: DatagramSettings[_DatagramT, _RequestT, _ResponseT],
        listener: DatagramSource[_DatagramT],
        counters: Counters,
        drops: DropLog,
        receive_failed: Callable[[OSError], object],
    ) -> None:
        self._listener = listener
        self._counters = counters
        self._drops = drops
        self._receive_failed = receive_failed
        self._shared = SharedSocket(settings, listener, counters)
        self.set_settings(settings)
        self._handle = settings.handler.handle
        self._new_context = contextvars.copy_context().copy  # of that of serve_forever(), after service_init()
        self._recent: OrderedDict[Any, DatagramPeer[_RequestT, _ResponseT]] = OrderedDict()
        self._others: WeakValueDictionary[Any, DatagramPeer[_RequestT, _ResponseT]] = WeakValueDictionary()
        self._active = 0
        self._was_crowded = False
        self._clients: TaskGroup | None = None  # where the tasks are; None before serving
        self._leading = 0  # the number of the task that receives; 0 if none does
        self._over = settings.backend.create_event()  # no task receives any more
        self._numbers = itertools.count(1)  # for the names of the tasks, which handlers and debuggers see
        self._waiting: set[DatagramPeer[_RequestT, _ResponseT]] = set()  # those whose handler has had to wait

    def set_settings(self, settings: DatagramSettings[_DatagramT, _RequestT, _ResponseT]) -> None:
        """Takes new limits into use; those who have more already keep it."""
        self._settings = self._shared.settings = settings
        limit = settings.limits.max_peers
        self._max_peers = math.inf if limit is None else limit

    def waiting(self) -> Sequence[object]:
        """The names of the peers whose handler has had to wait. Thread-safe."""
        return [peer.name for peer in tuple(self._waiting)]

    async def serve(self, clients: TaskGroup) -> None:
        """Receives until the listener is closed, in tasks of ``clients``."""
        self._clients = clients
        try:
            while (
                not self._listener.is_closing()
            ):  # a handler can end the task that receives: it may cancel it, for one
                self._over = self._settings.backend.create_event()
                self._start_lead()
                await self._over.wait()
        finally:
            self.stop_receiving()

    def _start_lead(self) -> None:
        assert self._clients is not None
        self._leading = number = next(self._numbers)
        self._clients.start_soon(self._lead, number, name=f"datagrams-{number}")

    async def _lead(self, number: int) -> None:
        """Receives until the listener is closed, or a handler needs the task.

        Only what is not an `Exception` leaves it.
        """
        receive, recent, reads = self._listener.receive, self._recent, self._counters.traffic.reads
        runner = self._run_handlers()
        runner.send(None)
        try:
            while self._leading == number:
                try:
                    datagram, address = await receive()
                except _NothingMore:
                    return
                except OSError as exc:
                    if self._listener.is_closing():
                        return
                    self._receive_failed(exc)
                    await self._settings.backend.sleep(_RECEIVE_PAUSE)
                    continue
                reads.append(len(datagram))
                if len(reads) >= FULL:
                    self._counters.traffic.add_up()
                peer = recent.get(address) or self._find(address)
                if peer.is_active or self._active >= self._max_peers:
                    if not (peer.is_active and peer.put(datagram)):
                        self._drop(peer, datagram)
                    continue
                peer.queue.append(datagram)
                context = self._new_context()
                try:
                    trap = context.run(runner.send, peer)
                except BaseException:
                    peer.discard_all()
                    raise
                if trap is not _DONE or peer.queue:
                    await self._serve_peer(peer, number, runner, context, trap)
        finally:
            runner.close()
            if self._leading == number:
                self._leading = 0
                self._over.set()

    async def _serve_peer(
        self,
        peer: DatagramPeer[_RequestT, _ResponseT],
        number: int,
        runner: Generator[Any, Any, None],
        context: contextvars.Context,
        trap: Any,
    ) -> None:
        """Awaits the handler of a peer that has to wait, until the peer has no more datagrams."""
        peer.is_active = True
        self._active += 1
        try:
            while True:
                if trap is not _DONE:
                    if self._leading == number:
                        self._start_lead()  # this task is the handler's from now on
                    self._waiting.add(peer)
                    try:
                        await _finish(runner, context, trap)
                    finally:
                        self._waiting.discard(peer)
                if not peer.queue:
                    return
                context = self._new_context()
                trap = context.run(runner.send, peer)
        finally:
            peer.is_active = False
            peer.discard_all()
            self._active -= 1
            if self._was_crowded and not self._active:
                self._forget_the_crowd()

    def _run_handlers(self) -> Generator[Any, Any, None]:
        """Drives one generator for each peer that is sent in, which uses up one datagram at least.

        Its end is told by `_DONE`.

        It does not return instead: an exception and a new coroutine for each datagram would double
        the price of the step.
        """
        peer: DatagramPeer[_RequestT, _ResponseT] = yield _DONE
        while True:
            taken = peer.taken
            try:
                # The driver makes the generator, so that its handler's first words are in its
                # context as well.
                yield from drive(self._handle, peer, once=True)
            except (Exception, BaseExceptionGroup) as exc:
                log = ClientErrorLog(self._settings.logger, self._counters, peer.name)
                log.handler_failed(exc, connections_break=False)
            if peer.taken == taken:
                peer.discard_next()
            peer = yield _DONE

    def _find(self, address: Any) -> DatagramPeer[_RequestT, _ResponseT]:
        peer: DatagramPeer[_RequestT, _ResponseT] | None = self._others.get(address)
        if peer is None:
            self._counters.clients_total += 1
            peer = DatagramPeer(self._shared, address)
        if self._active > _RECENT_PEERS:
            self._was_crowded = True
        if len(self._recent) >= _RECENT_PEERS:
            oldest, forgotten = self._recent.popitem(last=False)
            self._others[oldest] = forgotten
        self._recent[address] = peer
        return peer

    def _forget_the_crowd(self) -> None:
        """Small objects that stay, scattered over all the memory that the others have left, would
        keep the system from having it back.
        """
        self._was_crowded = False
        self._others.update(self._recent)  # some of them may be held, and must stay who they are
        self._recent.clear()

    def _drop(self, peer: DatagramPeer[_RequestT, _ResponseT], datagram: _DatagramT) -> None:
        if not peer.is_active:
            self._counters.limits_hit["max_peers"] += 1
        self._settings.reader.discard(datagram)
        self._counters.traffic.more_packets -= 1
        self._drops.add(peer)

    def stop_receiving(self) -> None:
        """Nothing will arrive any more, and those who wait for it see why. Safe to repeat."""
        self._leading = 0
        self._listener.interrupt_receive(_NothingMore())
        self._shared.stop_receiving()

    def end(self) -> None:
        """The service has ended: nothing can be sent any more."""
        self._shared.end()


@coroutine
def _finish(runner: Generator[Any, Any, None], context: contextvars.Context, trap: Any) -> Generator[Any, Any, None]:
    """Awaits the end of a handler whose last step gave ``trap``, each step in ``context``."""
    while trap is not _DONE:
        try:
            answer = yield trap
        except BaseException as exc:
            trap = context.run(runner.throw, exc)
        else:
            trap = context.run(runner.send, answer)
