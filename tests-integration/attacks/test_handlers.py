# SPDX-License-Identifier: Apache-2.0
"""Handlers that raise, everywhere, and handlers that do not let a server end."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from attacks.attacked_process import AttackedProcess
from attacks.harness import Harness, at_once
from attacks.peers import ask, pass_time, wait_until

_RECORD = re.compile(r"ERROR Exception occurred during processing of request from \S+")


def view_of(sock: socket.socket, request: str = "") -> str:
    """What a peer sees, of its request or before it makes one: an answer, an end, a reset, or
    nothing.
    """
    sock.settimeout(0.1 if sock.type == socket.SOCK_DGRAM else 5)
    try:
        if request:
            sock.send(request.encode() + b"\n" * (sock.type == socket.SOCK_STREAM))
        return sock.recv(65536).decode().strip() or "end"
    except TimeoutError:
        return "nothing"
    except ConnectionError:
        return "reset"


def after_yield(server: AttackedProcess, kind: str) -> str:
    with server.connect(kind) as sock:
        return view_of(sock, "raise")


def before_yield(server: AttackedProcess, kind: str) -> str:
    with server.connect(kind) as sock:
        assert ask(sock, "break handle") == "it will break"
        return view_of(sock, "echo x" if sock.type == socket.SOCK_DGRAM else "")  # the turn begins without a request


def on_connection(server: AttackedProcess, kind: str) -> str:
    with server.connect(kind) as sock:
        assert ask(sock, "break on_connection") == "it will break"
        with server.connect(kind) as other:
            return view_of(other)


def on_disconnection(server: AttackedProcess, kind: str) -> str:
    with server.connect(kind) as sock:
        assert ask(sock, "break on_disconnection") == "it will break"
        sock.shutdown(socket.SHUT_WR)
        return view_of(sock)


def answer_to_nobody(server: AttackedProcess, kind: str) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unnamed:
        unnamed.connect(server.addresses[kind])
        return view_of(unnamed, "echo who am I")


@dataclass(frozen=True)
class Place:
    """Where a handler raises."""

    error: str
    """What is logged of it."""
    reach: Callable[[AttackedProcess, str], str]
    """Makes it raise there, and returns what the peer sees."""
    views: dict[str, str]
    """What it should see, by kind of server, on every event loop."""


_TO_STREAMS: dict[str, str] = {"tcp": "end", "unix_stream": "end"}
_TO_ALL: dict[str, str] = {**_TO_STREAMS, "udp": "nothing", "unix_datagram": "nothing"}

PLACES = [
    Place("LookupError: after yield", after_yield, _TO_ALL),
    Place("LookupError: in handle", before_yield, _TO_ALL),
    Place("LookupError: in on_connection", on_connection, _TO_STREAMS),
    Place("LookupError: in on_disconnection", on_disconnection, _TO_STREAMS),
    Place("OSError: [Errno 22]", answer_to_nobody, {"unix_datagram": "nothing"}),
]


@pytest.mark.attack(row=21, tier="F")
@at_once
def test_a_handler_that_raises_everywhere_leaves_the_server_alive(harness: Harness) -> None:
    unnamed = {"unix_datagram": {"unnamed_addresses_behavior": "handle"}}
    server = harness.start(*_TO_ALL, options=unnamed)
    with server.connect("tcp") as sock:
        before = server.stats(sock)["tasks"]
        for place in PLACES:
            assert {kind: place.reach(server, kind) for kind in place.views} == place.views, place.error
        wait_until(lambda: server.stats(sock)["tasks"] == before, 5)
    for kind in server.addresses:
        with server.connect(kind) as sock:
            assert ask(sock, "echo still here") == "still here"
    log = server.log()
    for place in PLACES:
        assert sum(line.startswith(place.error) for line in log) == len(place.views), place.error
    errors = sum(len(place.views) for place in PLACES)
    harness.figure("records of errors", sum(map(bool, map(_RECORD.match, log))), f"of {errors}", exactly=errors)


@pytest.mark.attack(row=21, tier="F")
@at_once
def test_service_init_that_raises_is_the_error_of_who_serves(harness: Harness) -> None:
    processes = [harness.try_to_start(kind, breaking=["service_init"]) for kind in ("tcp", "unix_datagram")]
    for process in processes:
        with process:
            output, errors = process.communicate(timeout=10)

        assert (process.returncode, output) == (1, b"")
        assert errors.count(b"LookupError: in service_init") == 1


# handlers that go on


@pytest.mark.attack(row=23, tier="F")
@at_once
def test_a_shutdown_does_not_wait_for_a_hundred_busy_clients(harness: Harness) -> None:
    server = harness.start("tcp", "udp")
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(server.connect("tcp")) for _ in range(100)]
        others = [stack.enter_context(server.connect("udp")) for _ in range(100)]
        for sock in (*crowd, *others):
            sock.send(b"sleep 3600\n")
        wait_until(lambda: server.stats()["running"] == 200, 5)
        harness.figure("shutdown() of two servers", server.tell("shutdown"), "s", at_most=1)
        assert [sock.recv(1) for sock in crowd] == [b""] * 100, "they see an end in order"


@pytest.mark.attack(row=23, tier="F")
@pytest.mark.parametrize("way", ["yield", "thread"])
@at_once
def test_a_handler_that_swallows_its_cancellation_is_given_up(harness: Harness, way: str) -> None:
    """One that waits for a thread cannot be ended at all, and is named."""
    server = harness.start_program("attacks.standalone")
    with server.connect() as sock:
        assert ask(sock, way) == way
        harness.figure("shutdown(0.5)", server.tell("0.5"), "s", at_most=1)
        afterwards = server.costs()
        pass_time(1)
        harness.figure("CPU", afterwards.cpu(), "%", at_most=2)
    named = sum("Stubborn goes on after its cancellation" in line for line in server.log())
    assert named == (way == "thread")
