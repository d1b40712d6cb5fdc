# SPDX-License-Identifier: Apache-2.0
"""What attackers and ordinary clients do with plain sockets.

A packet is a line in a stream, or a datagram.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from collections.abc import Callable

__all__ = (
    "Address",
    "ask",
    "best_of",
    "connect",
    "has_input",
    "pass_time",
    "read_line",
    "read_to_end",
    "reset",
    "send_fds",
    "settled",
    "slowest_answer",
    "wait_until",
)

Address = tuple[str, int] | str
"""Host and port, or a path."""

_PATIENCE = 10.0
"""Seconds after which what should come counts as lost."""

_TRIES = 10


def connect(kind: str, address: Address, receive_buffer: int | None = None) -> socket.socket:
    """A blocking socket that talks to a server of a kind; without TLS.

    Args:
        receive_buffer: bytes that it may hold unread; None leaves it to the system, which makes it
            grow.
    """
    is_datagram = kind in ("udp", "unix_datagram")
    family = socket.AF_UNIX if kind.startswith("unix") else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM if is_datagram else socket.SOCK_STREAM)
    if kind == "unix_datagram":
        sock.bind("")  # a name that the system chooses, to be answered at
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(_PATIENCE)
    sock.connect(address)
    if family == socket.AF_INET and not is_datagram:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def ask(sock: socket.socket, request: str) -> str:
    """The answer to a request; datagrams are sent again if there is none, because the kernel may
    drop those of a server under attack.
    """
    if sock.type == socket.SOCK_STREAM:
        sock.sendall(request.encode() + b"\n")
        return read_line(sock)
    sock.settimeout(1)
    for _ in range(_TRIES):
        sock.send(request.encode())
        with contextlib.suppress(TimeoutError):
            return sock.recv(65536).decode()
    raise AssertionError("the server does not answer")


def read_line(sock: socket.socket) -> str:
    data = bytearray()
    while not data.endswith(b"\n"):
        more = sock.recv(65536)
        assert more, "the server closed the connection"
        data += more
    return data[:-1].decode()


def read_to_end(sock: socket.socket) -> bytes:
    """What comes until the server ends the connection in order."""
    parts: list[bytes] = []
    while more := sock.recv(65536):
        parts.append(more)
    return b"".join(parts)


def has_input(sock: socket.socket) -> bool:
    return select.select([sock], [], [], 0)[0] != []


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def send_fds(sock: socket.socket, data: bytes, count: int = 3) -> None:
    """Sends ``data`` with some descriptors."""
    with open("/dev/null") as file:
        socket.send_fds(sock, [data], [file.fileno()] * count)


def slowest_answer(sock: socket.socket, count: int = 100) -> float:
    """Milliseconds that 99 of 100 answers took at most."""
    times: list[float] = []
    for _ in range(count):
        began = time.monotonic()
        assert ask(sock, "echo x") == "x"
        times.append(time.monotonic() - began)
    return 1000 * sorted(times)[int(count * 0.99) - 1]


def best_of(measure: Callable[[], float], bar: float) -> float:
    """The least of up to three measurements of a time, the first that meets the bar: a busy machine
    makes times longer, and never shorter.
    """
    least = measure()
    for _ in range(2):
        if least <= bar:
            break
        least = min(least, measure())
    return least


def pass_time(seconds: float) -> None:
    """For what has to last: an attack, or a pause in one."""
    time.sleep(seconds)


def wait_until(condition: Callable[[], bool], seconds: float) -> float:
    """Polls another process, which has no way to tell; returns how long it took, in seconds."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not happen in time"
        time.sleep(0.005)
    return time.monotonic() - began


def settled(measure: Callable[[], float], bar: float, seconds: float) -> float:
    """What a figure of another process comes down to: the first that meets the bar, or the last
    when the time is over.
    """
    ends = time.monotonic() + seconds
    while (value := measure()) > bar and time.monotonic() < ends:
        time.sleep(0.005)
    return value
