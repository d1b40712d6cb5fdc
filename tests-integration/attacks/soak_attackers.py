# SPDX-License-Identifier: Apache-2.0
"""All attackers at once: ``python -m attacks.soak_attackers ADDRESSES`` attacks until its input
ends, and prints how often each has.

They share one process and its lock, so they take one processor at most: what is attacked is the
server, and not the machine. None of them sends datagrams faster than the server can read them,
since what the kernel drops it drops for everybody.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from attacks.peers import connect, read_to_end, reset, send_fds

__all__ = ("ATTACKS",)


class Siege:
    """What the attackers know: whom to attack, and when to stop."""

    def __init__(self, addresses: dict[str, Any]) -> None:
        self._addresses = addresses
        self._over = threading.Event()
        self._insecure = ssl.create_default_context()
        self._insecure.check_hostname = False
        self._insecure.verify_mode = ssl.CERT_NONE
        self.rounds: Counter[str] = Counter()

    def connect(self, kind: str, *, secure: bool = True) -> socket.socket:
        where = self._addresses[kind]
        sock = connect(kind, where if isinstance(where, str) else tuple(where))
        return self._insecure.wrap_socket(sock) if kind == "tls" and secure else sock

    def pause(self, seconds: float) -> bool:
        """Waits; True if the siege is over."""
        return self._over.wait(seconds)

    def end(self) -> None:
        self._over.set()

    def repeat(self, name: str, attack: Callable[[Siege, contextlib.ExitStack], None]) -> None:
        """Attacks again and again, and leaves nothing open in between.

        To be cut off is part of an attacker's life.
        """
        while not self.pause(0.01):
            with contextlib.ExitStack() as sockets, contextlib.suppress(OSError):
                attack(self, sockets)
            self.rounds[name] += 1


def read_slowly(siege: Siege, sockets: contextlib.ExitStack) -> None:
    for kind in ("tcp", "tls", "unix_stream"):
        for _ in range(7):
            sockets.enter_context(siege.connect(kind)).sendall(b"flood 10000\n")
    siege.pause(3)


def drip(siege: Siege, sockets: contextlib.ExitStack) -> None:
    crowd = [sockets.enter_context(siege.connect(kind)) for kind in ("tcp", "unix_stream") for _ in range(20)]
    for _ in range(8):
        for sock in crowd:
            sock.send(b"x")
        if siege.pause(0.5):
            return


def pipeline(siege: Siege, sockets: contextlib.ExitStack) -> None:
    sock = sockets.enter_context(siege.connect("tcp"))
    for _ in range(10):
        sock.sendall(b"echo x\n" * 2000)
        left = 4000
        while left:
            left -= len(sock.recv(left))
        if siege.pause(0.05):
            return


def flood_from_one_port(siege: Siege, sockets: contextlib.ExitStack) -> None:
    sock = sockets.enter_context(siege.connect("udp"))
    sock.send(b"sleep 1")
    for _ in range(100):
        for _ in range(50):
            sock.send(b"x" * 64)
        if siege.pause(0.01):
            return


def flood_from_many_ports(siege: Siege, sockets: contextlib.ExitStack) -> None:
    for number in range(200):
        sockets.enter_context(siege.connect("udp")).send(b"sleep 0.2")
        if number % 20 == 19:
            siege.pause(0.01)
    siege.pause(0.5)


def disappear(siege: Siege, sockets: contextlib.ExitStack) -> None:
    """At accept, in a frame, and while the server sends."""
    for request in (b"", b"echo half a fra", b"flood 100000\n") * 3:
        sock = sockets.enter_context(siege.connect("tcp"))
        sock.sendall(request)
        reset(sock)
    siege.pause(0.05)


def speak_no_tls(siege: Siege, sockets: contextlib.ExitStack) -> None:
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 10):
        sock = sockets.enter_context(siege.connect("tls", secure=False))
        sock.sendall(garbage)
        with contextlib.suppress(ConnectionError):
            read_to_end(sock)
    siege.pause(0.1)


def stall_handshakes(siege: Siege, sockets: contextlib.ExitStack) -> None:
    for _ in range(20):
        sockets.enter_context(siege.connect("tls", secure=False)).sendall(b"\x16\x03\x01\x02\x00\x01")
    siege.pause(3)


def exceed_the_limit(siege: Siege, sockets: contextlib.ExitStack) -> None:
    sock = sockets.enter_context(siege.connect("tcp"))
    for _ in range(10):
        sock.sendall(b"x" * 100_000)
    sock.sendall(b"\n\xff\xfe\n")
    siege.pause(0.2)


def send_descriptors_by_stream(siege: Siege, sockets: contextlib.ExitStack) -> None:
    sock = sockets.enter_context(siege.connect("unix_stream"))
    send_fds(sock, b"echo x\n", 10)
    sock.recv(100)
    send_fds(sock, b"half a pack", 10)
    siege.pause(0.05)


def send_descriptors_by_datagram(siege: Siege, sockets: contextlib.ExitStack) -> None:
    sock = sockets.enter_context(siege.connect("unix_datagram"))
    for request in (b"echo x", b"raise", b"sleep 0.1", b"echo queued"):
        send_fds(sock, request, 10)
    siege.pause(0.2)


def half_close(siege: Siege, sockets: contextlib.ExitStack) -> None:
    for kind in ("tcp", "unix_stream"):
        sock = sockets.enter_context(siege.connect(kind))
        sock.sendall(b"slow x\n" * 10)
        sock.shutdown(socket.SHUT_WR)
        answers = read_to_end(sock)
        if answers != b"x\n" * 10:
            siege.rounds["half_close without all answers"] += 1
    siege.pause(0.05)


def never_read_datagrams(siege: Siege, sockets: contextlib.ExitStack) -> None:
    sockets.enter_context(siege.connect("unix_datagram")).send(b"flood 1000")
    siege.pause(6)


ATTACKS = (
    read_slowly,
    drip,
    pipeline,
    flood_from_one_port,
    flood_from_many_ports,
    disappear,
    speak_no_tls,
    stall_handshakes,
    exceed_the_limit,
    send_descriptors_by_stream,
    send_descriptors_by_datagram,
    half_close,
    never_read_datagrams,
)


def main() -> None:
    siege = Siege(json.loads(sys.argv[1]))
    attackers = [threading.Thread(target=siege.repeat, args=(attack.__name__, attack)) for attack in ATTACKS]
    for attacker in attackers:
        attacker.start()
    sys.stdin.read()
    siege.end()
    for attacker in attackers:
        attacker.join()
    print(json.dumps(siege.rounds))


if __name__ == "__main__":
    main()
