# SPDX-License-Identifier: Apache-2.0
"""What TCP and TLS promise beyond the rules of every backend, which the backends' own tests examine
(`backend_suite`).
"""

from __future__ import annotations

import errno
import socket
import ssl
import struct
from collections.abc import AsyncIterator

import pytest

from easynetwork.exceptions import TruncatedStreamError, TypedAttributeLookupError
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.socket import INETSocketAttribute, IPv4SocketAddress, TLSAttribute, get_socket_linger
from easynetwork.lowlevel.socket_transports import SocketBackend
from easynetwork.lowlevel.socket_transports.streams import SocketStream
from easynetwork.lowlevel.streams import ByteStream
from easynetwork.lowlevel.testing import check_byte_stream
from easynetwork.lowlevel.testing.real_sockets import TCP, TLS
from easynetwork.lowlevel.tls import TLSOptions, TLSStream

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pair(backend: AsyncBackend) -> AsyncIterator[tuple[ByteStream, ByteStream]]:
    client, server = await TCP(backend).make_pair()
    yield client, server
    client.abort()
    server.abort()


async def test_streams_of_an_older_tls_pass_the_examination_too(
    backend: AsyncBackend, client_context: ssl.SSLContext, server_context: ssl.SSLContext
) -> None:
    client_context.maximum_version = ssl.TLSVersion.TLSv1_2
    client, server = TLSOptions(context=client_context), TLSOptions(context=server_context)

    await check_byte_stream(backend, TLS(backend, client=client, server=server).make_pair)


async def test_a_stream_tells_its_addresses_and_options(pair: tuple[ByteStream, ByteStream]) -> None:
    client, server = pair

    assert client.extra(INETSocketAttribute.peername) == server.extra(INETSocketAttribute.sockname)
    assert isinstance(server.extra(INETSocketAttribute.peername), IPv4SocketAddress)
    for stream in pair:
        sock = stream.extra(INETSocketAttribute.socket)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    with pytest.raises(TypedAttributeLookupError):
        client.extra(TLSAttribute.cipher)


async def test_one_port_serves_all_addresses(backend: AsyncBackend) -> None:
    listeners = await backend.create_tcp_listeners(["127.0.0.1", "127.0.0.2"], 0, 10)

    ports = {listener.extra(INETSocketAttribute.sockname).port for listener in listeners}
    for listener in listeners:
        await listener.aclose()
    assert len(listeners) == 2
    assert len(ports) == 1


async def test_an_address_in_use_is_named_and_nothing_stays_open(backend: AsyncBackend) -> None:
    listener = await TCP(backend).listen()
    port = listener.extra(INETSocketAttribute.sockname).port

    with pytest.raises(OSError, match=f"127.0.0.1.*{port}") as caught:
        await backend.create_tcp_listeners(["127.0.0.2", "127.0.0.1"], port, 10)

    await listener.aclose()
    assert caught.value.errno == errno.EADDRINUSE


async def test_local_address_is_where_the_connection_comes_from(backend: AsyncBackend) -> None:
    listener = await TCP(backend).listen()
    port = listener.extra(INETSocketAttribute.sockname).port

    client = await backend.create_tcp_connection("127.0.0.1", port, local_address=("127.0.0.5", 0))
    server = await listener.accept()

    assert server.extra(INETSocketAttribute.peername).host == "127.0.0.5"
    client.abort()
    server.abort()
    await listener.aclose()


async def test_a_refused_connection_says_so(backend: AsyncBackend) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            await backend.create_tcp_connection("127.0.0.1", unheard.getsockname()[1])


async def test_half_close_leaves_the_other_direction_open(pair: tuple[ByteStream, ByteStream]) -> None:
    client, server = pair
    await client.send(b"question")
    await client.send_eof()

    assert await server.receive(100) == b"question"
    assert await server.receive(100) == b""
    await server.send(b"answer")
    assert await client.receive(100) == b"answer"


async def test_a_reset_is_a_connection_error(pair: tuple[ByteStream, ByteStream]) -> None:
    client, server = pair
    client.abort()

    with pytest.raises(ConnectionResetError):
        await server.receive(100)


async def test_linger_is_zero_only_after_an_abort(backend: SocketBackend) -> None:
    closed: list[tuple[int, int]] = []

    class Spy(socket.socket):
        def close(self) -> None:
            if self.fileno() >= 0:
                closed.append(get_socket_linger(self))
            super().close()

    for end in (SocketStream.aclose, _abort):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        spied = Spy(fileno=ours.detach())
        await end(SocketStream(backend, spied))
        theirs.close()

    assert closed == [(False, 0), (True, 0)]


async def _abort(stream: SocketStream) -> None:
    stream.abort()


async def test_a_cancelled_close_resets_what_could_not_leave(
    backend: AsyncBackend, pair: tuple[ByteStream, ByteStream]
) -> None:
    client, server = pair
    server.extra(INETSocketAttribute.socket).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1_000_000)
    client.extra(INETSocketAttribute.socket).setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await server.send(bytes(500_000))

    with backend.move_on_after(0.05) as scope:
        await server.aclose()

    assert scope.cancelled_caught()
    with pytest.raises(ConnectionResetError):
        while await client.receive(1_000_000):
            pass


async def test_all_bytes_reach_a_late_reader_that_still_sends(backend: AsyncBackend) -> None:
    listener = await TCP(backend).listen()
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)  # before connecting, so that TCP knows the window
    sock.connect(tuple(listener.extra(INETSocketAttribute.sockname)))
    client, server = await backend.wrap_stream_socket(sock), await listener.accept()
    reply = bytes(2_000_001)
    received = 0

    async def chatter() -> None:
        while True:
            await client.send(b"more requests that nobody reads")
            await backend.sleep(0.001)

    async def answer() -> None:
        await server.send(reply)
        await server.aclose()

    async with backend.create_task_group() as tasks:
        talking = await tasks.start(chatter)
        tasks.start_soon(answer)
        await backend.sleep(0.1)
        while received < len(reply) and (data := await client.receive(65536)):
            received += len(data)
        talking.cancel()

    assert received == len(reply)
    client.abort()
    await listener.aclose()


@pytest.mark.parametrize("insist", [True, False])
async def test_tls_tells_a_truncation_from_an_end_if_it_insists_on_the_standard(
    backend: AsyncBackend, client_context: ssl.SSLContext, server_context: ssl.SSLContext, insist: bool
) -> None:
    client, server = await TLS(
        backend,
        client=TLSOptions(context=client_context, standard_compatible=insist),
        server=TLSOptions(context=server_context),
    ).make_pair()
    await server.send(b"half of the tru")
    raw = server.extra(INETSocketAttribute.socket)
    socket_of_server = socket.socket(fileno=socket.dup(raw.fileno()))
    socket_of_server.shutdown(socket.SHUT_WR)  # an end that TLS knows nothing of
    socket_of_server.close()

    assert await client.receive(100) == b"half of the tru"
    if insist:
        with pytest.raises(TruncatedStreamError):
            await client.receive(100)
    else:
        assert await client.receive(100) == b""
    client.abort()
    server.abort()


async def test_a_stalled_handshake_is_cut_at_its_limit(
    backend: AsyncBackend, pair: tuple[ByteStream, ByteStream], server_context: ssl.SSLContext
) -> None:
    _, server = pair
    start = backend.current_time()

    with pytest.raises(TimeoutError):
        await TLSStream.handshake(server, TLSOptions(context=server_context, handshake_timeout=0.1), server_side=True)

    assert 0.09 <= backend.current_time() - start < 0.6
    assert server.is_closing()


async def test_an_unanswered_goodbye_is_cut_at_its_limit(
    backend: AsyncBackend, client_context: ssl.SSLContext, server_context: ssl.SSLContext
) -> None:
    client, server = await TLS(
        backend,
        client=TLSOptions(context=client_context),
        server=TLSOptions(context=server_context, shutdown_timeout=0.1),
    ).make_pair()
    start = backend.current_time()

    await server.aclose()

    assert 0.09 <= backend.current_time() - start < 0.6
    client.abort()


async def test_garbage_for_a_handshake_is_a_tls_error(
    pair: tuple[ByteStream, ByteStream], server_context: ssl.SSLContext
) -> None:
    client, server = pair
    await client.send(b"GET / HTTP/1.1\r\n\r\n")

    with pytest.raises(ssl.SSLError):
        await TLSStream.handshake(server, TLSOptions(context=server_context), server_side=True)


async def test_tls_tells_what_was_agreed(
    backend: AsyncBackend, client_context: ssl.SSLContext, server_context: ssl.SSLContext
) -> None:
    client, server = await TLS(
        backend, client=TLSOptions(context=client_context), server=TLSOptions(context=server_context)
    ).make_pair()

    assert server.extra(TLSAttribute.tls_version) == "TLSv1.3"
    assert server.extra(TLSAttribute.sslcontext) is server_context
    assert client.extra(TLSAttribute.peercert)
    assert client.extra(TLSAttribute.standard_compatible) is True
    assert client.extra(INETSocketAttribute.peername) == server.extra(INETSocketAttribute.sockname)
    client.abort()
    server.abort()


def test_struct_linger_is_what_the_kernel_has() -> None:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        assert get_socket_linger(sock) == (True, 0)
