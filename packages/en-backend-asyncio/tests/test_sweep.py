# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import socket
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVarTuple

import pytest

from easynetwork.backends.asyncio.sweep import PollErrorSweep, sweep_of
from easynetwork.backends.asyncio.watch import AsyncIOSocketWatch
from easynetwork.lowlevel.closing import reset_on_close
from easynetwork.lowlevel.testing.event_loops import installed_event_loops

Args = TypeVarTuple("Args")
SocketPair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[SocketPair]:
    """Two connected TCP sockets; the first one does not block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    with ours, theirs:
        ours.setblocking(False)
        yield ours, theirs


@pytest.fixture
def other_pair() -> Iterator[SocketPair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def reset(sock: socket.socket) -> None:
    reset_on_close(sock)
    sock.close()


class ManualLoop(asyncio.SelectorEventLoop):
    """An event loop with one timer, which the test lets fire."""

    def __init__(self) -> None:
        super().__init__()
        self._callback: Callable[[], object] | None = None

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Args], object],
        *args: *Args,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        assert self._callback is None, "one timer is enough"
        self._callback = partial(callback, *args)
        return asyncio.TimerHandle(delay, callback, args, self, context)

    @property
    def has_timer(self) -> bool:
        return self._callback is not None

    def fire(self) -> None:
        callback, self._callback = self._callback, None
        assert callback is not None
        callback()


class Waiting:
    """A socket that a task waits for, and whose event loop has reported it once."""

    def __init__(self, sock: socket.socket, sweep: PollErrorSweep) -> None:
        self._socket = sock
        self._sweep = sweep
        self.was_heard_of = False
        self.is_waited_for = True
        self.renewals = 0
        self.report()

    def report(self) -> None:
        self.was_heard_of = True
        self._sweep.add(self)

    def fileno(self) -> int:
        return self._socket.fileno()

    def renew(self) -> None:
        self.renewals += 1


@pytest.fixture
def loop() -> Iterator[ManualLoop]:
    with contextlib.closing(ManualLoop()) as loop:
        yield loop


@pytest.fixture
def sweep(loop: ManualLoop) -> PollErrorSweep:
    return PollErrorSweep(loop)


def test_a_quiet_socket_with_an_error_is_watched_anew_once(
    loop: ManualLoop, sweep: PollErrorSweep, pair: SocketPair
) -> None:
    waiting = Waiting(pair[0], sweep)
    reset(pair[1])
    loop.fire()
    assert waiting.renewals == 0, "it was reported since the last look"

    loop.fire()

    assert waiting.renewals == 1
    assert not loop.has_timer


def test_a_socket_without_an_error_is_left_alone_and_needs_no_more_looks(
    loop: ManualLoop, sweep: PollErrorSweep, pair: SocketPair
) -> None:
    waiting = Waiting(pair[0], sweep)
    pair[1].send(b"the event loop will report this")
    loop.fire()
    loop.fire()

    assert waiting.renewals == 0
    assert not loop.has_timer


def test_a_socket_that_is_reported_again_and_again_is_not_asked(
    loop: ManualLoop, sweep: PollErrorSweep, pair: SocketPair
) -> None:
    waiting = Waiting(pair[0], sweep)
    reset(pair[1])
    for _ in range(5):
        waiting.report()
        loop.fire()

    assert waiting.renewals == 0
    assert loop.has_timer


def test_a_socket_is_not_asked_before_a_task_waits_for_it(
    loop: ManualLoop, sweep: PollErrorSweep, pair: SocketPair
) -> None:
    waiting = Waiting(pair[0], sweep)
    waiting.is_waited_for = False
    reset(pair[1])
    for _ in range(5):
        loop.fire()
    assert waiting.renewals == 0

    waiting.is_waited_for = True
    loop.fire()

    assert waiting.renewals == 1
    assert not loop.has_timer


def test_each_wait_after_a_report_is_asked_for(loop: ManualLoop, sweep: PollErrorSweep, pair: SocketPair) -> None:
    waiting = Waiting(pair[0], sweep)
    loop.fire()
    loop.fire()
    assert not loop.has_timer

    waiting.report()
    reset(pair[1])
    loop.fire()
    loop.fire()

    assert waiting.renewals == 1
    assert not loop.has_timer


def test_one_timer_looks_after_all_sockets(
    loop: ManualLoop, sweep: PollErrorSweep, pair: SocketPair, other_pair: SocketPair
) -> None:
    broken, sound = Waiting(pair[0], sweep), Waiting(other_pair[0], sweep)
    reset(pair[1])
    loop.fire()
    loop.fire()

    assert (broken.renewals, sound.renewals) == (1, 0)
    assert not loop.has_timer


def test_a_socket_that_is_about_to_be_closed_is_forgotten(
    loop: ManualLoop, sweep: PollErrorSweep, pair: SocketPair
) -> None:
    waiting = Waiting(pair[0], sweep)
    reset(pair[1])
    loop.fire()
    sweep.discard(waiting)
    sweep.discard(waiting)
    loop.fire()

    assert waiting.renewals == 0
    assert not loop.has_timer


# in event loops


@pytest.mark.anyio
async def test_a_reader_is_told_of_a_reset_that_came_with_data(pair: SocketPair) -> None:
    ours, theirs = pair
    watch = AsyncIOSocketWatch(asyncio.get_running_loop(), ours.fileno())
    theirs.send(b"last words")
    reset(theirs)

    await watch.wait_readable()
    with pytest.raises(ConnectionResetError):
        while True:
            ours.recv(4)
            await watch.wait_readable()

    watch.stop(ConnectionAbortedError())


@pytest.mark.anyio
async def test_a_reader_is_told_of_a_reset_that_came_while_its_data_was_read(pair: SocketPair) -> None:
    ours, theirs = pair
    watch = AsyncIOSocketWatch(asyncio.get_running_loop(), ours.fileno())
    theirs.send(b"last words")
    await watch.wait_readable()
    reset(theirs)
    for _ in range(10):
        await asyncio.sleep(0)  # the event loop hears of the error, while nobody waits

    with pytest.raises(ConnectionResetError):
        while True:
            ours.recv(100)
            await watch.wait_readable()

    watch.stop(ConnectionAbortedError())


@pytest.mark.anyio
async def test_a_reset_is_told_once_for_each_wait(pair: SocketPair) -> None:
    """A reader that does not read, and so leaves the error where it is, does not keep the event
    loop busy.
    """
    ours, theirs = pair
    watch = AsyncIOSocketWatch(asyncio.get_running_loop(), ours.fileno())
    theirs.send(b"last words")
    reset(theirs)
    await watch.wait_readable()
    await watch.wait_readable()

    watch.stop(ConnectionAbortedError())
    with pytest.raises(ConnectionAbortedError):
        await watch.wait_readable()


@pytest.mark.anyio
@pytest.mark.parametrize("deadline", [None, 3600])
async def test_nothing_remains_of_a_watch_after_its_stop(pair: SocketPair, deadline: float | None) -> None:
    ours, theirs = pair
    loop = asyncio.get_running_loop()
    until = None if deadline is None else loop.time() + deadline
    watch = AsyncIOSocketWatch(loop, ours.fileno())
    theirs.send(b"x")
    await watch.wait_readable(until)
    watch.stop(ConnectionAbortedError())
    with pytest.raises(ConnectionAbortedError):
        await watch.wait_readable(until)

    freed = weakref.ref(watch)
    del watch
    await asyncio.sleep(0)  # the event loop closes what it has watched with
    gc.collect()

    assert freed() is None


LOOPS = {name: options for name, (library, options) in installed_event_loops().items() if library == "asyncio"}


@pytest.fixture(params=list(LOOPS.values()), ids=list(LOOPS))
def new_loop(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    return request.param["loop_factory"]  # type: ignore[no-any-return]


@pytest.mark.skipif("uvloop" not in LOOPS, reason="uvloop is not installed")
def test_each_loop_that_loses_errors_has_one_sweep() -> None:
    first, second = (LOOPS["uvloop"]["loop_factory"]() for _ in range(2))
    sweeps = [sweep_of(first), sweep_of(first), sweep_of(second)]
    first.close()
    second.close()

    assert None not in sweeps
    assert sweeps[0] is sweeps[1] is not sweeps[2]


def test_a_loop_that_tells_of_errors_has_no_sweep(loop: ManualLoop) -> None:
    assert sweep_of(loop) is None


def test_a_loop_that_has_ended_is_freed(new_loop: Callable[[], asyncio.AbstractEventLoop], pair: SocketPair) -> None:
    """Also if a connection was abandoned in it."""
    ours, theirs = pair
    theirs.send(b"x")
    loop = new_loop()
    watch = AsyncIOSocketWatch(loop, ours.fileno())

    async def use(watch: AsyncIOSocketWatch) -> None:
        await watch.wait_readable()

    loop.run_until_complete(use(watch))
    loop.remove_reader(ours.fileno())
    loop.close()
    freed = weakref.ref(loop)
    del loop, watch
    gc.collect()

    assert freed() is None
