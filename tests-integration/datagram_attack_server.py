# SPDX-License-Identifier: Apache-2.0
"""The datagram server under attack, a process of its own: ``datagram_attack_server.py LOOP OPTIONS`` prints its port or path, and serves until its
input ends.

The option ``path`` makes it a Unix datagram server, or with ``stream`` a Unix stream server. A request is a word and a number.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, Callable
from typing import Any

import anyio
from attacked_program import run, wait_for_end_of_input
from running_server import running

from easynetwork.lowlevel.request_handler import RecvAncillaryDataParams, RecvParams
from easynetwork.lowlevel.socket import SocketAncillary
from easynetwork.protocol import DatagramProtocol, StreamProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers.async_udp import AsyncUDPNetworkServer
from easynetwork.servers.async_unix_datagram import AsyncUnixDatagramServer
from easynetwork.servers.async_unix_stream import AsyncUnixStreamServer
from easynetwork.servers.handlers import (
    AsyncBaseClientInterface,
    AsyncDatagramClient,
    AsyncDatagramRequestHandler,
    AsyncStreamClient,
    AsyncStreamRequestHandler,
)

Client = AsyncBaseClientInterface[str]
Requests = AsyncGenerator[RecvParams | None, str]


class Clerk:
    """Does what a request says, for either kind of handler."""

    def __init__(self) -> None:
        self.handled = self.running = self.most_running = 0
        self.given_up: list[str] = []
        self.refusing = False

    async def attend(self, client: Client) -> Requests:
        if self.refusing:
            self.refusing = False
            raise LookupError("before the first yield")
        word, _, argument = (yield None).partition(" ")
        self.handled += 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if word == "take":
                await self.take(client, (yield asking_for_control(_keep)))
            elif word == "crash":
                yield asking_for_control(_crash)
            else:
                await getattr(self, f"do_{word}")(client, argument)
        finally:
            self.running -= 1

    async def take(self, client: Client, request: str) -> None:
        """Says which descriptors came with a request, and whether child processes would inherit them."""
        fds, _taken[:] = list(_taken), []
        inheritable = [fd for fd in fds if os.get_inheritable(fd)]
        for fd in fds:
            os.close(fd)
        await client.send_packet(f"{request} {len(fds)} {len(inheritable)}")

    async def do_echo(self, client: Client, text: str) -> None:
        await client.send_packet(text)

    async def do_sleep(self, client: Client, seconds: str) -> None:
        await anyio.sleep(float(seconds))
        await client.send_packet("awake")

    async def do_raise(self, client: Client, text: str) -> None:
        raise LookupError("after the first yield")

    async def do_refuse(self, client: Client, text: str) -> None:
        self.refusing = True
        await client.send_packet("the next one is refused")

    async def do_flood(self, client: Client, size: str) -> None:
        """Sends until the peer is given up."""
        try:
            while True:
                await client.send_packet("x" * int(size))
        except OSError as exc:
            self.given_up.append(type(exc).__name__)

    async def do_stats(self, client: Client, text: str) -> None:
        stats = {
            "handled": self.handled,
            "running": self.running - 1,
            "most_running": self.most_running,
            "given_up": self.given_up,
            "tasks": len(anyio.get_running_tasks()),
        }
        await client.send_packet(json.dumps(stats))


_taken: list[int] = []


def _keep(messages: Any) -> None:
    ancillary = SocketAncillary()
    ancillary.update_from_raw(messages)
    _taken.extend(ancillary.iter_fds())


def _crash(messages: Any) -> None:
    raise LookupError("in the callback")


def asking_for_control(callback: Callable[[Any], None]) -> RecvParams:
    return RecvParams(recv_with_ancillary=RecvAncillaryDataParams(callback))


class DatagramHandler(Clerk, AsyncDatagramRequestHandler[str, str]):
    def handle(self, client: AsyncDatagramClient[str]) -> Requests:
        return self.attend(client)


class StreamHandler(Clerk, AsyncStreamRequestHandler[str, str]):
    def handle(self, client: AsyncStreamClient[str]) -> Requests:
        return self.attend(client)


def make_server(options: dict[str, Any]) -> Any:
    path = options.pop("path", None)
    serializer = StringLineSerializer(limit=1 << 20)
    if path is None:
        return AsyncUDPNetworkServer("127.0.0.1", 0, DatagramProtocol(serializer), DatagramHandler(), **options)
    if options.pop("stream", False):
        return AsyncUnixStreamServer(path, StreamProtocol(serializer), StreamHandler(), **options)
    protocol: DatagramProtocol[str, str] = DatagramProtocol(serializer)
    return AsyncUnixDatagramServer(path, protocol, DatagramHandler(), receive_ancillary_data=True, **options)


async def serve(options: dict[str, Any]) -> None:
    server = make_server(options)
    async with running(server):
        (address,) = server.get_addresses()
        print(getattr(address, "port", address), flush=True)
        await wait_for_end_of_input()


if __name__ == "__main__":
    run(serve)
