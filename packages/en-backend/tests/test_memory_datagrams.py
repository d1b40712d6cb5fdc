# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from easynetwork.exceptions import TypedAttributeLookupError
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.datagrams import DatagramEndpoint, DatagramListener
from easynetwork.lowlevel.socket import INETSocketAttribute, IPv4SocketAddress
from easynetwork.lowlevel.testing import (
    MemoryDatagramListener,
    MemoryDatagramNetwork,
    check_datagram_endpoint,
    check_datagram_listener,
    memory_datagram_pair,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def network(backend: AsyncBackend) -> MemoryDatagramNetwork:
    return MemoryDatagramNetwork(backend)


async def test_endpoints_pass_the_examination(backend: AsyncBackend) -> None:
    async def make_pair() -> tuple[DatagramEndpoint, DatagramEndpoint]:
        return memory_datagram_pair(backend)

    await check_datagram_endpoint(backend, make_pair)


async def test_listeners_pass_the_examination(backend: AsyncBackend, network: MemoryDatagramNetwork) -> None:
    async def make_listener() -> DatagramListener:
        return network.open_listener()

    async def connect(listener: DatagramListener) -> DatagramEndpoint:
        assert isinstance(listener, MemoryDatagramListener)
        return network.open_endpoint(listener.address)

    await check_datagram_listener(backend, make_listener, connect)


async def test_a_full_queue_sheds_the_newest(backend: AsyncBackend) -> None:
    ours, theirs = memory_datagram_pair(backend, capacity=2)
    for data in (b"1", b"2", b"3", b"4"):
        await ours.send(data)

    assert [await theirs.receive(), await theirs.receive()] == [b"1", b"2"]
    assert theirs.dropped == 2
    await ours.send(b"5")
    assert await theirs.receive() == b"5"


async def test_an_endpoint_learns_that_its_peer_is_not_there(network: MemoryDatagramNetwork) -> None:
    endpoint = network.open_endpoint(IPv4SocketAddress("127.0.0.1", 9))
    await endpoint.send(b"x")

    with pytest.raises(ConnectionRefusedError):
        await endpoint.receive()


async def test_a_connected_endpoint_hears_its_peer_alone(backend: AsyncBackend, network: MemoryDatagramNetwork) -> None:
    peer, stranger = network.open_listener(), network.open_listener()
    endpoint = network.open_endpoint(peer.address)
    await stranger.send(b"from a stranger", endpoint.address)
    await peer.send(b"from the peer", endpoint.address)

    assert await endpoint.receive() == b"from the peer"


async def test_a_wildcard_answers_from_a_real_address(network: MemoryDatagramNetwork) -> None:
    listener = network.open_listener(IPv4SocketAddress("0.0.0.0", 0))
    endpoint = network.open_endpoint(IPv4SocketAddress("127.0.0.1", listener.address.port))
    await endpoint.send(b"question")
    _, sender = await listener.receive()
    await listener.send(b"answer", tuple(sender))

    assert await endpoint.receive() == b"answer"


async def test_only_endpoints_have_a_peer(network: MemoryDatagramNetwork) -> None:
    listener = network.open_listener()
    endpoint = network.open_endpoint(listener.address)

    assert endpoint.extra(INETSocketAttribute.peername) == listener.extra(INETSocketAttribute.sockname)
    with pytest.raises(TypedAttributeLookupError):
        listener.extra(INETSocketAttribute.peername)
