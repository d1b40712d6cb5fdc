# SPDX-License-Identifier: Apache-2.0
"""More datagrams than anybody can handle, from one address and from many."""

from __future__ import annotations

import contextlib
import re
import resource
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from attacks.attacked_process import AttackedProcess
from attacks.harness import Harness, at_once
from attacks.peers import ask, slowest_answer, wait_until

_MAX_PENDING = 128
"""Datagrams that wait for one peer's handler, unless the server's option says otherwise."""

_DROPPED = re.compile(r"WARNING Dropped datagrams: (\d+), from peers: \d+")


@pytest.mark.attack(row=5, tier="F")
@at_once
def test_a_flood_on_one_address_costs_no_memory_at_first(harness: Harness) -> None:
    flood_on_one_address(harness, 0.5)


@pytest.mark.attack(row=5, tier="R")
def test_a_flood_on_one_address_costs_no_memory(harness: Harness) -> None:
    flood_on_one_address(harness, 5)


def flood_on_one_address(harness: Harness, seconds: float) -> None:
    """Sends small datagrams as long as that, and large ones, to handlers that are asleep."""
    server = harness.start("udp")
    with server.connect() as canary:
        slowest_answer(canary)
        costs = server.costs()
        sent = 0
        for size in (64, 8192):
            with server.connect() as attacker:
                attacker.send(b"sleep 3600")
                sent += send_for(seconds, attacker, b"x" * size)
                wait_until(lambda: in_kernel(server).waiting == 0, 10)
            assert ask(canary, "echo still here") == "still here"
            harness.figure(f"growth by {size} bytes each", costs.growth(), "MB", at_most=20)
        took, lost_by_kernel = costs.seconds(), in_kernel(server).dropped
    server.tell("shutdown")  # so that what was counted is said
    dropped = [int(match[1]) for line in server.log() if (match := _DROPPED.match(line))]
    assert len(dropped) == len(server.log())
    harness.figure("neither counted nor waiting", sent - lost_by_kernel - sum(dropped) - 2 * _MAX_PENDING, at_most=0)
    harness.figure("counted", sum(dropped), at_least=1)
    harness.figure("lines a second", max(len(dropped) - 2, 0) / took, at_most=1)  # without the first and the last


def send_for(seconds: float, sock: socket.socket, data: bytes) -> int:
    """Sends as fast as it can, and returns how often it has."""
    sent, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        sent += sum(sock.send(data) > 0 for _ in range(1000))
    return sent


@dataclass
class Queue:
    """What the kernel tells of a UDP socket."""

    waiting: int
    """Bytes."""
    dropped: int
    """Datagrams."""


def in_kernel(server: AttackedProcess) -> Queue:
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    # The first: while other sockets come and go, a row may be there twice.
    row = next(row for row in rows if row[1] == f"0100007F:{server.port:04X}")
    return Queue(int(row[4].partition(":")[2], 16), int(row[-1]))


@contextmanager
def many_descriptors() -> Generator[None]:
    """As many as this process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def flood_from(ports: int, harness: Harness, cap: int) -> None:
    """Twice, from the same addresses: what the first time has left, the second one may use."""
    server = harness.start("udp", options={"udp": {"limits": {"max_peers": cap}}})
    with contextlib.ExitStack() as stack:
        canary = stack.enter_context(server.connect())
        ask(canary, "echo warm-up")
        peers = [stack.enter_context(server.connect()) for _ in range(ports)]
        before, costs = server.stats(canary), server.costs()
        have_each_served(server, canary, peers)
        after = server.stats(canary)
        harness.figure("generators at a time", after["most_running"], at_least=min(cap, 1000) / 2, at_most=cap)
        harness.figure("tasks left", after["tasks"] - before["tasks"], exactly=0)
        # uvloop keeps 250 of its timers for later use, which are scattered over all the memory that
        # 10,000 sleeping generators had.
        most = 40 if harness.loop == "uvloop" and cap == 10_000 else 25
        harness.figure("growth that lasts a collection", costs.lasting_growth(), "MB", at_most=most)
        have_each_served(server, canary, peers)
        harness.figure("the same after another flood", costs.lasting_growth(), "MB", at_most=most)


def have_each_served(server: AttackedProcess, canary: socket.socket, peers: list[socket.socket]) -> None:
    """Sends from each at once, and returns when the last datagram that was not dropped has been
    served, and the garbage is gone.
    """
    with server.connect() as pacer:
        pacer.send(b"session")
        for number, peer in enumerate(peers, 1):
            peer.send(b"sleep 2")
            if number % 200 == 0:
                ask(
                    pacer, "next"
                )  # It waits behind them in the kernel's queue: what that has no room for is no attack.
        pacer.send(b"")
    wait_until(lambda: server.stats(canary)["running"] == 0, 20)
    ask(canary, "collect")


@pytest.mark.attack(row=6, tier="F")
@at_once
def test_a_flood_from_some_ports_meets_the_cap(harness: Harness) -> None:
    flood_from(400, harness, cap=100)


@pytest.mark.attack(row=6, tier="R")
@pytest.mark.parametrize("cap", [1000, 10_000])
def test_a_flood_from_many_ports_meets_the_cap_and_leaves_nothing(harness: Harness, cap: int) -> None:
    with many_descriptors():
        flood_from(10_000, harness, cap)
