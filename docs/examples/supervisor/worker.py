# SPDX-License-Identifier: Apache-2.0
"""Answers lines over the socket that the supervisor hands out, which starts it itself.

One more can be started by hand: ``python worker.py --folder run``.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

import anyio
from anyio.abc import TaskGroup

from easynetwork.clients import AsyncTCPNetworkClient
from easynetwork.clients.async_unix_stream import AsyncUnixStreamClient
from easynetwork.exceptions import StreamProtocolParseError
from easynetwork.lowlevel.socket import SocketAncillary
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import JSONSerializer, StringLineSerializer

LOOPS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "asyncio": ("asyncio", {}),
    "uvloop": ("asyncio", {"use_uvloop": True}),
    "trio": ("trio", {}),
}
"""What `anyio.run` wants to hear, by the name of the event loop."""

CONNECTIONS: Final = 100
"""That one worker has at once. It accepts no more meanwhile, and leaves them to the others."""

IDLE_SECONDS: Final = 60.0
"""After which a client that says nothing has to make room."""

ACCEPT_PAUSE: Final = 0.1
"""Seconds to wait when the system has no descriptor left."""


class Worker:
    """Accepts connections from a socket that others accept from as well.

    Args:
        listener: the socket.
        log: where to write what happens.
        supervisor: whom to tell how many there were.
    """

    def __init__(
        self, listener: socket.socket, log: IO[str], supervisor: AsyncUnixStreamClient[Any, Any]
    ) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._log = log
        self._supervisor = supervisor
        self._places = anyio.Semaphore(CONNECTIONS)
        self._served = 0

    async def accept(self, tasks: TaskGroup) -> None:
        """Runs until it is cancelled, with a task for each connection."""
        while True:
            await self._places.acquire()
            sock = await self._accept_one()
            tasks.start_soon(self._attend, sock)

    async def _accept_one(self) -> socket.socket:
        while True:
            await anyio.wait_readable(self._listener)
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                continue  # all workers were woken, and another one was faster
            except OSError:
                await anyio.sleep(ACCEPT_PAUSE)
                continue
            return sock

    async def _attend(self, sock: socket.socket) -> None:
        self._served += 1
        print(os.getpid(), "accepts connection", self._served, file=self._log, flush=True)
        lines = StreamProtocol(StringLineSerializer(encoding="utf-8", limit=1000))
        try:
            async with AsyncTCPNetworkClient(sock, lines) as client:
                await self._supervisor.send_packet({"served": self._served})
                await self._converse(client)
        except (OSError, StreamProtocolParseError):
            pass  # gone, idle, or talking nonsense: the connection is closed
        finally:
            self._places.release()

    async def _converse(self, client: AsyncTCPNetworkClient[str, str]) -> None:
        while True:
            with anyio.fail_after(IDLE_SECONDS):
                line = await client.recv_packet()
            await client.send_packet(answer(line))


def answer(line: str) -> str:
    match line:
        case "time":
            return datetime.now(UTC).isoformat(timespec="seconds")
        case "pid":
            return str(os.getpid())
        case _:
            return line


def opened(received: SocketAncillary) -> tuple[socket.socket, IO[str]]:
    """Makes objects of the supervisor's descriptors, which are ours to close."""
    listener, log = received.iter_fds()
    return socket.socket(fileno=listener), open(log, "a")


async def work(folder: Path) -> None:
    protocol = StreamProtocol[Any, Any](JSONSerializer())
    async with AsyncUnixStreamClient(folder / "workers.sock", protocol) as supervisor:
        received = SocketAncillary()
        await supervisor.recv_packet(ancillary_data=received)
        listener, log = opened(received)
        with listener, log:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(Worker(listener, log, supervisor).accept, tasks)
                with suppress(ConnectionError):
                    await supervisor.recv_packet()  # it says nothing more: this waits for its end
                tasks.cancel_scope.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(description="Answers lines over the supervisor's socket.")
    parser.add_argument("--folder", type=Path, required=True, help="that of the supervisor")
    parser.add_argument("--loop", choices=LOOPS, default="asyncio", help="the event loop")
    arguments = parser.parse_args()
    backend, options = LOOPS[arguments.loop]
    try:
        anyio.run(work, arguments.folder, backend=backend, backend_options=options)
    except OSError as exc:
        sys.exit(f"{parser.prog}: {exc.strerror or exc}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
