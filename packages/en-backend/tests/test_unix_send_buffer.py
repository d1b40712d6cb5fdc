# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
import sys
import tracemalloc

import pytest

from easynetwork.lowlevel.unix_send_buffer import SharedSendBuffer, unread_by_peers

SIZE = 100_000
COST = 1000


class Kernel:
    """What peers have not read, and a clock."""

    def __init__(self) -> None:
        self.unread = 0
        self.now = 0.0
        self.asked = 0
        self.buffer = SharedSendBuffer(SIZE, self._tell, lambda: self.now)

    def _tell(self) -> int:
        self.asked += 1
        return self.unread

    def send(self, address: str, size: int = 500) -> bool:
        if not self.buffer.admits(size, address):
            return False
        self.unread += COST + size - 500
        return True

    def read(self, number: int = 1) -> None:
        self.unread -= number * COST

    def fill(self) -> None:
        """Sends to somebody who reads nothing, until that is known."""
        while self.send("deaf"):
            pass
        self.now += 1
        assert not self.send("deaf")


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


def test_those_who_read_are_never_refused_and_the_kernel_is_rarely_asked(kernel: Kernel) -> None:
    for number in range(1000):
        assert kernel.send(str(number))
        kernel.read()

    assert kernel.asked < 50


def test_those_who_come_under_ever_new_names_are_forgotten(kernel: Kernel) -> None:
    kernel.fill()
    tracemalloc.start()
    try:
        for number in range(20_000):
            if kernel.send(f"somebody {number}"):
                kernel.now += 1  # it does not read in time
                kernel.send("deaf")  # which is noticed now
                kernel.read()  # and it goes, and what it has not read with it
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert used < 1_000_000


def test_one_who_reads_nothing_gets_half_of_the_buffer_and_one_more(kernel: Kernel) -> None:
    kernel.fill()

    assert kernel.unread == SIZE // 2 + COST


def test_the_others_wait_once_and_then_no_more(kernel: Kernel) -> None:
    while kernel.send("deaf"):
        pass
    assert not kernel.send("good")  # it may have been sent to somebody who is just slow

    kernel.now += 0.005
    for number in range(1000):
        assert kernel.send(f"good {number % 3}")
        assert not kernel.send("another")  # one at a time
        kernel.read()
        kernel.now += 0.001
        assert not kernel.send("deaf")


def test_many_who_read_nothing_leave_room_too(kernel: Kernel) -> None:
    kernel.fill()
    for number in range(10):
        assert kernel.send(f"deaf {number}")
        kernel.now += 1

    assert kernel.send("good")
    assert kernel.unread == SIZE // 2 + 12 * COST


def test_large_datagrams_leave_room_for_small_ones(kernel: Kernel) -> None:
    kernel.fill()
    number = 0
    while kernel.send(f"deaf {number}", 5000):
        kernel.now += 1
        number += 1

    assert number > 1
    assert kernel.send("good")


def test_one_who_reads_again_is_sent_to_again(kernel: Kernel) -> None:
    kernel.fill()
    kernel.now += 1
    assert not kernel.send("deaf")
    kernel.read()

    assert kernel.send("deaf")
    assert not kernel.send("deaf")
    kernel.read(10)
    assert kernel.send("deaf")


def test_one_who_never_reads_is_tried_less_and_less(kernel: Kernel) -> None:
    kernel.fill()
    tried = 0
    for number in range(1000):
        kernel.read()  # others, slow but willing
        slow = f"slow {number}"
        sent_to = "deaf" if kernel.send("deaf") else slow
        if sent_to == slow:
            assert kernel.send(slow)
        tried += sent_to != slow
        kernel.now += 0.01
        assert not kernel.send(sent_to)

    assert 1 < tried < 15


def test_with_room_again_nobody_is_refused(kernel: Kernel) -> None:
    kernel.fill()
    kernel.read(20)

    assert all(kernel.send("deaf") for _ in range(10))


@pytest.mark.skipif(sys.platform != "linux", reason="others charge the receiver")
def test_the_kernel_tells_what_is_unread() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        assert unread_by_peers(ours) == 0
        for _ in range(3):
            ours.send(bytes(500))
        assert 1500 <= unread_by_peers(ours) <= 3 * (2 * 500 + 1024)
        for _ in range(3):
            theirs.recv(1000)
        assert unread_by_peers(ours) == 0
    assert unread_by_peers(ours) == 0
