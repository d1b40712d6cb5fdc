# SPDX-License-Identifier: Apache-2.0
"""The life of servers: opening, serving, closing, and what the log says of it.

One rule for all of them.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import ssl
import weakref
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio
from datagram_peers import LineSocketPeer
from loops import on_asyncio, on_trio
from running_server import running, start
from server_kinds import Client, Echo, Kind

from easynetwork.exceptions import (
    BaseProtocolParseError,
    BusyResourceError,
    ClientClosedError,
    ServerAlreadyRunning,
    ServerClosedError,
)
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.socket import IPv4SocketAddress, SocketProxy, UnixSocketAddress
from easynetwork.protocol import DatagramProtocol, StreamProtocol
from easynetwork.serializers import JSONSerializer
from easynetwork.servers.handlers import (
    AsyncDatagramRequestHandler,
    AsyncStreamClient,
    AsyncStreamRequestHandler,
)

pytestmark = pytest.mark.anyio


def trouble(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(r.levelname, r.getMessage()) for r in caplog.records if r.levelno >= logging.WARNING]


# opening and closing


async def test_a_server_listens_between_activation_and_closing(kind: Kind) -> None:
    server = kind.server()
    assert not server.is_listening()
    assert (server.get_addresses(), server.get_sockets()) == ((), ())

    async with server:
        await server.server_activate()
        assert server.is_listening()
        assert not server.is_serving()
        (address,) = server.get_addresses()
        (sock,) = server.get_sockets()
        assert isinstance(sock, SocketProxy)
        if isinstance(address, UnixSocketAddress):
            assert sock.getsockname() == address.as_raw() == str(kind.path)
            assert kind.path.is_socket()
        else:
            assert isinstance(address, IPv4SocketAddress)
            assert sock.getsockname() == tuple(address)

    assert not server.is_listening()
    assert (server.get_addresses(), server.get_sockets()) == ((), ())
    assert not kind.path.exists()


async def test_activation_may_happen_in_several_tasks_at_once(kind: Kind) -> None:
    server = kind.server()

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(server.server_activate)

    assert len(server.get_addresses()) == 1
    await server.server_close()


async def test_a_closed_server_stays_closed(kind: Kind) -> None:
    server = kind.server()
    await server.server_close()
    await server.server_close()

    with pytest.raises(ServerClosedError):
        await server.server_activate()
    with pytest.raises(ServerClosedError):
        await server.serve_forever()


async def test_an_address_in_use_is_an_error_and_the_server_may_try_again(kind: Kind) -> None:
    first = kind.server()
    async with running(first):
        address = first.get_addresses()[0]
        port = {"port": address.port} if isinstance(address, IPv4SocketAddress) else {}
        second = kind.server_class(**(kind.arguments(Echo()) | port))
        with pytest.raises(OSError, match="in use"):
            await second.server_activate()
        with kind.peer(first) as peer:
            assert await peer.ask("x") == "x"

    async with running(second):
        with kind.peer(second) as peer:
            assert await peer.ask("x") == "x"


async def test_a_server_that_is_collected_open_warns(kind: Kind) -> None:
    server = kind.server()
    await server.server_activate()
    listeners = server._listeners  # to close what the collected server cannot

    with pytest.warns(ResourceWarning, match="unclosed server"):
        del server
    for listener in listeners:
        await listener.aclose()


# serving


async def test_a_server_runs_once_at_a_time(kind: Kind) -> None:
    server = kind.server()

    async with running(server):
        assert server.is_serving()
        with pytest.raises(ServerAlreadyRunning):
            await server.serve_forever()
        with kind.peer(server) as peer:
            assert await peer.ask("x") == "x"


async def test_a_server_may_serve_again_after_shutdown(kind: Kind) -> None:
    server = kind.server()

    async with server:
        for _ in range(2):
            async with anyio.create_task_group() as tasks:
                await start(server, tasks)
                with kind.peer(server) as peer:
                    assert await peer.ask("x") == "x"
                    await server.shutdown()
                    assert not isinstance(peer, LineSocketPeer) or await peer.is_closed()
            assert server.is_listening()
            assert not server.is_serving()


async def test_what_comes_between_two_services_is_for_the_second(kind: Kind) -> None:
    server = kind.server()

    async with server:
        await server.server_activate()
        with kind.peer(server) as peer:
            peer.send("early")
            async with running(server):
                assert await peer.receive() == "early"


async def test_shutdown_may_be_called_by_many_and_without_need(kind: Kind) -> None:
    server = kind.server()
    await server.shutdown()

    async with running(server), anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(server.shutdown)

    await server.shutdown()


async def test_shutdown_throws_the_cancellation_in_at_the_yield(kind: Kind, backend: AsyncBackend) -> None:
    thrown: list[type[BaseException]] = []

    class Waiting(Echo):
        async def handle(self, client: Client) -> AsyncGenerator[None, str]:
            request = yield
            await client.send_packet(request)
            try:
                yield
            except BaseException as exc:
                thrown.append(type(exc))
                raise

    server = kind.server(Waiting())
    async with running(server):
        with kind.peer(server) as peer:
            assert await peer.ask("x") == "x"
            await server.shutdown()

    assert thrown == [backend.get_cancelled_exc_class()]


async def test_shutdown_by_a_handler_ends_the_server(kind: Kind) -> None:
    class Quitting(Echo):
        async def handle(self, client: Client) -> AsyncGenerator[None, str]:
            yield
            await server.shutdown()

    server = kind.server(Quitting())
    async with server, anyio.create_task_group() as tasks:
        await start(server, tasks)
        with kind.peer(server) as peer:
            peer.send("quit")
            with anyio.fail_after(10):
                while server.is_serving():
                    await anyio.lowlevel.checkpoint()
            assert not isinstance(peer, LineSocketPeer) or await peer.is_closed()


async def test_closing_ends_the_service_when_the_last_client_is_done(kind: Kind) -> None:
    """A connection lasts until its peer ends it; a datagram client that waits for more will get
    none.
    """
    ended: list[str] = []

    class Closing(Echo):
        async def handle(self, client: Client) -> AsyncGenerator[None, str]:
            request = yield
            await client.send_packet(request)
            await server.server_close()
            try:
                yield
            except GeneratorExit:
                ended.append("GeneratorExit")
                raise

    server = kind.server(Closing())
    async with anyio.create_task_group() as tasks:
        await start(server, tasks)
        with kind.peer(server) as peer:
            assert await peer.ask("x") == "x"
    # serve_forever() has returned

    assert ended == ["GeneratorExit"]
    assert not server.is_listening()


async def test_closing_during_the_set_up_is_refused(kind: Kind) -> None:
    refused: list[BaseException] = []

    class Early(Echo):
        async def service_init(self, exit_stack: Any, server: Any) -> None:
            assert not server.is_serving()
            try:
                await server.server_close()
            except BusyResourceError as exc:
                refused.append(exc)

    async with running(kind.server(Early())):
        pass

    assert len(refused) == 1


async def test_service_init_that_fails_leaves_the_server_able_to_try_again(kind: Kind) -> None:
    class Failing(Echo):
        attempts = 0

        async def service_init(self, exit_stack: Any, server: Any) -> None:
            exit_stack.callback(undone.append, True)
            self.attempts += 1
            if self.attempts == 1:
                raise LookupError("no database")

    undone: list[bool] = []
    server = kind.server(Failing())
    async with server:
        with pytest.raises(LookupError):
            await server.serve_forever()
        assert undone == [True]
        async with running(server):
            with kind.peer(server) as peer:
                assert await peer.ask("x") == "x"


async def test_service_init_gets_a_weak_reference(kind: Kind) -> None:
    proxies: list[Any] = []

    class Keeping(Echo):
        async def service_init(self, exit_stack: Any, server: Any) -> None:
            proxies.append(server)

    server = kind.server(Keeping())
    async with running(server):
        assert proxies[0].get_addresses() == server.get_addresses()
    del server
    gc.collect()

    with pytest.raises(ReferenceError):
        proxies[0].get_addresses()


@on_asyncio
async def test_a_server_in_an_asyncio_task_ends_with_the_task(kind: Kind) -> None:
    server = kind.server()

    async with server:
        is_up = asyncio.Event()
        task = asyncio.create_task(server.serve_forever(is_up_event=is_up))
        await is_up.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert task.cancelled()


@on_trio
async def test_a_server_in_a_trio_scope_ends_with_the_scope(kind: Kind) -> None:
    server = kind.server()

    async with server, trio.open_nursery() as nursery:
        is_up = trio.Event()
        nursery.start_soon(functools.partial(server.serve_forever, is_up_event=is_up))
        await is_up.wait()
        with kind.peer(server) as peer:
            assert await peer.ask("x") == "x"
        nursery.cancel_scope.cancel()

    assert nursery.cancel_scope.cancelled_caught
    assert not server.is_listening()


@on_asyncio  # trio cancels scopes, and those of a handler are its own affair
@pytest.mark.parametrize("waits", [False, True])
async def test_a_handler_that_cancels_its_own_task_does_not_stop_the_server(
    kind: Kind, waits: bool, caplog: pytest.LogCaptureFixture
) -> None:
    class Suicidal(Echo):
        async def handle(self, client: Client) -> AsyncGenerator[None, str]:
            request = yield
            if request == "cancel":
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                if waits:
                    await asyncio.sleep(0)
            else:
                await client.send_packet(request)

    server = kind.server(Suicidal())
    async with running(server):
        for _ in range(3):
            with kind.peer(server) as peer, kind.peer(server) as other:
                peer.send("cancel")
                assert await other.ask("x") == "x"
        assert server.is_serving()

    assert trouble(caplog) == []


async def test_a_bad_packet_is_gone_when_its_handler_is_done_with_it(kind: Kind) -> None:
    """At once, and not when the collector of reference cycles comes by: its error may have what
    some kilobytes have inflated to.
    """
    errors: list[weakref.ref[BaseProtocolParseError]] = []

    class Patient(Echo):
        async def handle(self, client: Client) -> AsyncGenerator[None, str]:
            try:
                request = yield
            except BaseProtocolParseError as exc:
                errors.append(weakref.ref(exc))
                request = "bad"
            await client.send_packet(request)

    collects = gc.isenabled()
    server = kind.server(Patient())
    async with running(server):
        with kind.peer(server) as peer:
            gc.disable()
            try:
                assert [await peer.ask(text) for text in ("\xe9", "\xe9", "x")] == ["bad", "bad", "x"]
                assert [error() for error in errors] == [None, None]
            finally:
                if collects:
                    gc.enable()


# the log


async def test_the_log_tells_the_life_of_a_server(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "easynetwork")

    server = kind.server()
    async with running(server):
        address = server.get_addresses()[0]

    assert [(r.name, r.levelname, r.getMessage()) for r in caplog.records if r.name.startswith("easynetwork")] == [
        (kind.logger, "INFO", f"Start serving at {address}"),
        (kind.logger, "INFO", "Server loop break, waiting for remaining tasks..."),
        (kind.logger, "INFO", "Server stopped"),
    ]


async def test_the_log_goes_where_it_is_wanted(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    logger = logging.getLogger("mine")

    server = kind.server(logger=logger)
    async with running(server):
        assert server.logger is logger

    assert {r.name for r in caplog.records if r.levelno == logging.INFO} == {"mine"}


async def test_connections_are_logged_and_may_be_quiet(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kind = Kind("unix_stream", tmp_path)
    caplog.set_level(logging.DEBUG)

    for quiet, level in ((False, "INFO"), (True, "DEBUG")):
        caplog.clear()
        server = kind.server(log_client_connection=not quiet)
        async with running(server):
            with kind.peer(server) as peer:
                await peer.ask("x")
        logged = {(r.levelname, r.getMessage().partition(" (")[0]) for r in caplog.records}
        assert {(level, "Accepted new connection"), (level, "<unnamed> disconnected")} <= logged


@pytest.mark.parametrize("error", [LookupError(), ExceptionGroup("more", [LookupError(), ValueError()])])
async def test_an_error_out_of_a_handler_is_one_record(
    kind: Kind, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    class Raising(Echo):
        async def handle(self, client: Client) -> AsyncGenerator[None, str]:
            yield
            raise error

    server = kind.server(Raising())
    async with running(server):
        with kind.peer(server) as peer:
            name = kind.peer_name(peer)
            peer.send("x")
            with anyio.fail_after(10):
                while not trouble(caplog):
                    await anyio.lowlevel.checkpoint()

    assert trouble(caplog) == [("ERROR", f"Exception occurred during processing of request from {name}")]
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert type(record.exc_info[1]) is type(error)


async def test_the_use_of_a_closed_client_is_a_warning(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    class Late(Echo):
        async def handle(self, client: Client) -> AsyncGenerator[None, str]:
            yield
            await (client.aclose() if isinstance(client, AsyncStreamClient) else server.server_close())
            assert client.is_closing()
            await client.send_packet("too late")

    server = kind.server(Late())
    async with running(server):
        with kind.peer(server) as peer:
            name = kind.peer_name(peer)
            peer.send("x")
            with anyio.fail_after(10):
                while not trouble(caplog):
                    await anyio.lowlevel.checkpoint()

    assert trouble(caplog) == [("WARNING", f"There have been attempts to do operation on closed client {name}")]


async def test_a_client_is_closed_when_the_service_has_ended(kind: Kind) -> None:
    clients: list[Client] = []

    class Remembering(Echo):
        async def handle(self, client: Client) -> AsyncGenerator[None, str]:
            clients.append(client)
            request = yield
            await client.send_packet(request)

    server = kind.server(Remembering())
    async with running(server):
        with kind.peer(server) as peer:
            assert await peer.ask("x") == "x"
            assert not clients[0].is_closing()

    assert clients[0].is_closing()
    with pytest.raises(ClientClosedError):
        await clients[0].send_packet("too late")


# construction

COMMON_FAULTS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"protocol": JSONSerializer()}, TypeError, "protocol"),
    ({"request_handler": object()}, TypeError, "request_handler"),
    ({"backend": 5}, TypeError, "backend"),
    ({"backend": "twisted"}, ValueError, "twisted"),
    ({"limits": 5}, TypeError, "limits"),
    ({"timeouts": 5}, TypeError, "timeouts"),
]
DATAGRAM_FAULTS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"protocol": StreamProtocol(JSONSerializer())}, TypeError, "protocol"),
]
INET_FAULTS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"host": 5}, TypeError, "host"),
    ({"host": []}, ValueError, "host"),
    ({"host": ["127.0.0.1", None]}, TypeError, "host"),
    ({"port": "80"}, TypeError, "port"),
    ({"port": 65536}, ValueError, "port"),
    ({"port": -1}, ValueError, "port"),
]
STREAM_FAULTS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"protocol": DatagramProtocol(JSONSerializer())}, TypeError, "protocol"),
    ({"backlog": 0}, ValueError, "backlog"),
    ({"max_recv_size": 0}, ValueError, "max_recv_size"),
    ({"max_recv_size": 1.5}, TypeError, "max_recv_size"),
]
UNIX_FAULTS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"path": 5}, TypeError, "PathLike"),
    ({"path": "a\0b"}, ValueError, "null"),
    ({"mode": 0o1000}, ValueError, "mode"),
    ({"mode": "rw"}, TypeError, "mode"),
    ({"ancillary_bufsize": 0}, ValueError, "ancillary_bufsize"),
    ({"ancillary_bufsize": True}, TypeError, "ancillary_bufsize"),
]
FAULTS: dict[str, list[tuple[dict[str, Any], type[Exception], str]]] = {
    "tcp": [
        *COMMON_FAULTS,
        *INET_FAULTS,
        *STREAM_FAULTS,
        ({"ssl": True}, TypeError, "ssl"),
        ({"ssl_handshake_timeout": 1}, ValueError, "ssl_handshake_timeout"),
        ({"ssl_shutdown_timeout": 1}, ValueError, "ssl_shutdown_timeout"),
        ({"ssl_standard_compatible": False}, ValueError, "ssl_standard_compatible"),
        ({"ssl": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "ssl_handshake_timeout": 0}, ValueError, "ssl_handshake"),
    ],
    "udp": [
        *COMMON_FAULTS,
        *DATAGRAM_FAULTS,
        *INET_FAULTS,
    ],
    "unix_datagram": [
        *COMMON_FAULTS,
        *DATAGRAM_FAULTS,
        *[({"receive_ancillary_data": True} | options, error, message) for options, error, message in UNIX_FAULTS],
        ({"ancillary_bufsize": 100}, ValueError, "receive_ancillary_data"),
        ({"unnamed_addresses_behavior": "shout"}, ValueError, "unnamed_addresses_behavior"),
    ],
    "unix_stream": [
        *COMMON_FAULTS,
        *UNIX_FAULTS,
        *STREAM_FAULTS,
    ],
}


async def test_wrong_arguments_are_named(kind: Kind) -> None:
    """One test for all of them: none of it needs a loop of its own."""
    for options, error, message in FAULTS[kind.name]:
        for server_class in (kind.server_class, kind.standalone_class):
            with pytest.raises(error, match=message):
                server_class(**(kind.arguments(Echo()) | options))


async def test_a_handler_of_the_other_kind_is_refused(kind: Kind) -> None:
    class Streams(AsyncStreamRequestHandler[str, str]):
        handle = Echo.handle

    class Datagrams(AsyncDatagramRequestHandler[str, str]):
        handle = Echo.handle

    with pytest.raises(TypeError, match="request_handler"):
        kind.server(Datagrams() if kind.is_stream else Streams())


def test_without_an_event_loop_a_backend_must_be_named(kind: Kind) -> None:
    with pytest.raises(RuntimeError, match="backend"):
        kind.server()


def test_a_socket_is_not_made_before_it_is_needed(kind: Kind) -> None:
    kind.server(backend="asyncio")

    assert not kind.path.exists()
