# SPDX-License-Identifier: Apache-2.0
"""A program of somebody who has installed en-servers-tcp."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import assert_type

from easynetwork.exceptions import StreamProtocolParseError
from easynetwork.lowlevel.request_handler import RecvParams
from easynetwork.lowlevel.socket import IPv4SocketAddress, IPv6SocketAddress
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers import AsyncTCPNetworkServer, StandaloneTCPNetworkServer
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler, INETClientAttribute


class Shouter(AsyncStreamRequestHandler[str, str]):
    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[RecvParams | None, str]:
        address = client.extra(INETClientAttribute.remote_address)
        assert_type(address, IPv4SocketAddress | IPv6SocketAddress)
        assert_type(client.extra(INETClientAttribute.local_address, None), IPv4SocketAddress | IPv6SocketAddress | None)
        try:
            request = yield RecvParams(timeout=10)
        except StreamProtocolParseError:
            await client.aclose()
        else:
            assert_type(request, str)
            await client.send_packet(f"{address.host}: {request.upper()}")


PROTOCOL = StreamProtocol(StringLineSerializer())
assert_type(PROTOCOL, StreamProtocol[str, str])


async def main() -> None:
    async with AsyncTCPNetworkServer("127.0.0.1", 9000, PROTOCOL, Shouter()) as server:
        assert_type(server, AsyncTCPNetworkServer[str, str])
        await server.serve_forever()


def main_without_asyncio() -> None:
    with StandaloneTCPNetworkServer("127.0.0.1", 9000, PROTOCOL, Shouter()) as server:
        server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
