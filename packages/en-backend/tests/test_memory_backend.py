# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import socket
from functools import partial

import pytest
import trio
import trio.testing

from easynetwork.exceptions import UnsupportedOperation
from easynetwork.lowlevel.datagrams import DatagramEndpoint, DatagramListener
from easynetwork.lowlevel.socket import INETSocketAttribute, IPv4SocketAddress, IPv6SocketAddress, ISocket
from easynetwork.lowlevel.streams import ByteStream, StreamListener
from easynetwork.lowlevel.testing import (
    MemoryBackend,
    check_byte_stream,
    check_datagram_listener,
    check_stream_listener,
)

in_an_event_loop = pytest.mark.anyio


async def listen(backend: MemoryBackend) -> StreamListener:
    (listener,) = await backend.create_tcp_listeners("127.0.0.1", 0, 10)
    return listener


async def connect(backend: MemoryBackend, listener: StreamListener) -> ByteStream:
    address = listener.extra(INETSocketAttribute.sockname)
    return await backend.create_tcp_connection(address.host, address.port)


@in_an_event_loop
async def test_its_streams_pass_the_examinations(backend: MemoryBackend) -> None:
    async def make_pair() -> tuple[ByteStream, ByteStream]:
        listener = await listen(backend)
        client = await connect(backend, listener)
        return client, await listener.accept()

    await check_byte_stream(backend, make_pair)
    await check_stream_listener(backend, lambda: listen(backend), partial(connect, backend))


@in_an_event_loop
async def test_its_datagrams_pass_the_examination(backend: MemoryBackend) -> None:
    async def make_listener() -> DatagramListener:
        (listener,) = await backend.create_udp_listeners("localhost", 0)
        return listener

    async def connect(listener: DatagramListener) -> DatagramEndpoint:
        address = listener.extra(INETSocketAttribute.sockname)
        return await backend.create_udp_endpoint(address.host, address.port)

    await check_datagram_listener(backend, make_listener, connect)


@in_an_event_loop
async def test_where_nobody_listens_connections_are_refused(backend: MemoryBackend) -> None:
    with pytest.raises(ConnectionRefusedError, match="9000"):
        await backend.create_tcp_connection("127.0.0.1", 9000)

    (listener,) = await backend.create_tcp_listeners("127.0.0.1", 9000, 10)
    await backend.create_tcp_connection("localhost", 9000)
    with pytest.raises(ConnectionRefusedError):
        await MemoryBackend().create_tcp_connection("localhost", 9000)
    await listener.aclose()
    with pytest.raises(ConnectionRefusedError):
        await backend.create_tcp_connection("127.0.0.1", 9000)


@in_an_event_loop
@pytest.mark.parametrize("first", ["127.0.0.1", None])
@pytest.mark.parametrize("second", ["127.0.0.1", "0.0.0.0"])
async def test_an_address_is_taken_until_it_is_closed(backend: MemoryBackend, first: str | None, second: str) -> None:
    listeners = await backend.create_tcp_listeners(first, 9000, 10)

    with pytest.raises(OSError, match="9000") as caught:
        await backend.create_tcp_listeners(["127.0.0.2", second], 9000, 10)
    assert caught.value.errno == errno.EADDRINUSE

    for listener in listeners:
        await listener.aclose()
    await backend.create_tcp_listeners([second], 9000, 10)


@in_an_event_loop
async def test_all_addresses_get_the_same_free_port(backend: MemoryBackend) -> None:
    listeners = await backend.create_tcp_listeners(None, 0, 10)

    four, six = (listener.extra(INETSocketAttribute.sockname) for listener in listeners)
    assert four == IPv4SocketAddress("0.0.0.0", four.port)
    assert six == IPv6SocketAddress("::", four.port)
    assert (await listen(backend)).extra(INETSocketAttribute.sockname).port != four.port


@in_an_event_loop
@pytest.mark.parametrize(("host", "family"), [("127.0.0.7", socket.AF_INET), ("::1", socket.AF_INET6)])
async def test_both_ends_know_both_addresses(backend: MemoryBackend, host: str, family: int) -> None:
    listeners = await backend.create_tcp_listeners(None, 9000, 10)
    client = await backend.create_tcp_connection(host, 9000, local_address=(host, 1234))
    server = await listeners[family == socket.AF_INET6].accept()

    assert (
        client.extra(INETSocketAttribute.peername)[:2] == server.extra(INETSocketAttribute.sockname)[:2] == (host, 9000)
    )
    assert (
        client.extra(INETSocketAttribute.sockname)[:2] == server.extra(INETSocketAttribute.peername)[:2] == (host, 1234)
    )
    view: ISocket = server.extra(INETSocketAttribute.socket)
    assert view.family == server.extra(INETSocketAttribute.family) == family
    assert view.getsockname()[:2] == (host, 9000)
    assert view.getpeername()[:2] == (host, 1234)
    assert (view.type, view.proto, view.fileno(), view.get_inheritable()) == (socket.SOCK_STREAM, 0, -1, False)


@in_an_event_loop
async def test_options_are_remembered(backend: MemoryBackend) -> None:
    view = (await listen(backend)).extra(INETSocketAttribute.socket)

    assert view.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
    assert view.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == bytes(8)
    view.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    assert view.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    with pytest.raises(OSError, match="not connected"):
        view.getpeername()


@in_an_event_loop
async def test_udp_families_can_be_chosen(backend: MemoryBackend) -> None:
    four = await backend.create_udp_endpoint("localhost", 9000, family=socket.AF_INET)
    six = await backend.create_udp_endpoint("localhost", 9000, family=socket.AF_INET6, local_address=("::1", 1))

    assert four.extra(INETSocketAttribute.peername) == ("127.0.0.1", 9000)
    assert six.extra(INETSocketAttribute.sockname) == ("::1", 1, 0, 0)


@in_an_event_loop
async def test_names_have_no_addresses(backend: MemoryBackend) -> None:
    with pytest.raises(socket.gaierror, match="example"):
        await backend.create_tcp_connection("example.org", 80)
    with pytest.raises(socket.gaierror):
        await backend.create_udp_endpoint("127.0.0.1", 80, family=socket.AF_INET6)


@in_an_event_loop
async def test_real_sockets_are_not_for_it(backend: MemoryBackend) -> None:
    with socket.socket() as sock:
        with pytest.raises(UnsupportedOperation):
            await backend.wrap_stream_socket(sock)
        with pytest.raises(UnsupportedOperation):
            await backend.wrap_connected_datagram_socket(sock)
    with pytest.raises(ValueError, match="reuse_port"):
        await backend.create_tcp_listeners("localhost", 0, 10, reuse_port=True)


def test_time_can_be_virtual(backend: MemoryBackend) -> None:
    async def main() -> float:
        ours = await connect(backend, await listen(backend))
        start = backend.current_time()
        with pytest.raises(TimeoutError):
            await ours.receive(100, start + 3600)
        return backend.current_time() - start

    assert trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0)) == 3600


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_a_program_chooses_its_loop(backend: MemoryBackend, library: str) -> None:
    async def main(question: str) -> str:
        listener = await listen(backend)
        client = await connect(backend, listener)
        await client.send(question.encode())
        return (await (await listener.accept()).receive(100)).decode()

    assert backend.bootstrap(main, "x", runner_options={"backend": library}) == "x"
