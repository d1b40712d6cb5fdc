# SPDX-License-Identifier: Apache-2.0
"""Clients under attack: ``python -m attacks.tls_client LOOP OPTIONS`` connects to hostile servers,
all at once, and prints what became of it.

The options are the servers' ports by name, and the file of the authority to be trusted.
"""

from __future__ import annotations

import functools
import json
import ssl
import sys
import time
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
from attacks.program import limit_memory

from easynetwork.clients.async_tcp import AsyncTCPNetworkClient
from easynetwork.clients.tcp import TCPNetworkClient
from easynetwork.lowlevel.api_async.backend.utils import new_builtin_backend
from easynetwork.lowlevel.testing.event_loops import installed_event_loops
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import StringLineSerializer

__all__ = ("TIME_LIMIT",)

TIME_LIMIT = 1.0
"""Seconds for a handshake, and for the end of a session."""

Report = dict[str, dict[str, Any]]


class Attempt:
    """One client that talks to one server: connects, receives until there is an error, and
    closes.
    """

    def __init__(self, report: Report, name: str) -> None:
        self._entry = report[name] = {}
        self._moment = time.monotonic()

    def received(self, packet: str) -> None:
        self._entry["received"] = packet

    def failed(self, exc: Exception) -> None:
        self._entry.update(error=type(exc).__name__, message=str(exc), failed_after=self._lap())

    def begins_to_close(self) -> None:
        self._lap()

    def closed(self) -> None:
        self._entry["closed_after"] = self._lap()

    def _lap(self) -> float:
        before, self._moment = self._moment, time.monotonic()
        return self._moment - before


async def use_async(attempt: Attempt, make: Callable[[], AsyncTCPNetworkClient[str, str]]) -> None:
    client = make()
    try:
        await client.wait_connected()
        attempt.received(await client.recv_packet())
        with anyio.move_on_after(0.1):
            await client.recv_packet()
    except OSError as exc:
        attempt.failed(exc)
    attempt.begins_to_close()
    await client.aclose()
    attempt.closed()


def use_blocking(attempt: Attempt, make: Callable[[], TCPNetworkClient[str, str]]) -> None:
    try:
        with make() as client:
            try:
                attempt.received(client.recv_packet())
                client.recv_packet(timeout=0.1)
            except TimeoutError:
                pass
            except OSError as exc:
                attempt.failed(exc)
            attempt.begins_to_close()
    except OSError as exc:
        attempt.failed(exc)
    attempt.closed()


async def attempt_all(ports: dict[str, int], authority: str) -> Report:
    options: dict[str, Any] = {
        "ssl": ssl.create_default_context(cafile=authority),
        "server_hostname": "localhost",
        "ssl_handshake_timeout": TIME_LIMIT,
        "ssl_shutdown_timeout": TIME_LIMIT,
    }
    report: Report = {}
    async with anyio.create_task_group() as tasks:
        for name, port in ports.items():
            arguments = (("127.0.0.1", port), StreamProtocol(StringLineSerializer()))
            make_async = functools.partial(AsyncTCPNetworkClient, *arguments, **options)
            make_blocking = functools.partial(TCPNetworkClient, *arguments, **options)
            tasks.start_soon(use_async, Attempt(report, name), make_async)
            blocking = Attempt(report, f"{name}, blocking client")
            tasks.start_soon(anyio.to_thread.run_sync, use_blocking, blocking, make_blocking)
    return report


def main() -> None:
    _, loop, options = sys.argv
    limit_memory()
    framework, runner_options = installed_event_loops()[loop]
    backend = new_builtin_backend(framework)
    arguments = json.loads(options)
    report = backend.bootstrap(attempt_all, arguments["ports"], arguments["authority"], runner_options=runner_options)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
