# SPDX-License-Identifier: Apache-2.0
"""A server for Redis' clients: ``python server.py --port 9300``. Ctrl-C or SIGTERM ends it."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from typing import Any, Final

import anyio

from easynetwork.servers import AsyncTCPNetworkServer
from easynetwork.servers.abc import AbstractAsyncNetworkServer
from handler import Limits, RedisHandler
from resp import protocol

LOOPS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "asyncio": ("asyncio", {}),
    "uvloop": ("asyncio", {"use_uvloop": True}),
    "trio": ("trio", {}),
}
"""What `anyio.run` wants to hear, by the name of the event loop."""


async def shut_down_at_signal(server: AbstractAsyncNetworkServer, is_up: anyio.Event) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        await is_up.wait()  # a server that does not run yet cannot be shut down
        async for _ in signals:
            await server.shutdown()


async def serve(address: tuple[str, int], limits: Limits) -> None:
    server = AsyncTCPNetworkServer(
        *address, protocol(), RedisHandler(limits), log_client_connection=False
    )
    async with server, anyio.create_task_group() as tasks:
        is_up = anyio.Event()
        tasks.start_soon(shut_down_at_signal, server, is_up)
        await server.serve_forever(is_up_event=is_up)
        tasks.cancel_scope.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(description="A server for Redis' clients.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9300, help="0 takes a free one, see the log")
    parser.add_argument("--loop", choices=LOOPS, default="asyncio", help="the event loop")
    parser.add_argument("--store-bytes", type=int, default=Limits.store_bytes)
    parser.add_argument("--subscriber-bytes", type=int, default=Limits.subscriber_bytes)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    backend, options = LOOPS[arguments.loop]
    address = (arguments.host, arguments.port)
    limits = Limits(store_bytes=arguments.store_bytes, subscriber_bytes=arguments.subscriber_bytes)
    try:
        anyio.run(serve, address, limits, backend=backend, backend_options=options)
    except OSError as exc:
        sys.exit(f"{parser.prog}: {exc.strerror or exc}")


if __name__ == "__main__":
    main()
