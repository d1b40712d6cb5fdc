# SPDX-License-Identifier: Apache-2.0
"""A TCP server that runs while a block does, and a peer that speaks lines over a plain stream."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import ByteStream
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.tls import TLSStream
from running_server import running

from easynetwork.protocol import AnyStreamProtocolType, StreamProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers.async_tcp import AsyncTCPNetworkServer
from easynetwork.servers.handlers import AsyncStreamRequestHandler


def line_protocol(**options: Any) -> AnyStreamProtocolType[str, str]:
    return StreamProtocol(StringLineSerializer(**options))


def line_server(
    handler: AsyncStreamRequestHandler[Any, Any],
    protocol: AnyStreamProtocolType[Any, Any] | None = None,
    **options: Any,
) -> AsyncTCPNetworkServer[Any, Any]:
    return AsyncTCPNetworkServer("127.0.0.1", 0, protocol or line_protocol(), handler, **options)


class LinePeer:
    """The other end of a connection."""

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self._reader = BufferedByteReceiveStream(stream)

    async def send(self, *lines: str) -> None:
        """Sends all lines in one segment."""
        await self.stream.send("".join(f"{line}\n" for line in lines).encode())

    async def receive(self) -> str:
        return (await self._reader.receive_until(b"\n", 1 << 20)).decode()

    async def ask(self, line: str) -> str:
        await self.send(line)
        return await self.receive()

    async def is_closed(self) -> bool:
        """Waits for the end of the connection; what comes before is an error."""
        try:
            unexpected = await self._reader.receive(100)
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return True
        raise AssertionError(f"received {unexpected!r} instead of the end")


@asynccontextmanager
async def connected(
    server: AsyncTCPNetworkServer[Any, Any], context: ssl.SSLContext | None = None
) -> AsyncGenerator[LinePeer]:
    address = server.get_addresses()[0]
    stream: ByteStream = await anyio.connect_tcp(address.host, address.port)
    if context is not None:
        stream = await TLSStream.wrap(stream, hostname="localhost", ssl_context=context)
    try:
        yield LinePeer(stream)
    finally:
        await anyio.aclose_forcefully(stream)


@asynccontextmanager
async def serving(
    handler: AsyncStreamRequestHandler[Any, Any], **options: Any
) -> AsyncGenerator[tuple[AsyncTCPNetworkServer[Any, Any], LinePeer]]:
    """A running server with one peer."""
    server = line_server(handler, **options)
    async with running(server), connected(server) as peer:
        yield server, peer
