# SPDX-License-Identifier: Apache-2.0
"""The server of datagrams that is written by hand: on the loop's transport, or on trio's socket.

It is a program of its own, because it matters what else a program has done: asyncio takes a fresh
buffer of 256 KiB for each datagram, and malloc gets it from the system and gives it back each time,
until the program has once freed a larger block. Importing a few large packages does it by chance.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any


class Echo(asyncio.DatagramProtocol):
    """The least that asyncio asks for."""

    def connection_made(self, transport: Any) -> None:  # a DatagramTransport, but uvloop's is none by class
        self._sendto = transport.sendto

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._sendto(data, addr)


def bound_socket(transport: str, path: str) -> socket.socket:
    if transport == "unix-datagram":
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.bind(path)
        print(path, flush=True)
    else:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        print(sock.getsockname()[1], flush=True)
    sock.setblocking(False)
    return sock


async def serve(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(Echo, sock=sock)
    await loop.create_future()


def main(transport: str, _name: str, loop: str, path: str, *_load: str) -> None:
    sock = bound_socket(transport, path)
    if loop == "trio":
        import trio

        async def serve_on_trio() -> None:
            trio_socket = trio.socket.from_stdlib_socket(sock)
            while True:
                data, address = await trio_socket.recvfrom(65536)
                await trio_socket.sendto(data, address)

        trio.run(serve_on_trio)
    elif loop == "uvloop":
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(sock))
    else:
        asyncio.run(serve(sock))


if __name__ == "__main__":
    main(*sys.argv[1:])
