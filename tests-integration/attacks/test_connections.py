# SPDX-License-Identifier: Apache-2.0
"""Connections that are too many, too slow, too greedy, or gone."""

from __future__ import annotations

import contextlib
import functools
import itertools
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from attacks.attacked_process import AttackedProcess
from attacks.harness import Harness, at_once
from attacks.peers import ask, best_of, has_input, pass_time, read_line, reset, settled, slowest_answer, wait_until


@contextmanager
def dripping(socks: Sequence[socket.socket], seconds: float = 0.5) -> Generator[None]:
    """Sends one byte to each of ``socks`` every so many seconds, evenly spread."""
    ended = threading.Event()

    def drip() -> None:
        for sock in itertools.cycle(socks):
            if ended.wait(seconds / len(socks)):
                return
            sock.send(b"x")

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.attack(row=13, tier="R")
@pytest.mark.parametrize(
    ("kind", "is_secure", "bar"),
    [
        pytest.param("tcp", False, 40, id="TCP"),
        pytest.param("tls", True, 100, id="TLS"),
        pytest.param("tls", False, 100, id="stalled handshakes"),
    ],
)
def test_idle_and_dripping_connections_are_cheap(harness: Harness, kind: str, is_secure: bool, bar: float) -> None:
    server = harness.start(kind)
    with contextlib.ExitStack() as stack:
        canary = stack.enter_context(server.connect())
        slowest_answer(canary)
        costs = server.costs()
        crowd = [stack.enter_context(server.connect(secure=is_secure)) for _ in range(500)]
        wait_until(lambda: server.descriptors() >= 500, 5)
        idle = best_of(lambda: slowest_answer(canary), 5)
        harness.figure("an idle connection", 1000 * costs.lasting_growth() / 500, "kB", at_most=bar)
        harness.figure("others while they idle, p99", idle, "ms", at_most=5)
        if kind == "tcp" or is_secure:
            with dripping(crowd):
                pass_time(2)
                dripped_on = best_of(lambda: slowest_answer(canary), 5)
            harness.figure("a dripping connection", 1000 * costs.lasting_growth() / 500, "kB", at_most=bar)
            harness.figure("others while they drip, p99", dripped_on, "ms", at_most=5)


@pytest.mark.attack(row=14, tier="F")
@at_once
def test_a_dripping_peer_meets_its_time_limit(harness: Harness) -> None:
    with harness.start().connect() as sock:
        assert ask(sock, "limit 2") == "go"
        began = time.monotonic()
        with dripping([sock]):
            assert read_line(sock) == "too slow"
            harness.figure("cut after", time.monotonic() - began, "s", at_least=1.8, at_most=2.2)


@pytest.mark.attack(row=16, tier="F")
@at_once
def test_running_out_of_descriptors_is_survived(harness: Harness) -> None:
    server = harness.start(descriptors=64)
    with contextlib.ExitStack() as stack:
        old = stack.enter_context(server.connect())
        slowest_answer(old)
        crowd = [stack.enter_context(server.connect()) for _ in range(200)]
        wait_until(lambda: server.descriptors() >= 64, 5)
        shortage = server.costs()
        slowest = best_of(lambda: slowest_answer(old), 10)
        alone = server.costs()
        pass_time(1.5)
        harness.figure("CPU", alone.cpu(), "%", at_most=2)
        harness.figure("an old client, p99", slowest, "ms", at_most=10)
        lines, seconds = len(server.log()), shortage.seconds()
        for sock in crowd:
            sock.close()
        with server.connect() as late:
            began = time.monotonic()
            assert ask(late, "echo back") == "back"
            harness.figure("recovers within", time.monotonic() - began, "s", at_most=2)
        harness.figure(
            "lines a second", max(lines - 1, 0) / seconds, at_most=1
        )  # the first is before there is a second


def reset_a_crowd(server: AttackedProcess) -> None:
    """Of a hundred, a third in a frame, a third while they are sent to, and the others when they
    are accepted, or before.
    """
    crowd = [server.connect() for _ in range(67)]
    for sock, request in zip(crowd, [b"echo half a fra"] * 33 + [b"flood 100000\n"] * 34, strict=True):
        sock.sendall(request)
    wait_until(lambda: all(map(has_input, crowd[33:])), 5)
    crowd += [server.connect() for _ in range(33)]
    for sock in crowd:
        reset(sock)


@pytest.mark.attack(row=17, tier="F")
@at_once
def test_resets_leave_nothing_behind(harness: Harness) -> None:
    server = harness.start()
    with server.connect() as watching:
        before = server.stats(watching)
        descriptors = server.descriptors()
        for count in (200, 2000):
            for _ in range(count // 100):
                reset_a_crowd(server)
            after = server.stats()  # a new connection is accepted after those that were reset while they waited for it
            assert after["connected"] - before["connected"] >= count * 2 // 3, (
                "the others were gone before they were seen"
            )
            harness.figure(f"descriptors left by {count}", server.descriptors_left(descriptors), exactly=0)
            tasks_left = settled(lambda: server.stats(watching)["tasks"] - before["tasks"], 0, 5)
            harness.figure(f"tasks left by {count}", tasks_left, exactly=0)
        after = server.stats(watching)
        harness.figure("on_connection() without its end", after["connected"] - after["disconnected"] - 1, exactly=0)
        harness.figure("lines in the log", len(server.log()), exactly=0)


@pytest.mark.attack(row=25, tier="F")
@at_once
def test_a_peer_that_leaves_in_a_batch_stops_it(harness: Harness) -> None:
    server = harness.start()
    with server.connect() as watching:

        def milliseconds_until_stopped(leave: Callable[[socket.socket], None]) -> float:
            before = server.stats(watching)["disconnected"]
            sock = server.connect()
            sock.sendall(b"slow x\n" * 1000)  # ten seconds of work
            wait_until(lambda: has_input(sock), 5)
            began = time.monotonic()
            leave(sock)
            wait_until(lambda: server.stats(watching)["disconnected"] > before, 15)
            return 1000 * (time.monotonic() - began)

        for name, leave in (("FIN", socket.socket.close), ("RST", reset)):
            took = best_of(functools.partial(milliseconds_until_stopped, leave), 200)
            harness.figure(f"stops after a {name}", took, "ms", at_most=200)
    harness.figure("lines in the log", len(server.log()), exactly=0)


@pytest.mark.attack(row=26, tier="R")
def test_many_connections_one_after_another_leave_nothing_behind(harness: Harness) -> None:
    server = harness.start()

    def churn(count: int) -> None:
        for _ in range(count):
            with server.connect() as sock:
                assert ask(sock, "echo x") == "x"

    with server.connect() as watching:
        assert ask(watching, "echo here") == "here"
        descriptors = server.descriptors()
        churn(1000)
        wait_until(lambda: server.descriptors() == descriptors, 5)
        costs = server.costs()
        churn(20_000)
        left = server.descriptors_left(descriptors)
        harness.figure("growth", costs.lasting_growth(), "MB", at_most=1)
        harness.figure("descriptors left", left, exactly=0)


@pytest.mark.attack(row=26, tier="F")
def test_many_connections_at_once_are_served_at_once(harness: Harness) -> None:
    server = harness.start()
    harness.figure("300 answered within", best_of(lambda: _seconds_to_answer(server, 300), 0.2), "s", at_most=0.2)


def _seconds_to_answer(server: AttackedProcess, count: int) -> float:
    """How long it takes from the first connection to the last answer."""
    with contextlib.ExitStack() as stack:
        answers = stack.enter_context(selectors.DefaultSelector())
        began = time.monotonic()
        for _ in range(count):
            sock = stack.enter_context(server.connect())
            sock.sendall(b"echo x\n")
            answers.register(sock, selectors.EVENT_READ)
        while answers.get_map():
            for key, _ in answers.select():
                answers.unregister(key.fileobj)
        return time.monotonic() - began


@pytest.mark.attack(row=27, tier="F")
def test_a_flooding_client_leaves_the_others_their_turn(harness: Harness) -> None:
    server = harness.start()
    program: list[str | Path] = [sys.executable, "-S", Path(__file__).with_name("flooder.py"), str(server.port)]
    with subprocess.Popen(program) as flood, server.connect() as canary:
        try:
            wait_until(lambda: server.stats(canary)["handled"] > 1000, 10)
            harness.figure("a normal client, p99", best_of(lambda: slowest_answer(canary, 200), 20), "ms", at_most=20)
        finally:
            flood.kill()
