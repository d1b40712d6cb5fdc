# SPDX-License-Identifier: Apache-2.0
"""What TCP has of its own in the life of a server; the rules of all servers are in
test_server_lifecycle.py.
"""

from __future__ import annotations

import logging
import socket
import ssl
import warnings
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest
from datagram_peers import tcp_peer
from running_server import running, start, until
from tcp_peers import connected, line_protocol, line_server, serving

from easynetwork.exceptions import ServerClosedError
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.api_async.backend.utils import new_builtin_backend
from easynetwork.lowlevel.socket import enable_socket_linger
from easynetwork.servers import AsyncTCPNetworkServer
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler
from easynetwork.servers.statistics import CloseReason

pytestmark = pytest.mark.anyio


class Echo(AsyncStreamRequestHandler[str, str]):
    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
        request = yield
        await client.send_packet(request)


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


async def test_cancelling_serve_forever_ends_its_clients() -> None:
    server = line_server(Echo())

    async with server, anyio.create_task_group() as tasks:
        await start(server, tasks)
        async with connected(server) as peer:
            await peer.ask("x")
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                assert await peer.is_closed()


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
    ending = f"{local} disconnected ({{}})"  # the server's end and the peer's race
    assert {(name, "INFO", ending.format(reason)) for reason in ("peer ended", "cancelled")} & set(logged)
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


@pytest.mark.parametrize("says", [b"hello\n", b""])
async def test_handshake_that_fails_is_counted(server_context: ssl.SSLContext, says: bytes) -> None:
    server = line_server(Echo(), ssl=server_context)

    async with running(server):
        with tcp_peer(server) as peer:
            peer.sock.sendall(says)
            peer.sock.shutdown(socket.SHUT_WR)
            await until(lambda: server.statistics().handshakes_failed)

    statistics = server.statistics()
    assert statistics.closed == {CloseReason.HANDSHAKE_FAILED: 1}
    assert statistics.handshakes_failed == 1
    assert statistics.clients_total == 0


async def test_connection_that_is_reset_before_it_is_accepted_is_closed_at_once() -> None:
    """And not by the collector of garbage, which warns of a socket that nobody has closed."""
    server = line_server(Echo())

    async with running(server):
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            with tcp_peer(server) as peer:
                enable_socket_linger(peer.sock, 0)
            with tcp_peer(server) as peer:
                assert await peer.ask("x") == "x"
        assert server.statistics().clients_total == 1

    assert [str(warning.message) for warning in warned] == []


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


@pytest.mark.parametrize("name", ["asyncio", "trio"])
def test_bootstrap_runs_a_whole_program(name: str) -> None:
    async def program() -> str:
        async with serving(Echo()) as (_, peer):
            return await peer.ask("hello")

    assert new_builtin_backend(name).bootstrap(program) == "hello"
