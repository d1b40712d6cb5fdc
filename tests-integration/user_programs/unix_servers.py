# SPDX-License-Identifier: Apache-2.0
"""A program of somebody who has installed en-servers-unix."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import assert_type

from easynetwork.ancillary import SCMRights, SocketAncillary
from easynetwork.lowlevel.request_handler import RecvAncillaryDataParams, RecvParams
from easynetwork.lowlevel.socket import UnixCredentials, UnixSocketAddress
from easynetwork.protocol import DatagramProtocol, StreamProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers.async_unix_datagram import AsyncUnixDatagramServer
from easynetwork.servers.async_unix_stream import AsyncUnixStreamServer
from easynetwork.servers.handlers import (
    AsyncDatagramClient,
    AsyncDatagramRequestHandler,
    AsyncStreamClient,
    AsyncStreamRequestHandler,
    UNIXClientAttribute,
)


class Receiver(AsyncStreamRequestHandler[str, str]):
    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[RecvParams, str]:
        credentials = client.extra(UNIXClientAttribute.peer_credentials)
        assert_type(credentials, UnixCredentials)
        ancillary = SocketAncillary()
        request = yield RecvParams(recv_with_ancillary=RecvAncillaryDataParams(ancillary.update_from_raw))
        assert_type(request, str)
        descriptors = [fd for message in ancillary.messages() if isinstance(message, SCMRights) for fd in message.fds]
        assert_type(descriptors, list[int])
        await client.send_packet(f"{request}: {len(descriptors)} of {credentials.uid}")


class Answerer(AsyncDatagramRequestHandler[str, str]):
    async def handle(self, client: AsyncDatagramClient[str]) -> AsyncGenerator[None, str]:
        assert_type(client.extra(UNIXClientAttribute.peer_name), UnixSocketAddress)
        await client.send_packet((yield).upper())


async def main() -> None:
    serializer = StringLineSerializer()
    streams = AsyncUnixStreamServer("/run/streams", StreamProtocol(serializer), Receiver())
    datagrams = AsyncUnixDatagramServer("/run/datagrams", DatagramProtocol(serializer), Answerer())
    async with streams, datagrams, asyncio.TaskGroup() as tasks:
        tasks.create_task(streams.serve_forever())
        tasks.create_task(datagrams.serve_forever())


if __name__ == "__main__":
    asyncio.run(main())
