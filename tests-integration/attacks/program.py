# SPDX-License-Identifier: Apache-2.0
"""The process under attack: ``python -m attacks.program LOOP OPTIONS`` prints where it serves, and
serves until its input ends.

A line of its input that says ``shutdown`` is obeyed, and answered with the seconds that it took.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import sys
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import anyio
from attacks.command_handler import Commands
from attacks.servers import make_server, serializer
from running_server import running

from easynetwork.lowlevel.api_async.backend.utils import new_builtin_backend
from easynetwork.lowlevel.testing.event_loops import installed_event_loops

__all__ = ("Options", "limit_memory")

_MEMORY_LIMIT = 4_000_000_000
"""Bytes of address space."""


@dataclass(kw_only=True)
class Options:
    """What the second word of the command line is, as JSON."""

    kinds: list[str]
    """Of the servers: see ``servers.KINDS``."""
    certificate: str
    """A file with the certificate and the key of servers with TLS."""
    path: str = ""
    """Where Unix servers listen; those of several have their kind's name added."""
    descriptors: int | None = None
    """Limit of the process (``RLIMIT_NOFILE``)."""
    serializer: str = "lines"
    limit: int = 65536
    """Of the serializer, in bytes."""
    breaking: list[str] = field(default_factory=list[str])
    """Where the handler raises the first time."""
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    """More arguments of the servers' constructors, by kind."""


async def serve(options: Options) -> None:
    commands = Commands()
    commands.breaking.update(options.breaking)
    async with contextlib.AsyncExitStack() as stack:
        servers = {kind: _make(kind, commands, options) for kind in options.kinds}
        for server in servers.values():
            await stack.enter_async_context(running(server))
        print(json.dumps({kind: _where(server) for kind, server in servers.items()}), flush=True)
        async for command in _commands():
            if command == "shutdown":
                began = time.monotonic()
                for server in servers.values():
                    await server.shutdown()
                print(time.monotonic() - began, flush=True)


def _make(kind: str, commands: Commands, options: Options) -> Any:
    path = options.path if len(options.kinds) == 1 else f"{options.path}-{kind}"
    return make_server(
        kind,
        commands,
        serializer(options.serializer, options.limit),
        certificate=options.certificate,
        path=path,
        options=options.options.get(kind, {}),
    )


def _where(server: Any) -> Any:
    (address,) = server.get_addresses()
    return address.for_connection() if hasattr(address, "for_connection") else str(address)


async def _commands() -> AsyncGenerator[str]:
    while True:
        await anyio.wait_readable(sys.stdin)
        line = os.read(sys.stdin.fileno(), 100)
        if not line:
            return
        yield line.decode().strip()


def limit_memory() -> None:
    """What grows without end fails here, and not the machine."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_LIMIT, _MEMORY_LIMIT))


def main() -> None:
    _, loop, text = sys.argv
    options = Options(**json.loads(text))
    limit_memory()
    if options.descriptors is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (options.descriptors, options.descriptors))
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    framework, runner_options = installed_event_loops()[loop]
    new_builtin_backend(framework).bootstrap(serve, options, runner_options=runner_options)


if __name__ == "__main__":
    main()
