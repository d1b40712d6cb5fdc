# SPDX-License-Identifier: Apache-2.0
"""A program of somebody who has installed en-servers-udp."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import assert_type

from easynetwork.lowlevel.socket import IPv4SocketAddress, IPv6SocketAddress
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers import AsyncUDPNetworkServer, StandaloneUDPNetworkServer
from easynetwork.servers.handlers import AsyncDatagramClient, AsyncDatagramRequestHandler, INETClientAttribute


class Counter(AsyncDatagramRequestHandler[str, str]):
    def __init__(self) -> None:
        self.seen: dict[AsyncDatagramClient[str], int] = {}

    async def handle(self, client: AsyncDatagramClient[str]) -> AsyncGenerator[float | None, str]:
        assert_type(client.extra(INETClientAttribute.remote_address), IPv4SocketAddress | IPv6SocketAddress)
        request = yield None
        assert_type(request, str)
        self.seen[client] = self.seen.get(client, 0) + 1
        await client.send_packet(f"{request} {self.seen[client]}")


PROTOCOL = DatagramProtocol(StringLineSerializer())
assert_type(PROTOCOL, DatagramProtocol[str, str])


async def main() -> None:
    async with AsyncUDPNetworkServer("127.0.0.1", 9000, PROTOCOL, Counter()) as server:
        assert_type(server, AsyncUDPNetworkServer[str, str])
        await server.serve_forever()


if __name__ == "__main__":
    with StandaloneUDPNetworkServer("127.0.0.1", 9000, PROTOCOL, Counter()) as standalone:
        standalone.serve_forever()
