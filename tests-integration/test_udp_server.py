# SPDX-License-Identifier: Apache-2.0
"""What is peculiar to a UDP server: the addresses that it is asked at, and errors that are somebody
else's.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import anyio
import pytest
from datagram_peers import SocketPeer, udp_peer
from running_server import running

from easynetwork.exceptions import ServerClosedError
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.socket import IPv4SocketAddress, IPv6SocketAddress
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers import AsyncUDPNetworkServer
from easynetwork.servers.handlers import AsyncDatagramClient, AsyncDatagramRequestHandler, INETClientAttribute
from easynetwork.servers.options import ServerLimits

pytestmark = pytest.mark.anyio

IP_RECVERR = 11  # linux/in.h; Python does not name it


class Echo(AsyncDatagramRequestHandler[str, str]):
    async def handle(self, client: AsyncDatagramClient[str]) -> AsyncGenerator[None, str]:
        request = yield
        await client.send_packet(request)


class WhereTo(AsyncDatagramRequestHandler[str, str]):
    """Answers with the address that was asked."""

    async def handle(self, client: AsyncDatagramClient[str]) -> AsyncGenerator[None, str]:
        yield
        await client.send_packet(client.extra(INETClientAttribute.local_address).host)


def new_server(
    host: Any, handler: AsyncDatagramRequestHandler[str, str], port: int = 0, **options: Any
) -> AsyncUDPNetworkServer[str, str]:
    return AsyncUDPNetworkServer(host, port, DatagramProtocol(StringLineSerializer()), handler, **options)


@asynccontextmanager
async def serving(
    host: Any, handler: AsyncDatagramRequestHandler[str, str], **options: Any
) -> AsyncGenerator[AsyncUDPNetworkServer[str, str]]:
    server = new_server(host, handler, **options)
    async with running(server):
        yield server


# addresses


@pytest.mark.parametrize(
    ("host", "asked", "told"),
    [
        (None, "127.0.0.1", "127.0.0.1"),
        (None, "127.0.0.9", "127.0.0.9"),
        (None, "::1", "::1"),
        ("", "127.0.0.9", "127.0.0.9"),
        ("0.0.0.0", "127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.9", "127.0.0.9"),
        ("::", "::1", "::1"),
        ("::", "127.0.0.1", "::ffff:127.0.0.1"),
        ("::", "127.0.0.9", "::ffff:127.0.0.9"),
        ("127.0.0.9", "127.0.0.9", "127.0.0.9"),
        (["127.0.0.9", "::1"], "127.0.0.9", "127.0.0.9"),
        (["127.0.0.9", "::1"], "::1", "::1"),
    ],
)
async def test_the_answer_leaves_from_the_address_that_was_asked(host: Any, asked: str, told: str) -> None:
    """The socket is connected, so it hears nothing else."""
    async with serving(host, WhereTo()) as server:
        with udp_peer(server, to=asked) as peer:
            assert [await peer.ask("x") for _ in range(3)] == [told] * 3


async def test_an_answer_that_had_to_wait_leaves_from_there_as_well() -> None:
    class Late(WhereTo):
        async def handle(self, client: AsyncDatagramClient[str]) -> AsyncGenerator[None, str]:
            request = yield
            await anyio.lowlevel.checkpoint()
            await client.send_packet(request)
            request = yield
            await client.send_packet(request)

    async with serving(None, Late()) as server:
        with ExitStack() as peers:
            asking = {
                address: peers.enter_context(udp_peer(server, to=address))
                for address in ("127.0.0.1", "127.0.0.9", "::1")
            }
            for round_ in ("first", "second") * 2:
                for address, peer in asking.items():
                    peer.send(f"{address} {round_}")
                for address, peer in asking.items():
                    assert await peer.receive() == f"{address} {round_}"


async def test_one_socket_that_asks_at_two_addresses_is_two_clients() -> None:
    clients: set[AsyncDatagramClient[str]] = set()

    class Remembering(WhereTo):
        async def handle(self, client: AsyncDatagramClient[str]) -> AsyncGenerator[None, str]:
            clients.add(client)
            yield
            await client.send_packet(client.extra(INETClientAttribute.local_address).host)

    async with serving("0.0.0.0", Remembering()) as server:
        port = server.get_addresses()[0].port
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            peer = SocketPeer(sock)
            for address in ("127.0.0.9", "127.0.0.8"):
                sock.connect((address, port))
                assert await peer.ask("x") == address

    assert len(clients) == 2
    assert len({client.extra(INETClientAttribute.remote_address) for client in clients}) == 1


async def test_port_zero_with_several_hosts_is_one_port() -> None:
    async with serving(["127.0.0.1", "127.0.0.2", "::1"], Echo()) as server:
        first, second, third = server.get_addresses()
        assert isinstance(first, IPv4SocketAddress)
        assert isinstance(third, IPv6SocketAddress)
        assert (first.host, second.host, third.host) == ("127.0.0.1", "127.0.0.2", "::1")
        assert first.port == second.port == third.port
        for address in (first, second, third):
            with udp_peer(server, to=address.host) as peer:
                assert await peer.ask("x") == "x"


async def test_reuse_port_lets_two_servers_share() -> None:
    """The kernel shares the clients out; when one server is closed, the other has them all."""
    async with serving("127.0.0.1", Echo(), reuse_port=True) as first:
        port = first.get_addresses()[0].port
        async with serving("127.0.0.1", Echo(), port=port, reuse_port=True) as second:
            assert second.get_addresses() == first.get_addresses()
            for _ in range(10):
                with udp_peer(first) as peer:
                    assert await peer.ask("x") == "x"
        for _ in range(10):
            with udp_peer(first) as peer:
                assert await peer.ask("x") == "x"


async def test_without_reuse_port_a_port_is_one_server_s() -> None:
    async with serving("127.0.0.1", Echo()) as first:
        second = new_server("127.0.0.1", Echo(), port=first.get_addresses()[0].port)
        with pytest.raises(OSError, match="in use"):
            await second.server_activate()
        await second.server_close()


# datagrams


async def test_an_empty_datagram_is_a_datagram_both_ways() -> None:
    async with serving("127.0.0.1", Echo()) as server:
        with udp_peer(server) as peer:
            assert await peer.ask("") == ""
            assert await peer.ask("x") == "x"


async def test_the_largest_datagram_travels_both_ways_and_a_larger_one_is_an_oserror() -> None:
    class Longer(Echo):
        async def handle(self, client: AsyncDatagramClient[str]) -> AsyncGenerator[None, str]:
            request = yield
            with pytest.raises(OSError, match=r"[Mm]essage too long"):
                await client.send_packet(request + "x")
            await client.send_packet(request)

    largest = "x" * 65507
    for host in ("127.0.0.1", "0.0.0.0"):
        async with serving(host, Longer()) as server:
            with udp_peer(server, to="127.0.0.1") as peer:
                assert await peer.ask(largest) == largest


async def test_datagrams_that_found_no_room_are_counted_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    released = anyio.Event()

    class Slow(Echo):
        async def handle(self, client: AsyncDatagramClient[str]) -> AsyncGenerator[None, str]:
            request = yield
            await released.wait()
            await client.send_packet(request)

    async with serving("127.0.0.1", Slow(), limits=ServerLimits(max_pending_datagrams=2)) as server:
        with udp_peer(server) as peer:
            peer.send(*"123456")
            assert await peer.hears_nothing()
            released.set()
            assert [await peer.receive() for _ in range(3)] == ["1", "2", "3"]
            assert await peer.ask("7") == "7"

    dropped = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert [line.partition(";")[0] for line in dropped] == [
        "Dropped datagrams: 1, from peers: 1",  # at once
        "Dropped datagrams: 2, from peers: 1",  # the rest of that second, here when the server stops
    ]


async def test_closing_ends_an_activation_that_waits(monkeypatch: pytest.MonkeyPatch, backend: AsyncBackend) -> None:
    asked = anyio.Event()

    async def never_resolves(*args: Any, **kwargs: Any) -> Any:
        asked.set()
        await anyio.sleep_forever()

    server = new_server("localhost", Echo(), backend=backend)
    monkeypatch.setattr(backend, "getaddrinfo", never_resolves)
    async with anyio.create_task_group() as tasks:

        async def activate() -> None:
            with pytest.raises(ServerClosedError):
                await server.server_activate()

        tasks.start_soon(activate)
        await asked.wait()
        await server.server_close()


# errors that are somebody else's


class Touchy(Echo):
    """Asks the kernel for the errors of all its peers."""

    async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any) -> None:
        for sock in server.get_sockets():
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("handler", [Echo, Touchy])
async def test_a_client_that_is_gone_never_disturbs_another(
    host: str, handler: type[Echo], caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(host, handler()) as server:
        with udp_peer(server, to="127.0.0.1") as good, udp_peer(server, to="127.0.0.1") as other:
            with anyio.fail_after(1):  # nobody waits for long: not even a tenth of a second each time
                for number in range(20):
                    with udp_peer(server, to="127.0.0.1") as gone:
                        gone.send("1", "2")
                    good.send(f"{number}")
                    other.send(f"{number}", "again")
                    assert await good.receive() == f"{number}"
                    assert [await other.receive(), await other.receive()] == [f"{number}", "again"]

    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("handler", [Echo, Touchy])
async def test_a_client_that_is_gone_costs_nothing_afterwards(handler: type[Echo]) -> None:
    async with serving("127.0.0.1", handler()) as server:
        with udp_peer(server) as good:
            with udp_peer(server) as gone:
                gone.send("x")
            assert await good.ask("x") == "x"
            before = time.process_time()
            await anyio.sleep(0.2)
            assert time.process_time() - before < 0.02
            assert await good.ask("x") == "x"
