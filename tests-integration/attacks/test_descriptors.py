# SPDX-License-Identifier: Apache-2.0
"""Descriptors that nobody asked for. A server that kept them would run out of its own."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest
from attacks.attacked_process import AttackedProcess
from attacks.harness import Harness, at_once
from attacks.peers import ask, send_fds, wait_until

from easynetwork.servers.options import ServerLimits

KINDS = ("unix_stream", "unix_datagram")


class Packets:
    """What is sent over one kind of socket: descriptors come with a line, or with a datagram."""

    def __init__(self, server: AttackedProcess, kind: str) -> None:
        self.server = server
        self.kind = kind
        self.is_stream = kind == "unix_stream"
        self._end = b"\n" if self.is_stream else b""

    @contextmanager
    def peer(self) -> Generator[socket.socket]:
        with self.server.connect(self.kind) as peer:
            assert ask(peer, "echo hello") == "hello"
            yield peer

    def send(self, peer: socket.socket, request: bytes, fds: int = 0) -> None:
        if fds:
            send_fds(peer, request + self._end, fds)
        else:
            peer.send(request + self._end)

    def receive(self, peer: socket.socket) -> str:
        return peer.recv(65536).decode().removesuffix(self._end.decode())


_MAX_DESCRIPTORS = ServerLimits().max_descriptors or 0


def _read_plainly(packets: Packets) -> None:
    with packets.peer() as peer:
        packets.send(peer, b"echo plain", 3)
        assert packets.receive(peer) == "plain"


def _taken(packets: Packets) -> None:
    """Those that a handler asks for are its own, and close-on-exec; the most that one packet may
    bring.
    """
    with packets.peer() as peer:
        for count in (3, _MAX_DESCRIPTORS):
            packets.send(peer, b"take")
            packets.send(peer, b"taken", count)
            assert packets.receive(peer) == f"taken {count} 0"


def _to_a_handler_that_raises(packets: Packets) -> None:
    with packets.peer() as peer:
        packets.send(peer, b"raise", 3)
        with contextlib.suppress(OSError):  # it may be gone already
            packets.send(peer, b"behind an error", 3)


def _to_a_callback_that_raises(packets: Packets) -> None:
    with packets.peer() as peer:
        packets.send(peer, b"crash")
        packets.send(peer, b"never taken", 3)


def _queued(packets: Packets) -> None:
    with packets.peer() as peer:
        packets.send(peer, b"sleep 0.2")
        for _ in range(3):
            packets.send(peer, b"echo queued", 3)
        answers = ""
        while answers.count("queued") < 3:
            answers += packets.receive(peer)


def _half_a_packet(packets: Packets) -> None:
    if packets.is_stream:
        with packets.peer() as peer:
            send_fds(peer, b"half a pack")


def _of_nobody(packets: Packets) -> None:
    if not packets.is_stream:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unnamed:
            unnamed.connect(packets.server.addresses[packets.kind])
            send_fds(unnamed, b"echo who am I")


WAYS: dict[str, Callable[[Packets], None]] = {
    "a plain read": _read_plainly,
    "taken by the handler": _taken,
    "a handler that raises": _to_a_handler_that_raises,
    "a callback that raises": _to_a_callback_that_raises,
    "queued": _queued,
    "half a packet": _half_a_packet,
    "an unnamed sender": _of_nobody,
}


@pytest.mark.attack(row=20, tier="F")
@at_once
def test_no_descriptor_is_left_behind(harness: Harness) -> None:
    server = harness.start(*KINDS)
    before = server.descriptors()
    for kind in KINDS:
        packets = Packets(server, kind)
        wait_until(lambda: server.descriptors() == before, 5)  # the last connection is closed
        with packets.peer() as watching:
            assert ask(watching, "echo here") == "here"  # the connection, if it is one, is accepted
            base = server.descriptors()
            left = {name: _left_after(way, packets, watching, base) for name, way in WAYS.items()}
            print(kind, left)
            harness.figure(f"left by {len(WAYS)} ways of {kind}", server.descriptors_left(base), exactly=0)
    assert sum(line.startswith("RuntimeError: RecvAncillaryDataParams") for line in server.log()) == len(KINDS)


def _left_after(way: Callable[[Packets], None], packets: Packets, watching: socket.socket, base: int) -> float:
    way(packets)
    assert ask(watching, "echo still here") == "still here"
    return packets.server.descriptors_left(base)


@pytest.mark.attack(row=20, tier="F")
@at_once
def test_no_descriptor_outlives_a_shutdown(harness: Harness) -> None:
    server = harness.start(*KINDS)
    before = server.descriptors()
    stream, datagrams = (Packets(server, kind) for kind in KINDS)
    with stream.peer() as peer, datagrams.peer() as other:
        send_fds(peer, b"half a pack")
        datagrams.send(other, b"sleep 3600")
        datagrams.send(other, b"echo queued", 3)
        wait_until(lambda: server.descriptors() == before + 3 + 3 + 1, 5)  # and that of the connection
        server.tell("shutdown")
        harness.figure("left", server.descriptors() - before, exactly=0)


@pytest.mark.attack(row=20, tier="F")
@at_once
def test_control_messages_that_are_cut_off_are_an_error(harness: Harness) -> None:
    options = {kind: {"ancillary_bufsize": socket.CMSG_LEN(4)} for kind in KINDS}
    server = harness.start(*KINDS, options=options)
    for number, kind in enumerate(KINDS, 1):
        packets = Packets(server, kind)
        base = server.descriptors()
        with packets.peer() as peer:
            packets.send(peer, b"take")
            packets.send(peer, b"too many", 20)
            wait_until(lambda: _reported_cuts(server) == number, 5)  # noqa: B023  # waited for here
        harness.figure(f"left by {kind}", server.descriptors_left(base), exactly=0)


def _reported_cuts(server: AttackedProcess) -> int:
    return sum("Error: " in line and "control messages were cut off" in line for line in server.log())
