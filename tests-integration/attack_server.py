# SPDX-License-Identifier: Apache-2.0
"""The server under attack, a process of its own: ``attack_server.py LOOP OPTIONS`` prints its port and serves until its input ends.

A request is a word and a number. What the server tells about itself it tells as the response to ``stats``.
"""

from __future__ import annotations

import json
import resource
import ssl
from collections.abc import AsyncGenerator
from typing import Any

import anyio
from attacked_program import run, wait_for_end_of_input
from running_server import running

from easynetwork.lowlevel.request_handler import RecvParams
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers.async_tcp import AsyncTCPNetworkServer
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler

Requests = AsyncGenerator[RecvParams | None, str]


class Handler(AsyncStreamRequestHandler[str, str]):
    def __init__(self) -> None:
        self.connected = self.disconnected = self.handled = 0
        self.cut: list[str] = []

    async def on_connection(self, client: AsyncStreamClient[str]) -> None:
        self.connected += 1

    async def on_disconnection(self, client: AsyncStreamClient[str]) -> None:
        self.disconnected += 1

    async def handle(self, client: AsyncStreamClient[str]) -> Requests:
        word, _, argument = (yield None).partition(" ")
        self.handled += 1
        await getattr(self, f"do_{word}")(client, argument)
        if word == "limit":
            try:
                yield RecvParams(timeout=float(argument))
            except TimeoutError:
                await client.send_packet("too slow")
                await client.aclose()

    async def do_echo(self, client: AsyncStreamClient[str], text: str) -> None:
        await client.send_packet(text)

    async def do_slow(self, client: AsyncStreamClient[str], text: str) -> None:
        await client.backend().sleep(0.01)
        await client.send_packet(text)

    async def do_limit(self, client: AsyncStreamClient[str], text: str) -> None:
        await client.send_packet("go")

    async def do_big(self, client: AsyncStreamClient[str], size: str) -> None:
        await client.send_packet("x" * int(size))

    async def do_raise(self, client: AsyncStreamClient[str], size: str) -> None:
        await self.do_big(client, size)
        raise LookupError("the user's own")

    async def do_close(self, client: AsyncStreamClient[str], size: str) -> None:
        await self.do_big(client, size)
        await client.aclose()

    async def do_flood(self, client: AsyncStreamClient[str], size: str) -> None:
        while True:
            await client.send_packet("x" * int(size))

    async def do_cut(self, client: AsyncStreamClient[str], size: str) -> None:
        """Sends a packet that is cancelled half-way, then another."""
        with client.backend().move_on_after(0.1):
            await client.send_packet("x" * int(size))
        try:
            await client.send_packet("after the cut")
        except Exception as exc:
            self.cut.append(type(exc).__name__)
        else:
            self.cut.append("sent")

    async def do_stats(self, client: AsyncStreamClient[str], text: str) -> None:
        stats = {
            "connected": self.connected,
            "disconnected": self.disconnected,
            "handled": self.handled,
            "cut": self.cut,
            "tasks": len(anyio.get_running_tasks()),
        }
        await client.send_packet(json.dumps(stats))


async def serve(options: dict[str, Any]) -> None:
    if limit := options.pop("descriptors", None):
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    if certificate := options.pop("certificate", None):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        options["ssl"] = context
    protocol = StreamProtocol(StringLineSerializer(limit=options.pop("limit", 65536)))
    server = AsyncTCPNetworkServer("127.0.0.1", 0, protocol, Handler(), **options)
    async with running(server):
        print(server.get_addresses()[0].port, flush=True)
        await wait_for_end_of_input()


if __name__ == "__main__":
    run(serve)
