# SPDX-License-Identifier: Apache-2.0
"""Stream servers of both transports, for what is one rule on TCP and on Unix sockets, and plain
sockets that talk to them.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from datagram_peers import LineSocketPeer, tcp_peer, unix_stream_peer
from running_server import running

from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers.async_tcp import AsyncTCPNetworkServer
from easynetwork.servers.async_unix_stream import AsyncUnixStreamServer
from easynetwork.servers.handlers import AsyncStreamRequestHandler

StreamServer = AsyncTCPNetworkServer[str, str] | AsyncUnixStreamServer[str, str]


def peer_of(server: StreamServer) -> AbstractContextManager[LineSocketPeer]:
    """A connection to a server of either kind."""
    return unix_stream_peer(server) if isinstance(server, AsyncUnixStreamServer) else tcp_peer(server)


@dataclass(frozen=True)
class Transport:
    """Makes servers of one kind, whose packets are lines."""

    name: str
    folder: Path

    def server(self, handler: AsyncStreamRequestHandler[str, str]) -> StreamServer:
        protocol = StreamProtocol(StringLineSerializer())
        if self.name == "tcp":
            return AsyncTCPNetworkServer("127.0.0.1", 0, protocol, handler)
        return AsyncUnixStreamServer(self.folder / "server.sock", protocol, handler)

    @asynccontextmanager
    async def serving(
        self, handler: AsyncStreamRequestHandler[str, str]
    ) -> AsyncGenerator[tuple[StreamServer, LineSocketPeer]]:
        """A running server with one peer."""
        server: Any = self.server(handler)
        async with running(server):
            with peer_of(server) as peer:
                yield server, peer


def trouble(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is in the log beyond the ordinary life of a server: level, and errors or message, of
    each record.
    """
    return [
        f"{record.levelname} {', '.join(map(repr, _leaves(record.exc_info[1]))) if record.exc_info else record.getMessage()}"
        for record in caplog.records
        if record.levelno >= logging.WARNING
    ]


def _leaves(error: BaseException | None) -> Iterator[BaseException | None]:
    if isinstance(error, BaseExceptionGroup):
        for part in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _leaves(part)
    else:
        yield error
