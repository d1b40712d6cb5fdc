# SPDX-License-Identifier: Apache-2.0
"""Keeps workers running that share one port: ``python supervisor.py --folder run --port 9300``.

Ctrl-C or SIGTERM ends it, and them.
"""

from __future__ import annotations

import argparse
import functools
import logging
import signal
import socket
import sys
from pathlib import Path
from typing import Any, Final

import anyio
from anyio.abc import TaskGroup

from crew import Crew
from easynetwork.protocol import DatagramProtocol, StreamProtocol
from easynetwork.serializers import JSONSerializer
from easynetwork.servers.abc import AbstractAsyncNetworkServer
from easynetwork.servers.async_unix_datagram import AsyncUnixDatagramServer
from easynetwork.servers.async_unix_stream import AsyncUnixStreamServer
from handlers import ControlHandler, WorkerHandler

LOOPS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "asyncio": ("asyncio", {}),
    "uvloop": ("asyncio", {"use_uvloop": True}),
    "trio": ("trio", {}),
}
"""What `anyio.run` wants to hear, by the name of the event loop."""

OWNER_ONLY: Final = 0o600
"""Permissions of the sockets: nobody else can connect, or send."""

STOP_SECONDS: Final = 5.0
"""How long workers may take to end, before they are killed."""

WORKER: Final = Path(__file__).with_name("worker.py")

logger = logging.getLogger(__name__)


async def supervise(arguments: argparse.Namespace, listener: socket.socket, log: int) -> None:
    folder: Path = arguments.folder
    crew = Crew([sys.executable, str(WORKER), "--folder", str(folder), "--loop", arguments.loop])
    workers = WorkerHandler(listener, log)
    control = ControlHandler(lambda: {"served": workers.served, "restarts": crew.restarts})
    worker_server = AsyncUnixStreamServer(
        folder / "workers.sock",
        StreamProtocol(JSONSerializer()),
        workers,
        mode=OWNER_ONLY,
        log_client_connection=False,
    )
    control_server = AsyncUnixDatagramServer(
        folder / "control.sock",
        DatagramProtocol(JSONSerializer()),
        control,
        mode=OWNER_ONLY,
        receive_ancillary_data=True,
    )
    async with worker_server, control_server, anyio.create_task_group() as tasks:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            await start(worker_server, tasks)
            await start(control_server, tasks)
            tasks.start_soon(crew.run, arguments.workers)
            logger.info("Workers serve at port %d", listener.getsockname()[1])
            async for _ in signals:
                break
            crew.stop()
            tasks.cancel_scope.deadline = anyio.current_time() + STOP_SECONDS
            await worker_server.shutdown()  # a worker ends when its connection does
            await worker_server.server_close()  # and one that was just started finds none
            await control_server.shutdown()


async def start(server: AbstractAsyncNetworkServer, tasks: TaskGroup) -> None:
    """Returns when the server is up."""
    is_up = anyio.Event()
    tasks.start_soon(functools.partial(server.serve_forever, is_up_event=is_up))
    await is_up.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="Keeps workers running that share one port.")
    parser.add_argument("--folder", type=Path, required=True, help="for the sockets and the log")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9300, help="0 takes a free one, see the log")
    parser.add_argument("--workers", type=int, default=2, help="how many")
    parser.add_argument("--loop", choices=LOOPS, default="asyncio", help="the event loop")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    backend, options = LOOPS[arguments.loop]
    folder: Path = arguments.folder
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        with (
            socket.create_server((arguments.host, arguments.port)) as listener,
            (folder / "workers.log").open("ab") as log,
        ):
            what = (arguments, listener, log.fileno())
            anyio.run(supervise, *what, backend=backend, backend_options=options)
    except OSError as exc:
        sys.exit(f"{parser.prog}: {exc.strerror or exc}")


if __name__ == "__main__":
    main()
