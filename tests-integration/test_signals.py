# SPDX-License-Identifier: Apache-2.0
"""A program that only serves ends as its user and its service manager expect it: clients are told,
no socket file stays, and the status says why.
"""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from loops import LOOPS
from programs import serving_program

PROGRAM = """
from __future__ import annotations

import signal
import sys
import threading
from collections.abc import AsyncGenerator

import uvloop

from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler
from easynetwork.servers.options import ServerTimeouts
from easynetwork.servers.standalone_unix_stream import StandaloneUnixStreamServer
from easynetwork.servers.threads_helper import NetworkServerThread


class Echo(AsyncStreamRequestHandler[str, str]):
    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
        request = yield
        if request.startswith("wait"):
            print(request, file=sys.stderr, flush=True)
            await client.backend().sleep(0.3 if "moment" in request else 1000)
            request = "waited"
        await client.send_packet(request)
        if request == "work":
            await client.backend().run_in_thread(threading.Event().wait)

    async def on_disconnection(self, client: AsyncStreamClient[str]) -> None:
        print("on_disconnection", file=sys.stderr)


def main() -> None:
    protocol = StreamProtocol(StringLineSerializer())
    with StandaloneUnixStreamServer({path!r}, protocol, Echo(), {loop}) as server:
        {serve}


if __name__ == "__main__":
    main()
"""

_OPTIONS = {
    "asyncio": "'asyncio'",
    "uvloop": "'asyncio', runner_options={'loop_factory': uvloop.new_event_loop}",
    "trio": "'trio'",
}

each_loop = pytest.mark.parametrize("loop", list(LOOPS))
each_signal = pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)

Running = tuple["subprocess.Popen[str]", socket.socket]


def program(folder: Path, loop: str, serve: str) -> str:
    path = repr(str(folder / "server.sock"))
    name, _, is_draining = loop.partition(", ")
    options = _OPTIONS[name] + (", timeouts=ServerTimeouts(drain=60)" if is_draining else "")
    return PROGRAM.replace("{path!r}", path).replace("{loop}", options).replace("{serve}", serve)


@contextmanager
def running(
    folder: Path, loop: str = "asyncio", serve: str = "server.serve_forever()", *, request: bytes = b"hello"
) -> Generator[Running]:
    """The program, and a client that it has answered."""
    with (
        serving_program(folder / "program.py", program(folder, loop, serve)) as (process, _),
        socket.socket(socket.AF_UNIX) as sock,
    ):
        sock.settimeout(10)
        sock.connect(str(folder / "server.sock"))
        sock.sendall(request + b"\n")
        assert sock.recv(100) == request + b"\n"
        yield process, sock


def read_until(process: subprocess.Popen[str], words: str) -> None:
    """Reads what the program says, up to a line that begins so."""
    assert process.stderr is not None
    next(line for line in iter(process.stderr.readline, "") if line.startswith(words))


def end_of(process: subprocess.Popen[str]) -> list[str]:
    """What the program still says."""
    assert process.stderr is not None
    said = process.stderr.read().splitlines()
    process.wait(10)
    return said


@pytest.mark.attack(row=24, tier="F")
@each_signal
@each_loop
def test_signal_ends_the_program_in_order(folder: Path, loop: str, number: int, status: int) -> None:
    with running(folder, loop) as (process, sock):
        process.send_signal(number)
        said = end_of(process)

        assert sock.recv(100) == b""
    assert process.returncode == status
    assert not (folder / "server.sock").exists()
    assert "on_disconnection" in said
    assert [line for line in said if "Traceback" in line or "Error" in line or "Interrupt" in line] == []
    assert "Server stopped" in said


@each_signal
@each_loop
def test_program_may_go_on_after_a_signal_as_after_ctrl_c(folder: Path, loop: str, number: int, status: int) -> None:
    serve = """try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("caught", server.is_serving(), file=sys.stderr)"""
    with running(folder, loop, serve) as (process, _):
        process.send_signal(number)

        assert end_of(process)[-1] == "caught False"
    assert process.returncode == 0


@each_loop
def test_sigterm_ends_a_program_that_ignores_ctrl_c(folder: Path, loop: str) -> None:
    """As those do that a shell runs in the background."""
    serve = "signal.signal(signal.SIGINT, signal.SIG_IGN); server.serve_forever()"
    with running(folder, loop, serve) as (process, sock):
        process.send_signal(signal.SIGINT)
        sock.sendall(b"still there\n")
        assert sock.recv(100) == b"still there\n"
        process.send_signal(signal.SIGTERM)

        assert "on_disconnection" in end_of(process)
    assert process.returncode == 143


def test_handler_of_the_program_for_sigterm_stays(folder: Path) -> None:
    serve = """signal.signal(signal.SIGTERM, lambda *_: print("mine", file=sys.stderr, flush=True))
        server.serve_forever()"""
    with running(folder, serve=serve) as (process, sock):
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert [process.stderr.readline() for _ in range(2)][-1] == "mine\n"  # the first tells of the client
        sock.sendall(b"still there\n")

        assert sock.recv(100) == b"still there\n"


@each_loop
def test_second_sigterm_ends_a_program_whose_handler_goes_on(folder: Path, loop: str) -> None:
    with running(folder, loop, request=b"work") as (process, _):
        process.send_signal(signal.SIGTERM)
        read_until(process, "Server loop break")
        process.send_signal(signal.SIGTERM)
        process.wait(10)
    assert process.returncode == -signal.SIGTERM


@each_loop
def test_sigterm_lets_requests_finish_where_there_is_time_for_that(folder: Path, loop: str) -> None:
    with running(folder, f"{loop}, draining") as (process, sock):
        sock.sendall(b"wait a moment\n")
        read_until(process, "wait a moment")
        process.send_signal(signal.SIGTERM)
        assert sock.recv(100) == b"waited\n"
        assert sock.recv(100) == b""
        said = end_of(process)
    assert process.returncode == 128 + signal.SIGTERM
    assert [line for line in said if line.endswith(" disconnected (draining)")]
    assert not (folder / "server.sock").exists()


@each_loop
def test_second_sigterm_cancels_those_who_take_their_time(folder: Path, loop: str) -> None:
    with running(folder, f"{loop}, draining") as (process, sock):
        sock.sendall(b"wait for ever\n")
        read_until(process, "wait for ever")
        process.send_signal(signal.SIGTERM)
        read_until(process, "Draining")
        process.send_signal(signal.SIGTERM)
        said = end_of(process)
    assert process.returncode == 128 + signal.SIGTERM
    assert [line for line in said if line.endswith(" disconnected (cancelled)")]


def test_sigterm_does_what_it_always_did_when_the_server_has_ended(folder: Path) -> None:
    serve = """is_up = threading.Event()
        threading.Timer(0, lambda: (is_up.wait(), server.shutdown())).start()
        server.serve_forever(is_up_event=is_up)
        names = {thread.name for thread in threading.enumerate()}
        print(signal.getsignal(signal.SIGTERM).name, "easynetwork-sigterm" in names, file=sys.stderr)"""
    with serving_program(folder / "program.py", program(folder, "asyncio", serve)) as (process, _):
        assert end_of(process)[-1] == "SIG_DFL False"


@pytest.mark.parametrize("end", ["thread.join()", "raise SystemExit(3)"])
def test_server_in_a_thread_leaves_signals_to_the_main_thread(folder: Path, end: str) -> None:
    serve = f"""thread = NetworkServerThread(server, daemon=True)
        try:
            thread.start()
            threading.Event().wait()
        except KeyboardInterrupt:
            {end}"""
    with running(folder, serve=serve) as (process, _):
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        said = end_of(process)
    assert not (folder / "server.sock").exists()
    assert process.returncode == (0 if "join" in end else 3)
    assert [line for line in said if "Traceback" in line] == []
