# SPDX-License-Identifier: Apache-2.0
"""The request handlers under attack.

A request is a command and an argument; ``stats`` is answered with their counters.
"""

from __future__ import annotations

import functools
import gc
import json
import os
import sys
from collections.abc import AsyncGenerator, Callable
from typing import Any

import anyio

from easynetwork.exceptions import BaseProtocolParseError
from easynetwork.lowlevel.request_handler import RecvAncillaryDataParams, RecvParams
from easynetwork.lowlevel.socket import SocketAncillary
from easynetwork.servers.handlers import (
    AsyncBaseClientInterface,
    AsyncDatagramClient,
    AsyncDatagramRequestHandler,
    AsyncStreamClient,
    AsyncStreamRequestHandler,
)

__all__ = ("Commands", "DatagramCommandHandler", "StreamCommandHandler")

Client = AsyncBaseClientInterface[str]
Requests = AsyncGenerator[RecvParams | None, str]


class Commands:
    """Runs the command in a request, for either kind of handler."""

    def __init__(self) -> None:
        self.connected = self.disconnected = 0
        self.handled = self.running = self.most_running = 0
        self.errors: list[str] = []
        """What was raised at a ``yield`` or by a send, where the command asks for it."""
        self.breaking: set[str] = set()
        """Where the next call raises: ``handle``, or the name of a hook."""
        self._taken: list[int] = []

    def break_if_wanted(self, where: str) -> None:
        if where in self.breaking:
            self.breaking.remove(where)
            raise LookupError(f"in {where}")

    async def run(self, client: Client) -> Requests:
        self.break_if_wanted("handle")
        try:
            request = yield None
        except BaseProtocolParseError as exc:
            self.errors.append(type(exc.error).__name__)
            return
        command, _, argument = request.partition(" ")
        self.handled += 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if command == "take":
                await self._tell_taken(client, (yield _asking_for_control(self._keep)))
            elif command == "session":
                while request := (yield None):
                    await client.send_packet(request)
            elif command == "crash":
                yield _asking_for_control(_crash)
            elif command == "limit":
                await client.send_packet("go")
                try:
                    yield RecvParams(timeout=float(argument))
                except TimeoutError:
                    await client.send_packet("too slow")
            else:
                # Interned, because Python's cache of methods holds on to each name that was looked
                # up.
                await getattr(self, sys.intern(f"do_{command or 'nothing'}"))(client, argument)
        finally:
            self.running -= 1

    # commands

    async def do_nothing(self, client: Client, text: str) -> None:
        """An empty request gets an empty answer."""
        await client.send_packet("")

    async def do_echo(self, client: Client, text: str) -> None:
        await client.send_packet(text)

    async def do_slow(self, client: Client, text: str) -> None:
        await anyio.sleep(0.01)
        await client.send_packet(text)

    async def do_sleep(self, client: Client, seconds: str) -> None:
        await anyio.sleep(float(seconds))
        await client.send_packet("awake")

    async def do_big(self, client: Client, size: str) -> None:
        await client.send_packet(_packet(int(size)))

    async def do_close(self, client: Client, size: str) -> None:
        """Sends as much, and ends a connection."""
        await self.do_big(client, size)
        if isinstance(client, AsyncStreamClient):
            await client.aclose()

    async def do_raise(self, client: Client, size: str) -> None:
        if size:
            await self.do_big(client, size)
        raise LookupError("after yield")

    async def do_break(self, client: Client, where: str) -> None:
        self.breaking.add(where)
        await client.send_packet("it will break")

    async def do_flood(self, client: Client, size: str) -> None:
        """Sends until the peer is given up."""
        try:
            while True:
                await client.send_packet("x" * int(size))
        except OSError as exc:
            self.errors.append(type(exc).__name__)

    async def do_cut(self, client: Client, size: str) -> None:
        """Sends packets until one is cancelled half-way, then another."""
        packet = _packet(int(size))
        with anyio.move_on_after(0.2):
            while True:
                await client.send_packet(packet)
        try:
            await client.send_packet("after the cut")
        except Exception as exc:
            self.errors.append(type(exc).__name__)
        else:
            self.errors.append("none")

    async def do_stats(self, client: Client, text: str) -> None:
        stats = {
            "connected": self.connected,
            "disconnected": self.disconnected,
            "handled": self.handled,
            "running": self.running - 1,
            "most_running": self.most_running,
            "errors": self.errors,
            "tasks": len(anyio.get_running_tasks()),
        }
        await client.send_packet(json.dumps(stats))

    async def do_collect(self, client: Client, text: str) -> None:
        """Python keeps thousands of small objects for later use, until the collector comes by, and
        with them the memory around them.
        """
        gc.collect()
        await client.send_packet("collected")

    # descriptors

    def _keep(self, messages: Any) -> None:
        ancillary = SocketAncillary()
        ancillary.update_from_raw(messages)
        self._taken.extend(ancillary.iter_fds())

    async def _tell_taken(self, client: Client, request: str) -> None:
        """Says how many descriptors came with a request, and how many of them child processes would
        inherit.
        """
        fds, self._taken = self._taken, []
        inheritable = [fd for fd in fds if os.get_inheritable(fd)]
        for fd in fds:
            os.close(fd)
        await client.send_packet(f"{request} {len(fds)} {len(inheritable)}")


@functools.cache
def _packet(size: int) -> str:
    """Made once: a handler's own packet is not what a server costs."""
    return "x" * size


def _crash(messages: Any) -> None:
    raise LookupError("in the callback")


def _asking_for_control(callback: Callable[[Any], None]) -> RecvParams:
    return RecvParams(recv_with_ancillary=RecvAncillaryDataParams(callback))


class StreamCommandHandler(AsyncStreamRequestHandler[str, str]):
    """Runs the commands that come over connections."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def service_init(self, exit_stack: Any, server: Any, /) -> None:
        self._commands.break_if_wanted("service_init")

    async def on_connection(self, client: AsyncStreamClient[str]) -> None:
        self._commands.break_if_wanted("on_connection")
        self._commands.connected += 1

    def handle(self, client: AsyncStreamClient[str]) -> Requests:
        return self._commands.run(client)

    async def on_disconnection(self, client: AsyncStreamClient[str]) -> None:
        self._commands.disconnected += 1
        self._commands.break_if_wanted("on_disconnection")


class DatagramCommandHandler(AsyncDatagramRequestHandler[str, str]):
    """Runs the commands that come in datagrams."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def service_init(self, exit_stack: Any, server: Any, /) -> None:
        self._commands.break_if_wanted("service_init")

    def handle(self, client: AsyncDatagramClient[str]) -> Requests:
        return self._commands.run(client)
