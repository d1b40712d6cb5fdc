# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.closing import LingeringClose, reset_on_close, unacknowledged_bytes, wait_until_delivered
from easynetwork.lowlevel.socket import get_socket_linger

MUCH = bytes(100_000)


@pytest.fixture(params=["AF_UNIX", "AF_INET"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A socket that is to be closed, and its peer."""
    ours, theirs = socket.socketpair() if request.param == "AF_UNIX" else tcp_pair()
    with ours, theirs:
        ours.setblocking(False)
        yield ours, theirs


@pytest.fixture
def narrow_pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The same, with a peer whose kernel takes a few kilobytes and no more."""
    ours, theirs = tcp_pair(receive_buffer=4096)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1_000_000)
    with ours, theirs:
        ours.setblocking(False)
        yield ours, theirs


def tcp_pair(receive_buffer: int | None = None) -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.socket()
        if receive_buffer is not None:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        theirs.connect(listener.getsockname())
        ours, _ = listener.accept()
        return ours, theirs


def read_to_end(sock: socket.socket) -> int:
    sock.settimeout(10)
    size = 0
    while data := sock.recv(65536):
        size += len(data)
    return size


def wait_until_complete(delivery: LingeringClose) -> None:
    """What TCP has to say to itself takes no time on this machine, but some asking."""
    for now in range(100_000):
        if delivery.pause(now / 1e6) is None:
            break
    assert delivery.complete


def test_a_delivery_ends_the_sending_side(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    LingeringClose(ours, 0)

    assert theirs.recv(1) == b""


def test_a_delivery_is_complete_when_the_peer_has_everything(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    sent = ours.send(MUCH)
    delivery = LingeringClose(ours, 0)

    assert read_to_end(theirs) == sent
    wait_until_complete(delivery)


@pytest.mark.parametrize("pair", ["AF_INET"], indirect=True)
def test_what_the_peer_still_sends_is_thrown_away(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.settimeout(10)
    delivery = LingeringClose(ours, 0)
    for now in range(50):
        theirs.send(bytes(10_000))  # would block for ever if nobody read
        delivery.pause(now / 1e6)

    wait_until_complete(delivery)


def test_a_peer_that_takes_nothing_is_given_up_in_time(narrow_pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = narrow_pair
    ours.send(MUCH)
    delivery = LingeringClose(ours, 100, timeout=30)

    assert delivery.pause(100) is not None
    assert delivery.pause(129.9) is not None
    assert delivery.pause(130) is None
    assert not delivery.complete


def test_a_peer_that_takes_something_gets_more_time(narrow_pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = narrow_pair
    ours.send(MUCH)
    delivery = LingeringClose(ours, 0, timeout=30)
    delivery.pause(0)

    now = 0
    for _ in range(6):
        now += 29
        left = unacknowledged_bytes(ours)
        while unacknowledged_bytes(ours) == left:
            theirs.recv(1000)
        assert delivery.pause(now) is not None
    assert delivery.pause(now + 30) is None


def test_pauses_grow_to_twenty_a_second(narrow_pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = narrow_pair
    ours.send(MUCH)
    delivery = LingeringClose(ours, 0)
    pauses = [delivery.pause(0) or 0 for _ in range(10)]

    assert pauses == sorted(pauses)
    assert pauses[0] == 0.001
    assert pauses[-1] == 0.05


@pytest.mark.parametrize("pair", ["AF_UNIX"], indirect=True)
def test_a_unix_socket_leaves_nothing_to_wait_for(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    sent = ours.send(MUCH)
    theirs.send(b"this is never read")  # a careless close would answer it with a reset

    delivery = LingeringClose(ours, 0)
    assert delivery.pause(0) is None
    assert delivery.complete
    ours.close()
    assert read_to_end(theirs) == sent
    with pytest.raises(BrokenPipeError):
        theirs.send(b"x")


def test_a_connection_that_is_lost_leaves_nothing_to_wait_for(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    reset_on_close(theirs)
    theirs.close()

    wait_until_complete(LingeringClose(ours, 0))


def test_a_socket_that_is_closed_meanwhile_leaves_nothing_to_wait_for(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, _ = pair
    ours.send(MUCH)
    delivery = LingeringClose(ours, 0)
    ours.close()

    assert delivery.pause(0) is None
    assert unacknowledged_bytes(ours) == 0


@pytest.mark.parametrize("pair", ["AF_INET"], indirect=True)
def test_a_reset_is_seen_by_the_peer(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    reset_on_close(ours)
    assert get_socket_linger(ours) == (True, 0)
    ours.close()
    reset_on_close(ours)  # a closed socket is left alone

    with pytest.raises(ConnectionResetError):
        theirs.recv(1)


@pytest.mark.anyio
async def test_waiting_ends_when_the_peer_has_everything(
    backend: AsyncBackend, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    sent = ours.send(MUCH)

    async with backend.create_task_group() as tasks:
        waiting = await tasks.start(wait_until_delivered, ours, backend)
        assert await backend.run_in_thread(read_to_end, theirs) == sent
        assert await waiting.join() is True
    assert ours.fileno() >= 0


@pytest.mark.anyio
async def test_waiting_for_a_peer_that_takes_nothing_fails(
    backend: AsyncBackend, narrow_pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, _ = narrow_pair
    ours.send(MUCH)

    assert await wait_until_delivered(ours, backend, timeout=0.01) is False
