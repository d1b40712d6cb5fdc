# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C ends a program with a server in it as it ends any other: clients are told, and the shell
sees why.
"""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from loops import LOOPS
from programs import serving_program

PROGRAM = """
from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator

import trio

from easynetwork.lowlevel.api_async.backend.utils import new_builtin_backend
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers.async_tcp import AsyncTCPNetworkServer
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler


class Echo(AsyncStreamRequestHandler[str, str]):
    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
        request = yield
        await client.send_packet(request)
        if request == "work":
            time.sleep(20)

    async def on_disconnection(self, client: AsyncStreamClient[str]) -> None:
        print("on_disconnection", file=sys.stderr)


async def main() -> None:
    protocol = StreamProtocol(StringLineSerializer())
    async with AsyncTCPNetworkServer("127.0.0.1", 0, protocol, Echo()) as server:
        await server.serve_forever()


async def main_in_a_nursery() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(main)


if __name__ == "__main__":
    {run}
"""

RUN = {
    "asyncio": "asyncio.run(main())",
    "asyncio bootstrap": "new_builtin_backend('asyncio').bootstrap(main)",
    "trio": "trio.run(main)",
    "trio bootstrap": "new_builtin_backend('trio').bootstrap(main)",
    "trio nursery bootstrap": "new_builtin_backend('trio').bootstrap(main_in_a_nursery)",
}
if "uvloop" in LOOPS:
    options = "{'loop_factory': __import__('uvloop').new_event_loop}"
    RUN["uvloop bootstrap"] = f"new_builtin_backend('asyncio').bootstrap(main, runner_options={options})"

IN_A_GROUP = "trio.run(main_in_a_nursery)"


def interrupt(folder: Path, run: str, request: bytes) -> tuple[subprocess.Popen[str], list[str], bytes]:
    """Gives the ended process, what it said after its client was connected, and what that client
    saw after the answer to its request.
    """
    source = PROGRAM.replace("{run}", run)
    with serving_program(folder / "program.py", source) as (process, address):
        port = int(address.rstrip(")").rpartition(" ")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            sock.sendall(request + b"\n")
            assert sock.recv(100) == request + b"\n"
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            said = process.stderr.read().splitlines()
            seen = sock.recv(100)
    return process, said, seen


def log_of(said: list[str]) -> list[str]:
    """What was said before the traceback, without addresses."""
    until = next(number for number, line in enumerate(said) if "Traceback" in line)
    return [re.sub(r"^\(.*?\) ", "", line) for line in said[:until] if not line.startswith("Accepted")]


@pytest.mark.parametrize(
    ("run", "request_line"),
    [pytest.param(run, b"hello", id=name) for name, run in RUN.items()]
    + [pytest.param(RUN["trio"], b"work", id="trio, working")],
)
def test_ctrl_c_ends_clients_and_server_in_order(tmp_path: Path, run: str, request_line: bytes) -> None:
    """trio interrupts code of handlers too, where asyncio waits until it does."""
    process, said, seen = interrupt(tmp_path, run, request_line)

    assert process.returncode == -signal.SIGINT
    assert said[-1] == "KeyboardInterrupt"
    assert not [line for line in said if "Group" in line]
    log = log_of(said)
    loop_break = "Server loop break, waiting for remaining tasks..."
    assert [line for line in log if line != loop_break] == [
        "on_disconnection",
        "disconnected (cancelled)",
        "Server stopped",
    ]
    assert loop_break in log[:-1]  # whether it comes before the client's end depends on where trio was interrupted
    assert seen == b""


def test_a_nursery_of_the_program_s_own_puts_ctrl_c_into_a_group(tmp_path: Path) -> None:
    """That is how trio does it, and what is outside of our functions is not ours:
    ``backend.bootstrap()`` would unwrap it.
    """
    process, said, seen = interrupt(tmp_path, IN_A_GROUP, b"hello")

    assert process.returncode == 1
    assert [line for line in said if line.startswith("  | BaseExceptionGroup: Exceptions from Trio nursery (1 sub-exc")]
    assert said[-2].endswith("| KeyboardInterrupt")
    assert "on_disconnection" in log_of(said)
    assert seen == b""
