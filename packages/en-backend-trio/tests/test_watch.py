# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import trio
import trio.testing

from easynetwork.backends.trio.watch import TrioSocketWatch
from easynetwork.exceptions import BusyResourceError

pytestmark = pytest.mark.anyio

SocketPair = tuple[socket.socket, socket.socket]
Wait = Callable[[], Coroutine[Any, Any, None]]


@pytest.fixture
def sockets() -> Iterator[SocketPair]:
    """Two connected ones: the first has nothing to read, and no room to write."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                ours.send(bytes(65536))
        yield ours, theirs


@pytest.fixture
def watch(sockets: SocketPair) -> TrioSocketWatch:
    return TrioSocketWatch(sockets[0].fileno())


@pytest.fixture(params=["wait_readable", "wait_writable"])
def wait(watch: TrioSocketWatch, request: pytest.FixtureRequest) -> Wait:
    """Either way of waiting."""
    return getattr(watch, request.param)  # type: ignore[no-any-return]


def make_ready(theirs: socket.socket) -> None:
    """Lets both waits end."""
    theirs.send(b"x")
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            theirs.recv(65536)


async def test_a_wait_ends_when_the_socket_is_ready(wait: Wait, sockets: SocketPair) -> None:
    async with trio.open_nursery() as tasks:
        tasks.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        make_ready(sockets[1])

    await wait()


async def test_a_second_task_of_the_same_kind_is_refused(wait: Wait, sockets: SocketPair) -> None:
    async with trio.open_nursery() as tasks:
        tasks.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(BusyResourceError):
            await wait()
        make_ready(sockets[1])


async def test_a_reader_and_a_writer_wait_at_a_time(watch: TrioSocketWatch, sockets: SocketPair) -> None:
    async with trio.open_nursery() as tasks:
        tasks.start_soon(watch.wait_readable)
        tasks.start_soon(watch.wait_writable)
        await trio.testing.wait_all_tasks_blocked()
        make_ready(sockets[1])


@pytest.mark.parametrize("seconds", [-1, 0, 0.01])
async def test_a_deadline_is_a_timeout_error_and_leaves_room_for_the_next_wait(
    watch: TrioSocketWatch, sockets: SocketPair, seconds: float
) -> None:
    deadline = trio.current_time() + seconds

    with pytest.raises(TimeoutError):
        await watch.wait_readable(deadline)

    assert trio.current_time() >= deadline
    make_ready(sockets[1])
    await watch.wait_readable()


async def test_a_wait_in_time_does_not_mind_its_deadline(watch: TrioSocketWatch, sockets: SocketPair) -> None:
    make_ready(sockets[1])

    await watch.wait_readable(trio.current_time() + 60)


async def test_a_cancelled_wait_leaves_room_for_the_next(wait: Wait, sockets: SocketPair) -> None:
    with trio.move_on_after(0.01) as scope:
        await wait()
    make_ready(sockets[1])
    await wait()

    assert scope.cancelled_caught


async def test_a_cancellation_from_outside_is_no_timeout(watch: TrioSocketWatch) -> None:
    with trio.move_on_after(0.01) as scope:
        await watch.wait_readable(trio.current_time() + 60)

    assert scope.cancelled_caught


@pytest.mark.parametrize("deadline", [None, 60])
async def test_stop_wakes_everybody_with_the_given_error(watch: TrioSocketWatch, deadline: float | None) -> None:
    caught: list[Exception] = []

    async def expect_error(wait: Wait) -> None:
        with pytest.raises(LookupError) as error:
            await wait()
        caught.append(error.value)

    until = None if deadline is None else trio.current_time() + deadline
    error = LookupError("closed")
    async with trio.open_nursery() as tasks:
        tasks.start_soon(expect_error, lambda: watch.wait_readable(until))
        tasks.start_soon(expect_error, watch.wait_writable)
        await trio.testing.wait_all_tasks_blocked()
        watch.stop(error)
        watch.stop(ValueError("too late"))

    assert caught == [error, error]


async def test_a_wait_after_stop_raises_what_that_was_told_first(wait: Wait, watch: TrioSocketWatch) -> None:
    watch.stop(LookupError("closed"))
    watch.stop(ValueError("too late"))

    with pytest.raises(LookupError, match="closed"):
        await wait()


async def test_an_interruption_ends_the_wait_for_input_alone(watch: TrioSocketWatch, sockets: SocketPair) -> None:
    watch.interrupt_reader(LookupError("nobody waits, so nobody is told"))
    writable = trio.Event()

    async def write() -> None:
        await watch.wait_writable()
        writable.set()

    async def read() -> None:
        with pytest.raises(LookupError, match="look"):
            await watch.wait_readable()

    async with trio.open_nursery() as tasks:
        tasks.start_soon(write)
        async with trio.open_nursery() as reading:
            reading.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            watch.interrupt_reader(LookupError("look"))
        await trio.testing.wait_all_tasks_blocked()
        assert not writable.is_set()
        make_ready(sockets[1])
        await watch.wait_readable()
