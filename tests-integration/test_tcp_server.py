# SPDX-License-Identifier: Apache-2.0
"""The life of a server: opening, serving, closing, and what the log says of it."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import ssl
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest
from loops import on_asyncio
from running_server import running, start
from tcp_peers import connected, line_protocol, line_server, serving

from easynetwork.exceptions import BusyResourceError, ServerAlreadyRunning, ServerClosedError
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.api_async.backend.utils import new_builtin_backend
from easynetwork.lowlevel.socket import IPv4SocketAddress, SocketProxy
from easynetwork.protocol import DatagramProtocol, StreamProtocol
from easynetwork.serializers import JSONSerializer, StringLineSerializer
from easynetwork.servers import AsyncTCPNetworkServer
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler

pytestmark = pytest.mark.anyio


class Echo(AsyncStreamRequestHandler[str, str]):
    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
        request = yield
        await client.send_packet(request)


async def test_a_server_listens_between_activation_and_closing() -> None:
    server = line_server(Echo())
    assert not server.is_listening()
    assert (server.get_addresses(), server.get_sockets()) == ((), ())

    async with server:
        await server.server_activate()
        assert server.is_listening()
        assert not server.is_serving()
        (address,) = server.get_addresses()
        (sock,) = server.get_sockets()
        assert isinstance(address, IPv4SocketAddress)
        assert isinstance(sock, SocketProxy)
        assert sock.getsockname() == tuple(address)

    assert not server.is_listening()
    assert (server.get_addresses(), server.get_sockets()) == ((), ())


async def test_activation_may_happen_in_several_tasks_at_once() -> None:
    server = line_server(Echo())

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(server.server_activate)

    assert len(server.get_addresses()) == 1
    await server.server_close()


async def test_a_closed_server_stays_closed() -> None:
    server = line_server(Echo())
    await server.server_close()
    await server.server_close()

    with pytest.raises(ServerClosedError):
        await server.server_activate()
    with pytest.raises(ServerClosedError):
        await server.serve_forever()


async def test_a_server_runs_once_at_a_time() -> None:
    server = line_server(Echo())

    async with running(server):
        assert server.is_serving()
        with pytest.raises(ServerAlreadyRunning):
            await server.serve_forever()


async def test_a_server_may_serve_again_after_shutdown() -> None:
    server = line_server(Echo())

    async with server:
        for _ in range(2):
            async with anyio.create_task_group() as tasks:
                await start(server, tasks)
                async with connected(server) as peer:
                    assert await peer.ask("x") == "x"
                    await server.shutdown()
                    assert await peer.is_closed()
            assert server.is_listening()
            assert not server.is_serving()


async def test_shutdown_may_be_called_by_many_and_without_need() -> None:
    server = line_server(Echo())
    await server.shutdown()

    async with running(server), anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(server.shutdown)

    await server.shutdown()


async def test_shutdown_by_a_handler_ends_the_server() -> None:
    class Quitting(Echo):
        async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
            yield
            await server.shutdown()

    server = line_server(Quitting())
    async with server, anyio.create_task_group() as tasks:
        await start(server, tasks)
        async with connected(server) as peer:
            await peer.send("quit")
            assert await peer.is_closed()


async def test_closing_leaves_connected_clients_until_they_are_done() -> None:
    server = line_server(Echo())

    async with anyio.create_task_group() as tasks:
        await start(server, tasks)
        port = server.get_addresses()[0].port
        async with connected(server) as peer:
            assert await peer.ask("before") == "before"
            await server.server_close()
            assert not server.is_listening()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))
            assert await peer.ask("after") == "after"
    # serve_forever() has returned, because the last client is gone


async def test_closing_by_a_handler_is_closing() -> None:
    class Closing(Echo):
        async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
            request = yield
            await server.server_close()
            await client.send_packet(request)
            await client.aclose()

    server = line_server(Closing())
    async with anyio.create_task_group() as tasks:
        await start(server, tasks)
        async with connected(server) as peer:
            assert await peer.ask("x") == "x"


async def test_closing_during_the_set_up_is_refused() -> None:
    refused: list[BaseException] = []

    class Early(Echo):
        async def service_init(self, exit_stack: Any, server: Any) -> None:
            assert not server.is_serving()
            try:
                await server.server_close()
            except BusyResourceError as exc:
                refused.append(exc)

    async with running(line_server(Early())):
        pass

    assert len(refused) == 1


async def test_closing_ends_an_activation_that_waits(monkeypatch: pytest.MonkeyPatch, backend: AsyncBackend) -> None:
    asked = anyio.Event()

    async def never_resolves(*args: Any, **kwargs: Any) -> Any:
        asked.set()
        await anyio.sleep_forever()

    server = line_server(Echo(), backend=backend)
    monkeypatch.setattr(backend, "getaddrinfo", never_resolves)
    async with anyio.create_task_group() as tasks:

        async def activate() -> None:
            with pytest.raises(ServerClosedError):
                await server.server_activate()

        tasks.start_soon(activate)
        await asked.wait()
        await server.server_close()


async def test_service_init_that_fails_leaves_the_server_able_to_try_again() -> None:
    class Failing(Echo):
        attempts = 0

        async def service_init(self, exit_stack: Any, server: Any) -> None:
            exit_stack.callback(undone.append, True)
            self.attempts += 1
            if self.attempts == 1:
                raise LookupError("no database")

    undone: list[bool] = []
    server = line_server(Failing())
    async with server:
        with pytest.raises(LookupError):
            await server.serve_forever()
        assert undone == [True]
        async with running(server), connected(server) as peer:
            assert await peer.ask("x") == "x"


async def test_service_init_gets_a_weak_reference() -> None:
    proxies: list[Any] = []

    class Keeping(Echo):
        async def service_init(self, exit_stack: Any, server: Any) -> None:
            proxies.append(server)

    server = line_server(Keeping())
    async with running(server):
        assert proxies[0].get_addresses() == server.get_addresses()
    del server
    gc.collect()

    with pytest.raises(ReferenceError):
        proxies[0].get_addresses()


async def test_cancelling_serve_forever_ends_its_clients() -> None:
    server = line_server(Echo())

    async with server, anyio.create_task_group() as tasks:
        await start(server, tasks)
        async with connected(server) as peer:
            await peer.ask("x")
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                assert await peer.is_closed()


@on_asyncio
async def test_a_server_in_an_asyncio_task_ends_with_the_task() -> None:
    server = line_server(Echo())

    async with server:
        is_up = asyncio.Event()
        task = asyncio.create_task(server.serve_forever(is_up_event=is_up))
        await is_up.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert task.cancelled()


async def test_a_server_that_is_collected_open_warns() -> None:
    server = line_server(Echo())
    await server.server_activate()
    listeners = server._listeners  # pyright: ignore[reportPrivateUsage]  # to close what the collected server cannot

    with pytest.warns(ResourceWarning, match="unclosed server"):
        del server
    for listener in listeners:
        await listener.aclose()


async def test_one_server_may_serve_several_addresses() -> None:
    server: AsyncTCPNetworkServer[str, str] = AsyncTCPNetworkServer(
        ["127.0.0.1", "127.0.0.2"], 0, line_protocol(), Echo()
    )

    async with running(server):
        first, second = server.get_addresses()
        assert (first.host, second.host) == ("127.0.0.1", "127.0.0.2")
        for address in (first, second):
            stream = await anyio.connect_tcp(address.host, address.port)
            await stream.send(b"x\n")
            assert await stream.receive() == b"x\n"
            await stream.aclose()


async def test_all_interfaces_are_dual_stack() -> None:
    server: AsyncTCPNetworkServer[str, str] = AsyncTCPNetworkServer(None, 0, line_protocol(), Echo())

    async with running(server):
        for address in server.get_addresses():
            async with await anyio.connect_tcp(*address.for_connection()) as stream:
                await stream.send(b"x\n")
                assert await stream.receive() == b"x\n"


async def test_reuse_port_lets_two_servers_share() -> None:
    first = line_server(Echo(), reuse_port=True)
    await first.server_activate()
    port = first.get_addresses()[0].port
    second: AsyncTCPNetworkServer[str, str] = AsyncTCPNetworkServer(
        "127.0.0.1", port, line_protocol(), Echo(), reuse_port=True
    )

    await second.server_activate()
    await first.server_close()
    await second.server_close()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"protocol": JSONSerializer()}, TypeError, "protocol"),
        ({"protocol": DatagramProtocol(JSONSerializer())}, TypeError, "protocol"),
        ({"request_handler": object()}, TypeError, "request_handler"),
        ({"host": 5}, TypeError, "host"),
        ({"host": []}, ValueError, "host"),
        ({"port": "80"}, TypeError, "port"),
        ({"port": 65536}, ValueError, "port"),
        ({"backlog": 0}, ValueError, "backlog"),
        ({"max_recv_size": 0}, ValueError, "max_recv_size"),
        ({"max_recv_size": 1.5}, TypeError, "max_recv_size"),
        ({"ssl": True}, TypeError, "ssl"),
        ({"ssl_handshake_timeout": 1}, ValueError, "ssl_handshake_timeout"),
        ({"ssl_shutdown_timeout": 1}, ValueError, "ssl_shutdown_timeout"),
        ({"ssl_standard_compatible": False}, ValueError, "ssl_standard_compatible"),
        ({"ssl": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "ssl_handshake_timeout": 0}, ValueError, "ssl_handshake"),
        ({"backend": 5}, TypeError, "backend"),
        ({"backend": "twisted"}, ValueError, "twisted"),
    ],
)
async def test_wrong_arguments_are_named(options: dict[str, Any], error: type[Exception], message: str) -> None:
    arguments: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": 0,
        "protocol": StreamProtocol(StringLineSerializer()),
        "request_handler": Echo(),
    }

    with pytest.raises(error, match=message):
        AsyncTCPNetworkServer(**(arguments | options))


async def test_the_log_tells_the_life_of_a_server(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "easynetwork")

    async with serving(Echo()) as (server, peer):
        local = peer.stream.extra(anyio.abc.SocketAttribute.local_address)
        await peer.ask("x")
        address = server.get_addresses()[0]

    logged = [(r.name, r.levelname, r.getMessage()) for r in caplog.records if r.name.startswith("easynetwork")]
    name = "easynetwork.servers.async_tcp"
    assert logged[0] == (name, "INFO", f"Start serving at {address}")
    assert (name, "INFO", f"Accepted new connection (address = {local})") == logged[1]
    assert (name, "INFO", f"{local} disconnected") in logged
    assert (name, "INFO", "Server loop break, waiting for remaining tasks...") in logged
    assert logged[-1] == (name, "INFO", "Server stopped")


async def test_the_log_of_connections_can_be_quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logger = logging.getLogger("mine")

    async with serving(Echo(), log_client_connection=False, logger=logger) as (server, peer):
        assert server.logger is logger
        await peer.ask("x")

    levels = {r.getMessage().split()[0]: r.levelname for r in caplog.records if r.name == "mine"}
    assert levels["Accepted"] == "DEBUG"
    assert levels["Start"] == "INFO"


class Raising(Echo):
    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.disconnected = anyio.Event()

    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
        yield
        raise self.error

    async def on_disconnection(self, client: AsyncStreamClient[str]) -> None:
        self.disconnected.set()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionResetError(), []),
        (LookupError(), [("ERROR", "Exception occurred")]),
        (ExceptionGroup("both", [ConnectionResetError(), LookupError()]), [("ERROR", "Exception occurred")]),
        (ExceptionGroup("lost", [ConnectionResetError()]), []),
    ],
)
async def test_errors_out_of_a_handler_are_sorted(
    error: Exception, expected: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    handler = Raising(error)

    async with serving(handler) as (_, peer):
        await peer.send("x")
        await handler.disconnected.wait()
        assert await peer.is_closed()

    logged = [(r.levelname, r.getMessage()[:18]) for r in caplog.records if r.levelno >= logging.WARNING]
    assert logged == expected


async def test_the_use_of_a_closed_client_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    gone = anyio.Event()

    class Late(Echo):
        async def on_disconnection(self, client: AsyncStreamClient[str]) -> None:
            gone.set()

        async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
            yield
            await client.aclose()
            await client.send_packet("too late")

    async with serving(Late()) as (_, peer):
        await peer.send("x")
        await gone.wait()

    (record,) = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith("There have been attempts to do operation on closed client (")


async def test_a_connection_error_in_on_disconnection_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    class Last(Echo):
        async def on_disconnection(self, client: AsyncStreamClient[str]) -> None:
            raise ConnectionResetError

    async with serving(Last()) as (_, peer):
        await peer.ask("x")

    (record,) = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert record.levelname == "WARNING"
    assert record.getMessage() == "ConnectionError raised in request_handler.on_disconnection()"


async def test_other_errors_in_on_disconnection_are_errors_and_hurt_nobody(caplog: pytest.LogCaptureFixture) -> None:
    class Last(Echo):
        async def on_disconnection(self, client: AsyncStreamClient[str]) -> None:
            raise LookupError

    server = line_server(Last())
    async with running(server), connected(server) as good:
        async with connected(server) as peer:
            await peer.ask("x")
        assert await good.ask("still here") == "still here"

    assert {r.levelname for r in caplog.records if r.levelno >= logging.WARNING} == {"ERROR"}


async def test_exactly_the_accepted_sockets_have_no_delay(backend: AsyncBackend) -> None:
    class Options(Echo):
        async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
            from easynetwork.servers.handlers import INETClientAttribute

            sock = client.extra(INETClientAttribute.socket)
            yield
            no_delay = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            keep_alive = sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            await client.send_packet(f"{bool(no_delay)} {bool(keep_alive)}")

    async with serving(Options()) as (_, peer):
        assert await peer.ask("x") == "True True"


def test_without_an_event_loop_a_backend_must_be_named() -> None:
    with pytest.raises(RuntimeError, match="backend"):
        line_server(Echo())


@pytest.mark.parametrize("name", ["asyncio", "trio"])
def test_bootstrap_runs_a_whole_program(name: str) -> None:
    async def program() -> str:
        async with serving(Echo()) as (_, peer):
            return await peer.ask("hello")

    assert new_builtin_backend(name).bootstrap(program) == "hello"
