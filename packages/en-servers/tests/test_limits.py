# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest
import trio

from easynetwork.lowlevel.socket import INETSocketAttribute, IPv4SocketAddress, IPv6SocketAddress
from easynetwork.lowlevel.streams import ByteStream
from easynetwork.lowlevel.testing import MemoryBackend
from easynetwork.protocol import StreamProtocol
from easynetwork.servers.engine.connection_limiter import ConnectionLimiter, network_of
from easynetwork.servers.engine.counters import Counters
from easynetwork.servers.engine.settings import Established, PeerAttributes
from easynetwork.servers.options import ServerLimits, ServerTimeouts
from easynetwork.servers.statistics import CloseReason

from .serving import ask, connect, ending, serving

in_virtual_time = pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)


@pytest.fixture
def values(lines: StreamProtocol[str, str], logger: logging.Logger) -> dict[str, Any]:
    return {"protocol": lines, "logger": logger}


@pytest.mark.parametrize("kind", [ServerLimits, ServerTimeouts])
@pytest.mark.parametrize("value", [0, -1, True, "10", float("nan")])
def test_what_is_no_limit_is_refused_with_its_name(kind: type[ServerLimits] | type[ServerTimeouts], value: Any) -> None:
    for name in kind.__slots__:
        with pytest.raises((TypeError, ValueError), match=f"^{name}: expected"):
            kind(**{name: value})


@pytest.mark.parametrize("name", ServerLimits.__slots__)
def test_none_switches_a_limit_off(name: str) -> None:
    assert getattr(ServerLimits(**{name: None}), name) is None


@pytest.mark.parametrize("name", ServerTimeouts.__slots__)
def test_what_a_peer_could_hold_up_for_ever_has_always_a_limit(name: str) -> None:
    nothing: dict[str, Any] = {name: None}
    if name in ("handshake", "shutdown"):
        with pytest.raises(TypeError, match=name):
            ServerTimeouts(**nothing)
    else:
        assert getattr(ServerTimeouts(**nothing), name) is None


# connections at a time


@in_virtual_time
@pytest.mark.anyio
async def test_connections_above_the_limit_wait_until_there_is_room(
    backend: MemoryBackend, values: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(backend, limits=ServerLimits(max_connections=2), **values) as server:
        first, second, third = [await connect(server) for _ in range(3)]
        assert [await ask(first, "1"), await ask(second, "2")] == ["1", "2"]
        await third.send(b"3\n")
        with pytest.raises(TimeoutError):
            await third.receive(100, backend.current_time() + 60)
        assert server.statistics().clients == 2

        await first.aclose()
        assert await third.receive(100) == b"3\n"
        assert server.statistics().limits_hit["max_connections"] >= 1

    assert caplog.messages.count("Accepting no more connections for now: max_connections is 2") == 1


@in_virtual_time
@pytest.mark.anyio
async def test_connection_that_leaves_makes_room_for_one(backend: MemoryBackend, values: dict[str, Any]) -> None:
    async with serving(backend, limits=ServerLimits(max_connections=2), **values) as server:
        first, second, third, fourth = [await connect(server) for _ in range(4)]
        assert [await ask(first, "1"), await ask(second, "2")] == ["1", "2"]
        await first.aclose()
        assert await ask(third, "3") == "3"
        await fourth.send(b"4\n")
        with pytest.raises(TimeoutError):
            await fourth.receive(100, backend.current_time() + 60)
        assert server.statistics().clients == 2


class Turns(trio.abc.Instrument):
    """Cancels ``scope`` when tasks have taken more turns than they need."""

    def __init__(self, scope: trio.CancelScope, limit: int) -> None:
        self._scope = scope
        self._left = limit

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._left -= 1
        if self._left < 0:
            self._scope.cancel()


@in_virtual_time
@pytest.mark.anyio
async def test_server_that_is_full_again_takes_no_turns_of_the_event_loop(
    backend: MemoryBackend, values: dict[str, Any]
) -> None:
    async with serving(backend, limits=ServerLimits(max_connections=1), **values) as server:
        first, second, third = [await connect(server) for _ in range(3)]
        assert await ask(first, "1") == "1"
        await first.aclose()
        assert await ask(second, "2") == "2"
        await third.send(b"3\n")
        with trio.CancelScope() as scope:
            turns = Turns(scope, limit=100)
            trio.lowlevel.add_instrument(turns)
            await backend.sleep(60)  # virtual time: it passes only while all tasks wait
            trio.lowlevel.remove_instrument(turns)
        assert not scope.cancelled_caught, "the accepting task waits and does not poll"
        await second.aclose()
        assert await third.receive(100) == b"3\n"


@in_virtual_time
@pytest.mark.anyio
async def test_limit_can_be_changed_while_the_server_runs(backend: MemoryBackend, values: dict[str, Any]) -> None:
    async with serving(backend, limits=ServerLimits(max_connections=1), **values) as server:
        first, second = await connect(server), await connect(server)
        assert await ask(first, "1") == "1"
        with pytest.raises(TimeoutError):
            await second.receive(100, backend.current_time() + 60)

        server.limits = replace(server.limits, max_connections=2)
        assert server.limits == ServerLimits(max_connections=2)
        assert await ask(second, "2") == "2"
        server.limits = replace(server.limits, max_connections=1)
        assert server.limits == ServerLimits(max_connections=1)
        assert await ask(first, "those who are here stay") == "those who are here stay"
        server.limits = ServerLimits(max_connections=None)
        assert await ask(await connect(server), "3") == "3"
        with pytest.raises(TypeError, match="limits: expected ServerLimits, got int"):
            setattr(server, "limits", 5)  # noqa: B010  # as one would who has no type checker


@pytest.mark.anyio
async def test_server_that_is_full_can_be_shut_down(backend: MemoryBackend, values: dict[str, Any]) -> None:
    async with serving(backend, limits=ServerLimits(max_connections=1), **values) as server:
        first, second = await connect(server), await connect(server)
        assert await ask(first, "1") == "1"
        await server.shutdown()
        assert await ending(first) == "end"
        await server.server_close()
        assert await ending(second) == "reset"


# connections of one address


def of_one_host(stream: ByteStream) -> tuple[object, PeerAttributes]:
    return IPv4SocketAddress("192.0.2.1", stream.extra(INETSocketAttribute.peername).port), dict


@pytest.mark.anyio
async def test_connections_above_the_limit_of_their_address_are_reset(
    backend: MemoryBackend, values: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    limits = ServerLimits(max_connections_per_address=2)
    async with serving(backend, limits=limits, describe_peer=of_one_host, **values) as server:
        peers = [await connect(server) for _ in range(2)]
        assert [await ask(peer, "x") for peer in peers] == ["x", "x"]
        for _ in range(3):
            assert await ending(await connect(server)) == "reset"
        await peers[0].aclose()
        while server.statistics().clients > 1:
            await backend.coro_yield()
        assert await ask(await connect(server), "room again") == "room again"

        statistics = server.statistics()
        assert (statistics.limits_hit, statistics.closed[CloseReason.LIMIT]) == ({"max_connections_per_address": 3}, 3)
    assert caplog.messages.count("Refused a connection: max_connections_per_address is 2") == 1, "one line a second"


@pytest.mark.anyio
async def test_connection_is_counted_under_the_address_that_it_is_established_with(
    backend: MemoryBackend, values: dict[str, Any]
) -> None:
    """Behind a proxy, all sockets have one address."""

    async def establish(stream: ByteStream) -> Established:
        host = (await stream.receive(9)).decode()
        return Established(stream=stream, address=IPv4SocketAddress(host, 1))

    async def connect_from(host: str) -> ByteStream:
        peer = await connect(server)
        await peer.send(host.encode())
        return peer

    limits = ServerLimits(max_connections_per_address=1)
    async with serving(backend, limits=limits, describe_peer=of_one_host, establish=establish, **values) as server:
        first, second = await connect_from("192.0.2.1"), await connect_from("192.0.2.2")
        assert [await ask(first, "1"), await ask(second, "2")] == ["1", "2"]
        assert await ending(await connect_from("192.0.2.1")) == "reset"
        await first.aclose()
        while server.statistics().clients > 1:
            await backend.coro_yield()
        assert await ask(await connect_from("192.0.2.1"), "room again") == "room again"
        assert server.statistics().closed[CloseReason.LIMIT] == 1


@in_virtual_time
@pytest.mark.anyio
async def test_connection_counts_before_it_is_established(backend: MemoryBackend, values: dict[str, Any]) -> None:
    async def establish(stream: ByteStream) -> Established:
        await stream.receive(1)
        return Established(stream=stream)

    limits = ServerLimits(max_connections=1)
    async with serving(backend, limits=limits, establish=establish, **values) as server:
        stalled, other = await connect(server), await connect(server)
        await other.send(b"!x\n")
        with pytest.raises(TimeoutError):
            await other.receive(100, backend.current_time() + 60)
        stalled.abort()
        assert await other.receive(100) == b"x\n"


def test_nothing_is_kept_of_addresses_that_are_gone(logger: logging.Logger) -> None:
    limiter = ConnectionLimiter(ServerLimits(), Counters(), logger)
    for _ in range(2):
        limiter.enter()
        assert limiter.admit(b"1")
        limiter.leave(b"1")
    assert not vars(limiter)["_networks"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
    ],
)
def test_host_has_one_ipv4_address_or_a_whole_ipv6_network(one: str, other: str, same: bool) -> None:
    addresses = [IPv6SocketAddress(host, 1) if ":" in host else IPv4SocketAddress(host, 1) for host in (one, other)]
    first, second = map(network_of, addresses)
    assert (first == second) is same
