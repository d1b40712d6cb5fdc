# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno

import pytest

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.socket import INETSocketAttribute, IPv4SocketAddress, set_tcp_nodelay
from easynetwork.lowlevel.streams import ByteStream, StreamListener
from easynetwork.lowlevel.testing import (
    MemoryListener,
    check_byte_stream,
    check_stream_listener,
    memory_stream_pair,
)

pytestmark = pytest.mark.anyio


async def test_streams_pass_the_examination(backend: AsyncBackend) -> None:
    async def make_pair() -> tuple[ByteStream, ByteStream]:
        return memory_stream_pair(backend)

    await check_byte_stream(backend, make_pair)


async def test_listeners_pass_the_examination(backend: AsyncBackend) -> None:
    async def make_listener() -> StreamListener:
        return MemoryListener(backend)

    async def connect(listener: StreamListener) -> ByteStream:
        assert isinstance(listener, MemoryListener)
        return listener.connect()

    await check_stream_listener(backend, make_listener, connect)


async def test_a_rule_that_is_not_kept_is_named(backend: AsyncBackend) -> None:
    async def make_pair() -> tuple[ByteStream, ByteStream]:
        return memory_stream_pair(backend)[0], memory_stream_pair(backend)[1]

    with pytest.raises(TimeoutError) as caught, backend.timeout(0.05):
        await check_byte_stream(backend, make_pair)

    assert isinstance(caught.value.__context__, backend.get_cancelled_exc_class())
    assert caught.value.__context__.__notes__ == ["in the check 'bytes_arrive_in_order_both_ways'"]


async def test_no_more_than_the_capacity_is_on_its_way(backend: AsyncBackend) -> None:
    ours, theirs = memory_stream_pair(backend, capacity=10)
    await ours.send(bytes(10))

    with backend.move_on_after(0) as scope:
        await ours.send(b"x")

    assert scope.cancelled_caught()
    assert not ours.is_closing(), "nothing has left"
    assert await theirs.receive(100) == bytes(10)
    await ours.send(b"x")
    assert await theirs.receive(100) == b"x"


async def test_half_close_leaves_the_other_direction_open(backend: AsyncBackend) -> None:
    ours, theirs = memory_stream_pair(backend)
    await ours.send(b"question")
    await ours.send_eof()
    await ours.send_eof()

    assert await theirs.receive(100) == b"question"
    assert await theirs.receive(100) == b""
    await theirs.send(b"answer")
    assert await ours.receive(100) == b"answer"
    with pytest.raises(BrokenPipeError):
        await ours.send(b"x")


async def test_a_stream_tells_its_addresses_until_it_is_lost(backend: AsyncBackend) -> None:
    ours, theirs = memory_stream_pair(backend)
    set_tcp_nodelay(ours.extra(INETSocketAttribute.socket), True)

    assert ours.extra(INETSocketAttribute.peername) == theirs.extra(INETSocketAttribute.sockname)
    assert ours.extra(INETSocketAttribute.sockname) == theirs.extra(INETSocketAttribute.peername)
    theirs.abort()
    with pytest.raises(OSError, match="gone") as caught:
        ours.extra(INETSocketAttribute.peername)
    assert caught.value.errno == errno.ENOTCONN


async def test_each_peer_has_a_port_of_its_own(backend: AsyncBackend) -> None:
    listener = MemoryListener(backend, IPv4SocketAddress("127.0.0.1", 9000))
    peers = [listener.connect() for _ in range(2)]
    streams = [await listener.accept() for _ in peers]

    names = [stream.extra(INETSocketAttribute.peername) for stream in streams]
    assert names == [peer.extra(INETSocketAttribute.sockname) for peer in peers]
    assert len(set(names)) == 2
    assert {peer.extra(INETSocketAttribute.peername).port for peer in peers} == {9000}


async def test_a_listener_fails_when_it_is_told_to(backend: AsyncBackend) -> None:
    listener = MemoryListener(backend)
    listener.fail(OSError(errno.EMFILE, "too many open files"))
    peer = listener.connect()

    with pytest.raises(OSError, match="too many"):
        await listener.accept()
    assert (await listener.accept()).extra(INETSocketAttribute.peername) == peer.extra(INETSocketAttribute.sockname)


async def test_a_full_or_closed_listener_refuses(backend: AsyncBackend) -> None:
    listener = MemoryListener(backend, backlog=1)
    waiting = listener.connect()

    with pytest.raises(ConnectionRefusedError):
        listener.connect()
    await listener.aclose()
    with pytest.raises(ConnectionRefusedError):
        listener.connect()
    with pytest.raises(ConnectionResetError):
        await waiting.receive(1)
