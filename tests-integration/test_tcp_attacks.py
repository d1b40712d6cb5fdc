# SPDX-License-Identifier: Apache-2.0
"""A server in a process of its own, attacked with plain sockets: what must hold, with the figures that the project promises.

Time limits here are the promised ones, or a scaled-down case of them; a machine that is busy with other things gets some slack (`SLACK`).
"""

from __future__ import annotations

import contextlib
import itertools
import json
import select
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from attacked_process import MEGABYTE, SLACK, AttackedProcess, starting, wait_until
from loops import LOOPS

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="reads the process table of Linux"),
    pytest.mark.timeout(60),
]


class Server:
    """The attacked process, and ways to talk to it."""

    def __init__(self, process: AttackedProcess) -> None:
        self.port = int(process.where)
        self.memory = process.memory
        self.cpu_seconds = process.cpu_seconds
        self.descriptors = process.descriptors
        self.log = process.log

    def connect(self, receive_buffer: int | None = None) -> socket.socket:
        sock = socket.socket()
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(10)
        sock.connect(("127.0.0.1", self.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def stats(self) -> dict[str, Any]:
        with self.connect() as sock:
            return json.loads(ask(sock, "stats"))  # type: ignore[no-any-return]


@pytest.fixture(params=list(LOOPS))
def start(request: pytest.FixtureRequest) -> Iterator[Callable[..., Server]]:
    """Starts servers; at the end they must stop in order, in time."""
    with starting("attack_server.py", request.param) as start:

        def start_server(**options: Any) -> Server:
            return Server(start(**options))

        yield start_server


def read_line(sock: socket.socket) -> str:
    data = b""
    while not data.endswith(b"\n"):
        more = sock.recv(65536)
        assert more, "the server closed the connection"
        data += more
    return data[:-1].decode()


def ask(sock: socket.socket, request: str) -> str:
    sock.sendall(request.encode() + b"\n")
    return read_line(sock)


def read_to_end(sock: socket.socket) -> bytes:
    parts: list[bytes] = []
    while more := sock.recv(65536):
        parts.append(more)
    return b"".join(parts)


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def slowest_answer(sock: socket.socket, count: int) -> float:
    """Seconds that the slowest but one percent of answers took."""
    times: list[float] = []
    for _ in range(count):
        start = time.monotonic()
        assert ask(sock, "echo x") == "x"
        times.append(time.monotonic() - start)
    return sorted(times)[int(count * 0.99) - 1]


def test_peers_that_do_not_read_cost_nothing(start: Callable[..., Server]) -> None:
    server = start()
    with contextlib.ExitStack() as stack:
        good = stack.enter_context(server.connect())
        ask(good, "echo warm-up")
        memory = server.memory()
        for _ in range(20):
            stack.enter_context(server.connect()).sendall(b"flood 10000\n")
        wait_until(lambda: server.stats()["handled"] >= 21, 5)
        cpu, began = server.cpu_seconds(), time.monotonic()
        slowest = slowest_answer(good, 100)
        select.select([], [], [], 1.0)  # the attack lasts a second
        busy = (server.cpu_seconds() - cpu) / (time.monotonic() - began)

        assert server.memory() - memory <= 10 * MEGABYTE
        assert busy <= 0.05, "the figure of the project is 2 %; 3 % are for the good client's 100 requests"
        assert slowest <= 0.02 * SLACK


@pytest.mark.parametrize("ending", ["big", "raise", "close"])
def test_the_tail_of_a_reply_arrives(start: Callable[..., Server], ending: str) -> None:
    server = start(limit=4_000_000)
    with contextlib.ExitStack() as stack:
        readers: list[tuple[socket.socket, int]] = []
        for size, receive_buffer in itertools.product((100_000, 2_000_000), (8192, None)):
            sock = stack.enter_context(server.connect(receive_buffer))
            sock.sendall(f"{ending} {size}\n".encode() + b"echo something that is not read after an error\n" * 100)
            if ending == "big":
                sock.shutdown(socket.SHUT_WR)
            readers.append((sock, size))
        select.select([], [], [], 0.4)  # they are late

        for sock, size in readers:
            received = bytearray()
            with contextlib.suppress(
                ConnectionResetError
            ):  # what we sent in vain may be answered so, after the last byte
                while more := sock.recv(65536):
                    received += more
            assert received.startswith(b"x" * size + b"\n")
            if ending == "big":
                assert received.count(b"\n") == 101


def test_a_dripping_peer_meets_its_time_limit(start: Callable[..., Server]) -> None:
    server = start()
    with server.connect() as sock:
        assert ask(sock, "limit 0.5") == "go"
        began = time.monotonic()
        while not select.select([sock], [], [], 0.05)[0]:
            sock.sendall(b"x")
        assert read_line(sock) == "too slow"

        assert 0.45 <= time.monotonic() - began <= 0.55 + 0.05 * SLACK


@pytest.mark.parametrize("tls", [False, True])
def test_a_send_that_is_cut_ends_the_connection(
    start: Callable[..., Server], tls: bool, authority: trustme.CA, client_context: ssl.SSLContext, tmp_path: Path
) -> None:
    options: dict[str, Any] = {}
    if tls:
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
        options = {"certificate": str(tmp_path / "server.pem")}
    server = start(**options)
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(server.connect(receive_buffer=8192))
        if tls:
            sock = stack.enter_context(client_context.wrap_socket(sock, server_hostname="localhost"))
        sock.sendall(b"cut 20000000\n")
        wait_until(lambda: select.select([sock], [], [], 0)[0] != [], 5)
        select.select([], [], [], 0.3)  # the cut comes after 0.1 seconds

        received = bytearray()
        with contextlib.suppress(OSError):
            while more := sock.recv(65536):
                received += more
        assert b"after the cut" not in received
        assert len(received) < 20_000_000
    if not tls:
        assert server.stats()["cut"] == ["ClientClosedError"]


def test_running_out_of_descriptors_is_survived(start: Callable[..., Server]) -> None:
    server = start(descriptors=64)
    with contextlib.ExitStack() as stack:
        old = stack.enter_context(server.connect())
        ask(old, "echo warm-up")
        crowd = [stack.enter_context(server.connect()) for _ in range(200)]
        wait_until(lambda: server.descriptors() >= 64, 5)
        cpu, began = server.cpu_seconds(), time.monotonic()
        slowest = slowest_answer(old, 100)
        select.select([], [], [], 1.0)  # the shortage lasts a second
        seconds = time.monotonic() - began

        assert (server.cpu_seconds() - cpu) / seconds <= 0.05, "2 % and the old client's 100 requests"
        assert slowest <= 0.01 * SLACK
        assert len(server.log()) <= 1 + seconds + 1
        for sock in crowd:
            sock.close()
        with server.connect() as late:
            began = time.monotonic()
            assert ask(late, "echo back") == "back"
            assert time.monotonic() - began <= 2


def test_resets_leave_nothing_behind(start: Callable[..., Server]) -> None:
    server = start()
    before = server.stats()
    descriptors = server.descriptors()
    for number in range(200):
        sock = server.connect()
        sock.sendall((b"", b"echo half a fra", b"flood 100000\n")[number % 3])
        reset(sock)

    wait_until(lambda: server.descriptors() <= descriptors, 5)
    wait_until(lambda: server.stats()["tasks"] == before["tasks"], 5)
    after = server.stats()
    assert after["connected"] - after["disconnected"] == 1, "this connection, and no other"
    assert server.log() == []


@pytest.mark.parametrize(("word", "count"), [("echo", 1), ("echo", 100), ("slow", 20)])
def test_a_peer_that_has_said_all_gets_all_answers(start: Callable[..., Server], word: str, count: int) -> None:
    server = start()
    with server.connect() as sock:
        sock.sendall(b"".join(b"%s %d\n" % (word.encode(), number) for number in range(count)))
        sock.shutdown(socket.SHUT_WR)

        assert read_to_end(sock) == b"".join(b"%d\n" % number for number in range(count))


@pytest.mark.parametrize("way", ["end", "reset"])
def test_a_peer_that_leaves_in_a_batch_stops_it(start: Callable[..., Server], way: str) -> None:
    server = start()
    sock = server.connect()
    sock.sendall(b"slow x\n" * 1000)  # ten seconds of work
    wait_until(lambda: select.select([sock], [], [], 0)[0] != [], 5)
    if way == "end":
        sock.close()
    else:
        reset(sock)

    wait_until(lambda: server.stats()["disconnected"] >= 1, 0.2 * SLACK)
    assert server.stats()["handled"] < 200
    assert server.log() == []


def test_a_flooding_client_leaves_the_others_their_turn(start: Callable[..., Server]) -> None:
    server = start()
    attack = (
        "import socket,sys,threading\n"
        "s=socket.create_connection(('127.0.0.1',int(sys.argv[1])))\n"
        "threading.Thread(target=lambda:[0 for _ in iter(lambda:s.recv(1<<20),b'')],daemon=True).start()\n"
        "try:\n while True: s.sendall(b'echo x\\n'*9000)\n"
        "except OSError: pass\n"
    )
    with subprocess.Popen([sys.executable, "-c", attack, str(server.port)]) as flood, server.connect() as good:
        try:
            wait_until(lambda: server.stats()["handled"] > 1000, 10)
            slowest = slowest_answer(good, 200)
        finally:
            flood.kill()

    assert slowest <= 0.02 * SLACK


def test_a_bad_handshake_costs_one_short_line(
    start: Callable[..., Server], authority: trustme.CA, client_context: ssl.SSLContext, tmp_path: Path
) -> None:
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    server = start(certificate=str(tmp_path / "server.pem"), ssl_handshake_timeout=0.5)
    with server.connect() as stalled:
        began = time.monotonic()
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 10, b"\x16\x03\x01\x00\x05hello"):
            with server.connect() as sock:
                sock.sendall(garbage)
                with contextlib.suppress(ConnectionError):
                    read_to_end(sock)
        with contextlib.suppress(ConnectionError):
            assert read_to_end(stalled) == b""
        assert 0.4 <= time.monotonic() - began <= 0.5 + 0.1 * SLACK
    with server.connect() as sock, client_context.wrap_socket(sock, server_hostname="localhost") as good:
        assert ask(good, "echo fine") == "fine"

    log = server.log()
    assert len(log) == 1, log
    assert log[0].startswith("WARNING Error in client task (during TLS handshake): ")
    assert len(log[0]) <= 200


def test_a_frame_without_end_is_cut_at_the_limit(start: Callable[..., Server]) -> None:
    server = start()
    with server.connect() as good:
        ask(good, "echo warm-up")
        memory = server.memory()
        with server.connect() as sock, contextlib.suppress(ConnectionError):
            for _ in range(64):
                sock.sendall(b"x" * MEGABYTE)

        assert ask(good, "echo fine") == "fine"
        assert server.memory() - memory <= 2 * 65536 + 10 * MEGABYTE
