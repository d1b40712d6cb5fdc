# SPDX-License-Identifier: Apache-2.0
"""Peers that read late, or not at all, or have said all that they will."""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections import Counter

import pytest
from attacks.attacked_process import MEGABYTE
from attacks.harness import Harness, at_once
from attacks.peers import ask, best_of, pass_time, read_to_end, slowest_answer, wait_until

GIVEN_UP = 3.0
"""Seconds that a peer may take nothing, in these cases."""


def ignore_answers(harness: Harness, peers: int, seconds: float) -> None:
    """Peers ask for answers without end, and do not read them, for some seconds."""
    server = harness.start()
    with contextlib.ExitStack() as stack:
        canary = stack.enter_context(server.connect())
        slowest_answer(canary)
        attack = server.costs()
        for _ in range(peers):
            stack.enter_context(server.connect()).sendall(b"flood 10000\n")
        wait_until(lambda: server.stats()["running"] == peers, 5)
        slowest = best_of(lambda: slowest_answer(canary), 20)
        growth = attack.growth()
        alone = server.costs()
        pass_time(max(1.0, seconds - attack.seconds()))
        harness.figure("CPU", alone.cpu(), "%", at_most=2)
        harness.figure("growth", max(growth, attack.growth()), "MB", at_most=10)
        harness.figure("another client, p99", slowest, "ms", at_most=20)


@pytest.mark.attack(row=1, tier="R")
@pytest.mark.parametrize("peers", [1, 20])
def test_peers_that_do_not_read_cost_nothing(harness: Harness, peers: int) -> None:
    ignore_answers(harness, peers, 6)


@pytest.mark.attack(row=1, tier="F")
@at_once
def test_peers_that_do_not_read_cost_nothing_at_first(harness: Harness) -> None:
    ignore_answers(harness, 20, 1)


@pytest.mark.attack(row=2, tier="F")
@at_once
def test_the_tail_of_a_reply_arrives(harness: Harness) -> None:
    server = harness.start(limit=4 * MEGABYTE)
    in_vain = b"echo something that nobody reads after an end\n" * 100
    answers = in_vain.replace(b"echo ", b"")
    with contextlib.ExitStack() as stack:
        readers: list[tuple[socket.socket, str, bytes]] = []
        for ending, size, buffer in itertools.product(("big", "raise", "close"), (100_000, 2_000_000), (8192, None)):
            sock = stack.enter_context(server.connect(receive_buffer=buffer))
            sock.sendall(f"{ending} {size}\n".encode() + in_vain)
            if ending == "big":
                sock.shutdown(socket.SHUT_WR)
            readers.append((sock, ending, b"x" * size + b"\n" + (answers if ending == "big" else b"")))
        pass_time(0.4)  # they are late
        arrived = Counter(ending for sock, ending, reply in readers if read_to_end(sock) == reply)
    harness.figure("replies to one that has said all", arrived["big"], "of 4", exactly=4)
    harness.figure("replies of a handler that raises", arrived["raise"], "of 4", exactly=4)
    harness.figure("replies before aclose()", arrived["close"], "of 4", exactly=4)


@pytest.mark.attack(row=4, tier="F")
@at_once
def test_a_datagram_peer_that_does_not_read_holds_up_nobody_and_is_given_up(harness: Harness) -> None:
    server = harness.start("unix_datagram", options={"unix_datagram": {"timeouts": {"send_stall": GIVEN_UP}}})
    with contextlib.ExitStack() as stack:
        canaries = [stack.enter_context(server.connect()) for _ in range(3)]
        for peer in canaries:
            ask(peer, "echo warm-up")
        stack.enter_context(server.connect()).send(b"flood 1000")
        waiting = server.costs()
        slowest = best_of(lambda: max(slowest_answer(peer, 50) for peer in canaries), 50)
        alone = server.costs()
        pass_time(2)
        cpu = alone.cpu()
        wait_until(lambda: server.stats(canaries[0])["errors"] == ["OSError"], 2 * GIVEN_UP)
        harness.figure("others, p99", slowest, "ms", at_most=50)
        harness.figure("CPU", cpu, "%", at_most=10)
        harness.figure("given up after", waiting.seconds(), "s", at_least=GIVEN_UP - 0.5, at_most=GIVEN_UP + 0.5)


@pytest.mark.attack(row=15, tier="F")
@pytest.mark.parametrize("kind", ["tcp", "tls"])
@at_once
def test_a_send_that_is_cut_ends_the_connection(harness: Harness, kind: str) -> None:
    server = harness.start(kind, limit=2 * MEGABYTE)
    with server.connect() as warm_up:
        ask(warm_up, f"big {MEGABYTE}")
    costs = server.costs()
    with server.connect(receive_buffer=8192) as sock:
        sock.sendall(b"cut %d\n" % MEGABYTE)
        with server.connect() as other:
            wait_until(lambda: server.stats(other)["errors"] != [], 5)
            assert server.stats(other)["errors"] == ["ClientClosedError"], "a later send raises"
        received = bytearray()
        try:
            while more := sock.recv(65536):
                received += more
        except OSError:
            received = received[: received.rfind(b"\n") + 1]  # a reset says that what follows the last packet is none
    *packets, rest = bytes(received).split(b"\n")
    harness.figure(
        "fragments taken for packets", len(rest) + sum(packet != b"x" * MEGABYTE for packet in packets), exactly=0
    )
    harness.figure("growth", costs.growth(), "MB", at_most=2)


@pytest.mark.attack(row=18, tier="F")
@at_once
def test_a_peer_that_has_said_all_gets_all_answers(harness: Harness) -> None:
    server = harness.start("tcp", "unix_stream")
    answers = 0
    for kind, (word, count) in itertools.product(server.addresses, ((b"echo", 1), (b"echo", 100), (b"slow", 20))):
        with server.connect(kind) as sock:
            sock.sendall(b"".join(b"%s %d\n" % (word, number) for number in range(count)))
            sock.shutdown(socket.SHUT_WR)
            answers += read_to_end(sock).count(b"\n")
    harness.figure("answers, then the end", answers, "of 242", exactly=242)
