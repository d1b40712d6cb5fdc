# SPDX-License-Identifier: Apache-2.0
"""A program of somebody who has installed en-clients."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import assert_type

from easynetwork.clients import (
    AsyncTCPNetworkClient,
    AsyncUDPNetworkClient,
    TCPNetworkClient,
    UDPNetworkClient,
)
from easynetwork.clients.async_unix_stream import AsyncUnixStreamClient
from easynetwork.clients.unix_datagram import UnixDatagramClient
from easynetwork.lowlevel.socket import IPv4SocketAddress, IPv6SocketAddress
from easynetwork.protocol import DatagramProtocol, StreamProtocol
from easynetwork.serializers import JSONSerializer, StringLineSerializer
from easynetwork.serializers.abc import AbstractIncrementalPacketSerializer


class Numbers(AbstractIncrementalPacketSerializer[int, int]):
    """One byte each."""

    def incremental_serialize(self, packet: int) -> Generator[bytes, None, None]:
        yield packet.to_bytes()

    def incremental_deserialize(self) -> Generator[None, bytes, tuple[int, bytes]]:
        data = yield
        return data[0], data[1:]


ADDRESS = ("127.0.0.1", 9000)
LINES = StreamProtocol(StringLineSerializer())
NUMBERS = StreamProtocol(Numbers())
assert_type(NUMBERS, StreamProtocol[int, int])
DATAGRAMS = DatagramProtocol(StringLineSerializer())


def block() -> None:
    with TCPNetworkClient(ADDRESS, LINES, connect_timeout=5) as client:
        assert_type(client.get_remote_address(), IPv4SocketAddress | IPv6SocketAddress)
        client.send_packet("soup")
        assert_type(client.recv_packet(timeout=10), str)
        for packet in client.iter_received_packets(timeout=0):
            assert_type(packet, str)
    with UDPNetworkClient(ADDRESS, DATAGRAMS) as client:
        assert_type(client.recv_packet(), str)
    with UnixDatagramClient("/run/datagrams", DATAGRAMS) as client:
        assert_type(client.recv_packet(), str)


async def wait() -> None:
    async with AsyncTCPNetworkClient(ADDRESS, LINES) as client:
        await client.send_packet("pie")
        assert_type(await client.recv_packet(), str)
    async with AsyncTCPNetworkClient(ADDRESS, NUMBERS) as client:
        await client.send_packet(7)
        assert_type(await client.recv_packet(), int)
    async with AsyncUDPNetworkClient(ADDRESS, DATAGRAMS) as client:
        assert_type(await client.recv_packet(), str)
    json: StreamProtocol[dict[str, int], list[float]] = StreamProtocol(JSONSerializer())
    async with AsyncUnixStreamClient("/run/streams", json) as client:
        await client.send_packet({"soup": 1})
        async for packet in client.iter_received_packets(timeout=1):
            assert_type(packet, list[float])


if __name__ == "__main__":
    block()
    asyncio.run(wait())
