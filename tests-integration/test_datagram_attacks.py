# SPDX-License-Identifier: Apache-2.0
"""A datagram server in a process of its own, attacked with plain sockets: what must hold, with the figures that the project promises."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attacked_process import MEGABYTE, SLACK, AttackedProcess, starting, wait_until
from loops import LOOPS

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="reads the process table of Linux"),
    pytest.mark.timeout(60),
]

PROGRAM = "datagram_attack_server.py"

Start = Callable[..., AttackedProcess]


@pytest.fixture(params=list(LOOPS))
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    """Starts servers; at the end they must stop in order, in time."""
    with starting(PROGRAM, request.param) as start:
        yield start


def udp_peer(server: AttackedProcess) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(10)
    sock.connect(("127.0.0.1", int(server.where)))
    return sock


def unix_peer(server: AttackedProcess) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.settimeout(10)
    sock.bind("")
    sock.connect(server.where)
    return sock


def ask(peer: socket.socket, request: str) -> str:
    """Asks until it is answered: the kernel may drop datagrams of a server under attack."""
    peer.settimeout(1)
    for _ in range(10):
        peer.send(request.encode())
        with contextlib.suppress(TimeoutError):
            return peer.recv(65536).decode()
    raise AssertionError("the server does not answer")


def stats(peer: socket.socket) -> dict[str, Any]:
    return json.loads(ask(peer, "stats"))  # type: ignore[no-any-return]


def slowest_answer(peer: socket.socket, count: int) -> float:
    """Seconds that the slowest but one percent of answers took."""
    times: list[float] = []
    for _ in range(count):
        start = time.monotonic()
        assert ask(peer, "echo x") == "x"
        times.append(time.monotonic() - start)
    return sorted(times)[int(count * 0.99) - 1]


@pytest.mark.parametrize("size", [64, 8192])
def test_a_flood_on_one_address_costs_no_memory(start: Start, size: int) -> None:
    server = start()
    with udp_peer(server) as attacker, udp_peer(server) as good:
        ask(good, "echo warm-up")
        memory = server.memory()
        attacker.send(b"sleep 30")
        flood = b"x" * size
        for number in range(200_000):
            attacker.send(flood)
            if number % 50_000 == 25_000:
                assert ask(good, "echo meanwhile") == "meanwhile"

        assert ask(good, "echo x") == "x"
        assert server.memory() - memory <= 20 * MEGABYTE
        assert slowest_answer(good, 100) <= 0.02 * SLACK
        assert stats(good)["handled"] <= 120
    lines = server.log()
    assert lines
    assert all(line.startswith("WARNING Dropped datagrams: ") for line in lines)
    assert len(lines) <= 20, "one line a second"


def test_a_flood_from_many_ports_meets_the_cap_and_leaves_nothing(start: Start) -> None:
    server = start(max_peers=100)
    with udp_peer(server) as good, contextlib.ExitStack() as stack:
        ask(good, "echo warm-up")
        before, memory = stats(good), server.memory()
        crowd = [stack.enter_context(udp_peer(server)) for _ in range(400)]
        for peer in crowd:
            peer.send(b"sleep 0.5")
        wait_until(lambda: len(server.log()) > 0, 5)
        wait_until(lambda: stats(good)["running"] == 0, 5)

        after = stats(good)
        assert 50 < after["most_running"] <= 101
        assert after["tasks"] == before["tasks"]
        assert server.memory() - memory <= 25 * MEGABYTE


def test_peers_that_do_not_read_hold_up_nobody_and_are_given_up(folder: Path) -> None:
    """On all loops at once, because most of it is waiting."""
    with contextlib.ExitStack() as stack:
        servers = {loop: stack.enter_context(starting(PROGRAM, loop))(path=str(folder / loop)) for loop in LOOPS}
        good = {loop: [stack.enter_context(unix_peer(servers[loop])) for _ in range(3)] for loop in LOOPS}
        for loop in LOOPS:
            for peer in good[loop]:
                ask(peer, "echo warm-up")
            stack.enter_context(unix_peer(servers[loop])).send(b"flood 1000")
        slowest = {loop: max(slowest_answer(peer, 50) for peer in good[loop]) for loop in LOOPS}
        cpu, began = {loop: servers[loop].cpu_seconds() for loop in LOOPS}, time.monotonic()
        select.select([], [], [], 1.0)  # what the stuck peer costs while nothing else happens
        busy = {loop: (servers[loop].cpu_seconds() - cpu[loop]) / (time.monotonic() - began) for loop in LOOPS}

        assert max(slowest.values()) <= 0.05 * SLACK, slowest
        assert max(busy.values()) <= 0.1, busy
        wait_until(lambda: all(stats(one)["given_up"] == ["OSError"] for one, *_ in good.values()), 5 * 1.5)


def test_empty_datagrams_are_datagrams(start: Start, folder: Path) -> None:
    for server, connect in ((start(), udp_peer), (start(path=str(folder / "server")), unix_peer)):
        with connect(server) as peer:
            peer.send(b"")  # no such request, and so an error of the handler
            assert ask(peer, "echo ") == ""
            assert len(server.log()) > 0


def test_a_handler_that_raises_everywhere_leaves_the_server_alive(start: Start, folder: Path) -> None:
    for server, connect in ((start(), udp_peer), (start(path=str(folder / "server")), unix_peer)):
        with connect(server) as peer:
            before = stats(peer)
            peer.send(b"raise")
            assert ask(peer, "echo still here") == "still here"
            assert ask(peer, "refuse") == "the next one is refused"
            peer.send(b"echo refused")
            assert ask(peer, "echo still here") == "still here"

            assert stats(peer)["tasks"] == before["tasks"]
        log = "\n".join(server.log())
        assert log.count("ERROR Exception occurred during processing of request from") == 2
        assert log.count("LookupError: after the first yield") == 1
        assert log.count("LookupError: before the first yield") == 1


# descriptors


def send_fds(peer: socket.socket, data: bytes, count: int = 3) -> None:
    with open("/dev/null") as file:
        socket.send_fds(peer, [data], [file.fileno()] * count)


@pytest.mark.parametrize("stream", [False, True])
def test_no_descriptor_is_left_behind(start: Start, folder: Path, stream: bool) -> None:
    server = start(path=str(folder / "server"), stream=stream)
    end = b"\n" if stream else b""

    def connect() -> socket.socket:
        if not stream:
            return unix_peer(server)
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(10)
        sock.connect(server.where)
        return sock

    base = server.descriptors()
    with connect() as peer:
        send_fds(peer, b"echo plain" + end)
        assert peer.recv(100) == b"plain" + end
        peer.send(b"take" + end)
        send_fds(peer, b"taken" + end)
        assert peer.recv(100) == b"taken 3 0" + end
        peer.send(b"take" + end)
        send_fds(peer, b"a whole lot" + end, 200)
        assert peer.recv(100) == b"a whole lot 200 0" + end
        peer.send(b"sleep 0.3" + end)
        for _ in range(3):
            send_fds(peer, b"echo queued" + end)
        assert peer.recv(5) == b"awake"
        received = b""
        while received.count(b"queued") < 3:
            received += peer.recv(100)
        if stream:
            send_fds(peer, b"half a pack")
        else:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unnamed:
                unnamed.connect(server.where)
                send_fds(unnamed, b"echo who am I")
        wait_until(lambda: server.descriptors() <= base + (4 if stream else 0), 5)
    wait_until(lambda: server.descriptors() == base, 5)
    with connect() as peer:
        peer.send(b"crash" + end)
        send_fds(peer, b"never taken" + end)
        wait_until(lambda: "RecvAncillaryDataParams.data_received() crashed" in "\n".join(server.log()), 5)
    with connect() as peer:
        peer.send(b"raise" + end)
        with contextlib.suppress(BrokenPipeError):  # a connection may be closed by now
            send_fds(peer, b"behind an error" + end)
    wait_until(lambda: server.descriptors() == base, 5)


@pytest.mark.parametrize("stream", [False, True])
def test_control_messages_that_are_cut_off_are_an_error(start: Start, folder: Path, stream: bool) -> None:
    server = start(path=str(folder / "server"), stream=stream, ancillary_bufsize=socket.CMSG_LEN(4))
    end = b"\n" if stream else b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM) as peer:
        peer.settimeout(10)
        if not stream:
            peer.bind("")
        peer.connect(server.where)
        base = server.descriptors()
        peer.send(b"take" + end)
        send_fds(peer, b"too many" + end, 20)
        wait_until(lambda: "control messages were cut off" in "\n".join(server.log()), 5)
    wait_until(lambda: server.descriptors() <= base, 5)


# socket files


def test_a_stale_socket_file_does_not_prevent_a_restart(start: Start, folder: Path) -> None:
    for stream in (False, True):
        path = folder / f"stale-{stream}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM) as dead:
            dead.bind(str(path))
        assert path.is_socket()

        assert start(path=str(path), stream=stream).where == str(path)


def try_to_serve(path: Path, loop: str, stream: bool) -> subprocess.Popen[str]:
    options = json.dumps({"path": str(path), "stream": stream})
    command: list[str | Path] = [sys.executable, Path(__file__).with_name(PROGRAM), loop, options]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("stream", [False, True])
def test_living_servers_and_foreign_files_are_left_alone(folder: Path, stream: bool) -> None:
    living, foreign = folder / "living", folder / "foreign"
    foreign.write_text("somebody's work")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM) as sock:
        sock.bind(str(living))
        if stream:
            sock.listen()
        attempts = [
            (path, try_to_serve(path, loop, stream)) for path in (living, foreign) for loop in ("asyncio", "trio")
        ]
        for path, process in attempts:
            _, errors = process.communicate(timeout=10)

            assert process.returncode == 1
            assert f"cannot bind to '{path}': Address already in use" in errors
    assert living.is_socket()
    assert foreign.read_text() == "somebody's work"
