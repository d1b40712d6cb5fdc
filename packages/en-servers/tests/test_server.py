# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import contextvars
import logging
import socket
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any

import pytest
import trio
import trio.testing

from easynetwork.exceptions import BusyResourceError, ServerAlreadyRunning, ServerClosedError
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.socket import INETSocketAttribute, IPv4SocketAddress
from easynetwork.lowlevel.streams import ByteStream, StreamListener
from easynetwork.lowlevel.testing import MemoryBackend
from easynetwork.protocol import StreamProtocol
from easynetwork.servers.engine.server import BaseAsyncNetworkServer
from easynetwork.servers.engine.settings import PeerAttributes
from easynetwork.servers.engine.stream_service import StreamService
from easynetwork.servers.handlers import AsyncStreamRequestHandler, INETClientAttribute

from .serving import PORT, Echo, LineClient, Requests, Server, ask, connect, running, stream_settings

pytestmark = pytest.mark.anyio

OpenListeners = Callable[[], Awaitable[Sequence[StreamListener]]]
MakeServer = Callable[..., Server]

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


@pytest.fixture
def make_server(backend: MemoryBackend, lines: StreamProtocol[str, str], logger: logging.Logger) -> MakeServer:
    """Makes a server of lines at port 9000 of the memory network."""

    async def listen() -> Sequence[StreamListener]:
        return await backend.create_tcp_listeners("127.0.0.1", PORT, 10)

    def make_server(
        handler: AsyncStreamRequestHandler[str, str] | None = None, open_listeners: OpenListeners = listen
    ) -> Server:
        settings = stream_settings(
            backend,
            handler or Echo(),
            describe_peer=describe_peer,
            protocol=lines,
            logger=logger,
            max_recv_size=1024,
        )
        return BaseAsyncNetworkServer(backend, StreamService(settings), open_listeners, logger)

    return make_server


def describe_peer(stream: ByteStream) -> tuple[object, PeerAttributes]:
    address = stream.extra(INETSocketAttribute.peername)
    return address, lambda: {INETClientAttribute.remote_address: lambda: address}


async def ends(peer: ByteStream) -> bool:
    try:
        return await peer.receive(1000) == b""
    except ConnectionResetError:
        return True


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


# opening and closing


async def test_a_server_listens_between_activation_and_closing(make_server: MakeServer) -> None:
    server = make_server()
    assert not server.is_listening()
    assert server.get_addresses() == ()
    assert server.get_sockets() == ()

    await server.server_activate()
    await server.server_activate()
    assert server.is_listening()
    assert not server.is_serving()
    assert server.get_addresses() == (IPv4SocketAddress("127.0.0.1", PORT),)
    (view,) = server.get_sockets()
    assert view.getsockname() == ("127.0.0.1", PORT)
    view.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    await server.server_close()
    await server.server_close()
    assert not server.is_listening()
    assert server.get_addresses() == ()
    assert server.get_sockets() == ()


async def test_a_closed_server_stays_closed(make_server: MakeServer) -> None:
    server = make_server()
    async with server:
        assert server.is_listening()

    with pytest.raises(ServerClosedError):
        await server.server_activate()
    with pytest.raises(ServerClosedError):
        await server.serve_forever()
    with pytest.raises(ConnectionRefusedError):
        await connect(server)


async def test_a_server_that_cannot_bind_can_try_again(make_server: MakeServer) -> None:
    first, second = make_server(), make_server()
    async with first:
        with pytest.raises(OSError, match=str(PORT)):
            await second.server_activate()
        assert not second.is_listening()

    async with second:
        assert second.is_listening()


async def test_closing_ends_an_activation_that_waits(make_server: MakeServer, backend: MemoryBackend) -> None:
    async def never() -> Sequence[StreamListener]:
        await backend.sleep_forever()
        raise AssertionError("unreachable")

    server = make_server(open_listeners=never)

    async def activate() -> None:
        with pytest.raises(ServerClosedError):
            await server.server_activate()

    async with backend.create_task_group() as tasks:
        await tasks.start(activate)
        await backend.coro_yield()
        await server.server_close()


async def test_listeners_that_come_too_late_are_closed(make_server: MakeServer, backend: MemoryBackend) -> None:
    opened: list[StreamListener] = []

    async def stubborn() -> Sequence[StreamListener]:
        async def open_late() -> None:
            await backend.coro_yield()
            await server.server_close()
            opened.extend(await backend.create_tcp_listeners("127.0.0.1", PORT, 10))

        await backend.ignore_cancellation(open_late())
        return opened

    server = make_server(open_listeners=stubborn)
    with pytest.raises(ServerClosedError):
        await server.server_activate()

    assert [listener.is_closing() for listener in opened] == [True]


async def test_a_server_that_is_forgotten_open_warns(make_server: MakeServer) -> None:
    servers = [make_server()]
    await servers[0].server_activate()

    with pytest.warns(ResourceWarning, match="unclosed server"):
        servers.clear()


# serving


async def test_serving_says_what_it_does(make_server: MakeServer, caplog: pytest.LogCaptureFixture) -> None:
    server = make_server()
    async with running(server):
        assert server.is_listening()
        assert server.is_serving()
        peer = await connect(server)
        assert await ask(peer, "x") == "x"

    assert not server.is_serving()
    assert await ends(peer)
    said = messages(caplog)
    assert said[0] == f"Start serving at ('127.0.0.1', {PORT})"
    assert said[1].startswith("Accepted new connection (address = ('127.0.0.1', ")
    goodbye, loop_break = sorted(said[2:-1])  # shutting down ends accepting and clients at the same time
    assert goodbye.endswith("disconnected (cancelled)")
    assert loop_break == "Server loop break, waiting for remaining tasks..."
    assert said[-1] == "Server stopped"


async def test_a_server_serves_in_one_task_at_a_time(make_server: MakeServer) -> None:
    server = make_server()
    async with running(server):
        with pytest.raises(ServerAlreadyRunning):
            await server.serve_forever()


async def test_a_server_can_serve_again(make_server: MakeServer, backend: MemoryBackend) -> None:
    server = make_server()
    async with server:
        for _ in range(2):
            is_up = backend.create_event()
            async with backend.create_task_group() as tasks:
                task = await tasks.start(_serve, server, is_up)
                await is_up.wait()
                assert await ask(await connect(server), "x") == "x"
                await server.shutdown()
                await task.join()


async def _serve(server: Server, is_up: Any) -> None:
    await server.serve_forever(is_up_event=is_up)


async def test_closing_leaves_the_clients_until_they_are_done(make_server: MakeServer, backend: MemoryBackend) -> None:
    server = make_server()
    is_up = backend.create_event()
    async with backend.create_task_group() as tasks:
        serving = await tasks.start(_serve, server, is_up)
        await is_up.wait()
        peer = await connect(server)
        assert await ask(peer, "one") == "one"
        await server.server_close()

        assert not server.is_serving()
        with pytest.raises(ConnectionRefusedError):
            await connect(server)
        assert await ask(peer, "two") == "two"
        assert not serving.done()
        await peer.send_eof()
        await serving.join()


async def test_a_handler_can_close_the_server(make_server: MakeServer, backend: MemoryBackend) -> None:
    class Closing(Echo):
        async def handle(self, client: LineClient) -> Requests:
            request = yield None
            await server.server_close()
            await client.send_packet(request)
            await client.aclose()

    server = make_server(Closing())
    is_up = backend.create_event()
    async with backend.create_task_group() as tasks:
        serving = await tasks.start(_serve, server, is_up)
        await is_up.wait()
        assert await ask(await connect(server), "x") == "x"
        await serving.join()


async def test_a_server_without_clients_stops_when_it_is_closed(
    make_server: MakeServer, backend: MemoryBackend
) -> None:
    server = make_server()
    is_up = backend.create_event()
    async with backend.create_task_group() as tasks:
        serving = await tasks.start(_serve, server, is_up)
        await is_up.wait()
        await server.server_close()
        await serving.join()


# shutting down


async def test_shutting_down_cancels_clients_and_waits_for_them(
    make_server: MakeServer, backend: MemoryBackend
) -> None:
    events: list[str] = []

    class Slow(Echo):
        async def on_disconnection(self, client: LineClient) -> None:
            async def take_time() -> None:
                for _ in range(5):
                    await backend.coro_yield()
                events.append("gone")

            await backend.ignore_cancellation(take_time())

    server = make_server(Slow())
    async with running(server):
        peers = [await connect(server) for _ in range(3)]
        assert [await ask(peer, "x") for peer in peers] == ["x"] * 3
        async with backend.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(server.shutdown)
        assert events == ["gone"] * 3
        assert server.is_listening()
        assert not server.is_serving()


async def test_a_server_that_does_not_run_is_shut_down_at_once(make_server: MakeServer) -> None:
    server = make_server()
    await server.shutdown()
    async with server:
        await server.shutdown()


async def test_shutting_down_ends_the_setting_up(make_server: MakeServer, backend: MemoryBackend) -> None:
    begun = backend.create_event()

    class Stuck(Echo):
        async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any) -> None:
            begun.set()
            await backend.sleep_forever()

    server = make_server(Stuck())
    is_up = backend.create_event()
    async with server, backend.create_task_group() as tasks:
        serving = await tasks.start(_serve, server, is_up)
        await begun.wait()
        with pytest.raises(BusyResourceError):
            await server.server_close()
        await server.shutdown()
        await serving.join()
    assert not is_up.is_set()


async def test_a_shutdown_that_is_cancelled_goes_on(make_server: MakeServer, backend: MemoryBackend) -> None:
    server = make_server()
    is_up = backend.create_event()
    async with server, backend.create_task_group() as tasks:
        serving = await tasks.start(_serve, server, is_up)
        await is_up.wait()
        with backend.move_on_after(0):
            await server.shutdown()
        await serving.join()


async def test_cancelling_the_serving_ends_the_clients(make_server: MakeServer, backend: MemoryBackend) -> None:
    events: list[str] = []

    class Saying(Echo):
        async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any) -> None:
            exit_stack.callback(events.append, "undone")

        async def on_disconnection(self, client: LineClient) -> None:
            events.append("gone")

    server = make_server(Saying())
    is_up = backend.create_event()
    async with server, backend.create_task_group() as tasks:
        serving = await tasks.start(_serve, server, is_up)
        await is_up.wait()
        assert await ask(await connect(server), "x") == "x"
        serving.cancel()
        await serving.wait()
        assert serving.cancelled()
        assert not server.is_serving()
    assert events == ["gone", "undone"]


async def test_cancelling_the_serving_ends_a_handler_that_swallows_its_cancellation(
    make_server: MakeServer, backend: MemoryBackend
) -> None:
    caught: list[type[BaseException]] = []

    class Stubborn(Echo):
        async def handle(self, client: LineClient) -> Requests:
            while len(caught) < 100:  # enough to see that there is no end to it
                try:
                    await client.send_packet((yield None))
                except BaseException as exc:
                    caught.append(type(exc))
                    if isinstance(exc, GeneratorExit):
                        raise

    server = make_server(Stubborn())
    is_up = backend.create_event()
    async with server, backend.create_task_group() as tasks:
        serving = await tasks.start(_serve, server, is_up)
        await is_up.wait()
        assert await ask(await connect(server), "x") == "x"
        serving.cancel()
        await serving.wait()
    assert len(caught) < 10
    assert caught[-1] is GeneratorExit, "its next `yield` is the end"


# the service


async def test_the_service_begins_before_and_ends_after_all_clients(
    make_server: MakeServer, backend: MemoryBackend
) -> None:
    events: list[str] = []

    class Service(Echo):
        async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any) -> None:
            assert server.get_addresses()
            assert not server.is_serving()
            events.append("begin")
            exit_stack.push_async_callback(self.end)
            variable.set("by the service")

        async def end(self) -> None:
            await backend.sleep(0.01)
            events.append("end")

        async def on_connection(self, client: LineClient) -> None:
            events.append(f"client sees what was set {variable.get()}")

        async def on_disconnection(self, client: LineClient) -> None:
            events.append("client gone")

    server = make_server(Service())
    async with running(server):
        assert await ask(await connect(server), "x") == "x"

    assert events == ["begin", "client sees what was set by the service", "client gone", "end"]


@pytest.mark.parametrize("ends_by", ["shutdown", "close"])
async def test_what_the_service_runs_is_ended_and_may_clean_up(
    make_server: MakeServer, backend: MemoryBackend, ends_by: str
) -> None:
    """One task group inside the other, on the stack and inside of one context manager."""
    events: list[str] = []

    async def work(name: str) -> None:
        try:
            await backend.sleep_forever()
        finally:
            events.append(f"{name} stopped")

    @contextlib.asynccontextmanager
    async def two_groups() -> AsyncGenerator[None]:
        async with backend.create_task_group() as outer, backend.create_task_group() as inner:
            outer.start_soon(work, "outer")
            inner.start_soon(work, "inner")
            await backend.coro_yield()
            try:
                yield
            finally:
                await backend.coro_yield()
                events.append("clean")

    class Service(Echo):
        async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any) -> None:
            exit_stack.push_async_callback(self.clean_up)
            ours = await exit_stack.enter_async_context(server.backend().create_task_group())
            ours.start_soon(work, "ours")
            await exit_stack.enter_async_context(two_groups())
            exit_stack.push_async_callback(self.clean_up)

        async def clean_up(self) -> None:
            await backend.sleep(0.01)
            events.append("clean")

    server = make_server(Service())
    async with running(server):
        assert await ask(await connect(server), "x") == "x"
        if ends_by == "close":
            await server.server_close()

    assert events == ["clean", "clean", "inner stopped", "outer stopped", "ours stopped", "clean"]


@pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
async def test_nurseries_of_trio_are_ended(make_server: MakeServer) -> None:
    stopped: list[str] = []

    async def work(name: str) -> None:
        try:
            await trio.sleep_forever()
        finally:
            stopped.append(name)

    class Service(Echo):
        async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any) -> None:
            for name in ("outer", "inner"):
                nursery = await exit_stack.enter_async_context(trio.open_nursery())
                nursery.start_soon(work, name)

    async with running(make_server(Service())):
        await trio.testing.wait_all_tasks_blocked()

    assert stopped == ["inner", "outer"]


async def test_an_error_of_the_service_comes_out_alone(make_server: MakeServer, backend: MemoryBackend) -> None:
    class Service(Echo):
        async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any) -> None:
            group = await exit_stack.enter_async_context(backend.create_task_group())
            group.start_soon(self.work)

        async def work(self) -> None:
            try:
                await backend.sleep_forever()
            finally:
                raise LookupError("mine")

    server = make_server(Service())
    is_up = backend.create_event()
    async with server, backend.create_task_group() as tasks:

        async def serve() -> None:
            with pytest.raises(ExceptionGroup) as caught:
                await server.serve_forever(is_up_event=is_up)
            assert caught.group_contains(LookupError, match="mine")
            assert caught.value.split(LookupError)[1] is None

        tasks.start_soon(serve)
        await is_up.wait()
        await backend.coro_yield()
        await server.shutdown()


async def test_a_service_that_cannot_begin_can_try_again(make_server: MakeServer) -> None:
    undone: list[int] = []

    class Failing(Echo):
        attempts = 0

        async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any) -> None:
            self.attempts += 1
            exit_stack.callback(undone.append, self.attempts)
            if self.attempts == 1:
                raise LookupError("no database")

    server = make_server(Failing())
    with pytest.raises(LookupError, match="no database"):
        await server.serve_forever()
    assert undone == [1]

    async with running(server):
        assert await ask(await connect(server), "x") == "x"
    assert undone == [1, 2]


async def test_the_service_gets_a_weak_reference(make_server: MakeServer) -> None:
    proxies: list[Any] = []

    class Keeping(Echo):
        async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any) -> None:
            proxies.append(server)

    server = make_server(Keeping())
    async with running(server):
        assert proxies[0].get_addresses() == server.get_addresses()
        assert isinstance(proxies[0], weakref.ProxyType)


async def test_the_backend_and_the_logger_are_the_given_ones(
    make_server: MakeServer, backend: AsyncBackend, logger: logging.Logger
) -> None:
    server = make_server()

    assert server.backend() is backend
    assert server.logger is logger
