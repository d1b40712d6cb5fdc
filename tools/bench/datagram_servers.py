# SPDX-License-Identifier: Apache-2.0
"""Our servers of datagrams, as contenders.

Each serves an echo on a loopback address, prints the port or path, and runs until it is killed.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator

from easynetwork.lowlevel.api_async.backend.utils import new_builtin_backend
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers.abc import AbstractPacketSerializer
from easynetwork.servers.async_udp import AsyncUDPNetworkServer
from easynetwork.servers.async_unix_datagram import AsyncUnixDatagramServer
from easynetwork.servers.handlers import AsyncDatagramClient, AsyncDatagramRequestHandler


class BytesSerializer(AbstractPacketSerializer[bytes, bytes]):
    """Datagrams as they are, as asyncio's protocol gets them."""

    def serialize(self, packet: bytes) -> bytes:
        return packet

    def deserialize(self, data: bytes) -> bytes:
        return data


class EchoHandler(AsyncDatagramRequestHandler[bytes, bytes]):
    async def handle(self, client: AsyncDatagramClient[bytes]) -> AsyncGenerator[None, bytes]:
        request = yield
        await client.send_packet(request)


async def serve_easynetwork(transport: str, host: str, path: str) -> None:
    protocol: DatagramProtocol[bytes, bytes] = DatagramProtocol(BytesSerializer())
    if transport == "unix-datagram":
        async with AsyncUnixDatagramServer(path, protocol, EchoHandler()) as server:
            announce(path)
            await server.serve_forever()
    else:
        async with AsyncUDPNetworkServer(host, 0, protocol, EchoHandler()) as server:
            announce(server.get_addresses()[0].port)
            await server.serve_forever()


def announce(where: object) -> None:
    print(where, flush=True)


def main(transport: str, name: str, loop: str, path: str, *_load: str) -> None:
    host = "0.0.0.0" if name.endswith("any address") else "127.0.0.1"
    if loop == "uvloop":
        import uvloop

        backend, options = "asyncio", {"loop_factory": uvloop.new_event_loop}
    else:
        backend, options = loop, {}
    new_builtin_backend(backend).bootstrap(serve_easynetwork, transport, host, path, runner_options=options)


if __name__ == "__main__":
    main(*sys.argv[1:])
