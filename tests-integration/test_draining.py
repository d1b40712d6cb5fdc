# SPDX-License-Identifier: Apache-2.0
"""Servers that end when their handlers have finished: over real sockets, of all kinds."""

from __future__ import annotations

import functools
import resource
import ssl
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack
from pathlib import Path

import anyio
import pytest
from datagram_peers import SocketPeer
from running_server import PATIENCE, running, serving
from server_kinds import Client, Echo, Kind
from tcp_peers import connected, line_server

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.servers.options import ServerLimits, ServerTimeouts
from easynetwork.servers.statistics import CloseReason


class Worker(Echo):
    """Tells that it has a request, and answers when the test lets it."""

    def __init__(self, backend: AsyncBackend) -> None:
        self.at_work = backend.create_event()
        self.go_on = backend.create_event()
        self.closed = 0

    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        request = yield
        if request == "work":
            self.at_work.set()
            await self.go_on.wait()
        await client.send_packet(request)
        try:
            yield
        except GeneratorExit:
            self.closed += 1
            raise
        raise AssertionError("there was no other request")


@pytest.mark.anyio
async def test_handlers_finish_their_requests_and_those_who_wait_are_told_the_end(
    kind: Kind, backend: AsyncBackend
) -> None:
    handler = Worker(backend)
    server = kind.server(handler)
    async with running(server) as tasks:
        with kind.peer(server) as idle, kind.peer(server) as busy:
            assert await idle.ask("hello") == "hello"
            busy.send("work")
            await handler.at_work.wait()
            tasks.start_soon(functools.partial(server.shutdown, drain=PATIENCE))
            while handler.closed < 1:
                await backend.coro_yield()
            assert server.is_draining()
            assert not server.is_serving()

            handler.go_on.set()
            assert await busy.receive() == "work"
            while server.is_draining():
                await backend.coro_yield()
            assert handler.closed == 2
            if kind.is_stream:
                for peer in (idle, busy):
                    with pytest.raises(EOFError):
                        await peer.receive()
                assert server.statistics().closed == {CloseReason.DRAINING: 2}


@pytest.mark.anyio
async def test_requests_of_datagram_peers_that_have_come_are_handled(kind: Kind, backend: AsyncBackend) -> None:
    class Slow(Worker):
        async def handle(self, client: Client) -> AsyncGenerator[None, str]:
            request = yield
            self.at_work.set()
            await self.go_on.wait()
            await client.send_packet(request)

    if kind.is_stream:
        return  # the requests of a stream that were not begun are left to the next server
    handler = Slow(backend)
    server = kind.server(handler)
    async with running(server) as tasks:
        with kind.peer(server) as peer:
            peer.send("one", "two", "three")
            await handler.at_work.wait()
            while server.statistics().packets_received < 3:
                await backend.coro_yield()
            tasks.start_soon(functools.partial(server.shutdown, drain=PATIENCE))
            while not server.is_draining():
                await backend.coro_yield()
            handler.go_on.set()
            assert [await peer.receive() for _ in range(3)] == ["one", "two", "three"]


QUEUE = 700
"""Connections in the kernel's queue: more than the default backlog."""

SOMAXCONN = Path("/proc/sys/net/core/somaxconn")


@pytest.fixture
def _descriptors_for_both_ends() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * QUEUE + 100
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"{needed} descriptors are needed, and {hard} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["tcp", "unix_stream"], indirect=True)
@pytest.mark.skipif(
    not SOMAXCONN.exists() or int(SOMAXCONN.read_text()) <= QUEUE, reason="the kernel's queue is too short"
)
@pytest.mark.usefixtures("_descriptors_for_both_ends")
async def test_no_connection_in_the_queue_of_the_listener_is_reset(kind: Kind) -> None:
    async with running(server := kind.server(backlog=2000)):
        with ExitStack() as stack:
            # No wait from here on: the server has no turn in which it could accept.
            peers = [stack.enter_context(kind.peer(server)) for _ in range(QUEUE)]
            for peer in peers:
                peer.send("hello")
            await server.shutdown(drain=PATIENCE)

            endings = Counter([ending_of(peer) for peer in peers])
    assert endings.keys() <= {b"", b"hello\n"}


def ending_of(peer: SocketPeer) -> bytes | str:
    """What has come before the orderly end, or how else the connection ended."""
    received = b""
    try:
        while data := peer.sock.recv(1000):
            received += data
    except OSError as exc:
        return type(exc).__name__
    return received


@pytest.mark.anyio
async def test_tls_session_is_ended_in_order(
    backend: AsyncBackend, server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    server = line_server(Echo(), ssl=server_context)
    async with running(server) as tasks, connected(server, client_context) as peer:
        assert await peer.ask("hello") == "hello"
        tasks.start_soon(functools.partial(server.shutdown, drain=PATIENCE))
        with pytest.raises(anyio.EndOfStream):  # with close_notify: anything else would be a BrokenResourceError
            await peer.stream.receive()
        await peer.stream.aclose()
        while server.is_draining():
            await backend.coro_yield()
    assert server.statistics().closed == {CloseReason.DRAINING: 1}


# standalone servers


class Blocked(Echo):
    """Works in a thread until the test has it go on."""

    def __init__(self) -> None:
        self.at_work, self.go_on = threading.Event(), threading.Event()

    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        request = yield
        if request == "work":
            self.at_work.set()
            await client.backend().run_in_thread(self.go_on.wait, PATIENCE)
        await client.send_packet(request)


@pytest.mark.parametrize("backend_name", ["asyncio", "trio"])
def test_standalone_server_drains_for_another_thread(kind: Kind, backend_name: str) -> None:
    handler = Blocked()
    with kind.standalone(handler, backend=backend_name) as server, serving(server) as thread, ExitStack() as stack:
        busy = stack.enter_context(kind.blocking_client(server))
        busy.send_packet("work")
        assert handler.at_work.wait(PATIENCE)
        server.shutdown(0, drain=PATIENCE)
        assert thread.is_alive()
        handler.go_on.set()
        assert busy.recv_packet(timeout=PATIENCE) == "work"
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert server.statistics().packets_sent == 1, "of the run that is over"


@pytest.mark.parametrize("backend_name", ["asyncio", "trio"])
def test_limits_of_a_standalone_server_can_be_set_by_any_thread(kind: Kind, backend_name: str) -> None:
    server = kind.standalone(backend=backend_name, limits=ServerLimits(max_connections=1), timeouts=ServerTimeouts())
    with server, serving(server), ExitStack() as stack:
        first, second = (stack.enter_context(kind.blocking_client(server)) for _ in range(2))
        first.send_packet("1")
        assert first.recv_packet(timeout=PATIENCE) == "1"
        second.send_packet("2")
        server.limits = ServerLimits()
        assert second.recv_packet(timeout=PATIENCE) == "2"
        assert server.limits == ServerLimits()
        assert server.statistics().packets_received == 2
