# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import math
import socket
from collections.abc import Awaitable, Callable

import pytest
import trio.testing

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.happy_eyeballs import AddressInfo, connect_first, interleave_families

pytestmark = pytest.mark.anyio


def address(host: str) -> AddressInfo:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return (family, socket.SOCK_STREAM, 6, "", (host, 80))


class Connection:
    def __init__(self, host: str) -> None:
        self.host = host
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


class Network:
    """Hosts that answer, refuse or stay silent as told, and what was asked of them when."""

    def __init__(self, backend: AsyncBackend, **hosts: Callable[[], Awaitable[object]]) -> None:
        self._backend = backend
        self._hosts = hosts
        self.attempts: list[tuple[str, float]] = []
        self.cancelled: list[str] = []
        self.connections: list[Connection] = []
        self._began = backend.current_time()

    async def connect(self, info: AddressInfo) -> Connection:
        host = info[4][0]
        self.attempts.append((host, self._backend.current_time() - self._began))
        try:
            await self._hosts[host]()
        except self._backend.get_cancelled_exc_class():
            self.cancelled.append(host)
            raise
        self.connections.append(Connection(host))
        return self.connections[-1]


async def answer() -> None:
    pass


async def refuse() -> None:
    raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")


async def unreachable() -> None:
    raise OSError(errno.ENETUNREACH, "Network is unreachable")


def test_families_take_turns_and_the_first_stays_first() -> None:
    a, b, c, d, e = (address(host) for host in ("::a", "::b", "::c", "1", "2"))

    assert interleave_families([a, b, c, d, e]) == [a, d, b, e, c]
    assert interleave_families([d, a, b]) == [d, a, b]
    assert interleave_families([]) == []


async def test_the_first_that_answers_wins(backend: AsyncBackend) -> None:
    network = Network(backend, a=answer, b=answer)

    connection = await connect_first(backend, [address("a"), address("b")], network.connect, math.inf)

    assert connection.host == "a"
    assert not connection.aborted
    assert [host for host, _ in network.attempts] == ["a"]


async def test_the_next_is_tried_at_once_when_one_fails(backend: AsyncBackend) -> None:
    network = Network(backend, a=refuse, b=answer)

    connection = await connect_first(backend, [address("a"), address("b")], network.connect, math.inf)

    assert connection.host == "b"


async def test_the_losers_are_cancelled(backend: AsyncBackend) -> None:
    network = Network(backend, a=backend.sleep_forever, b=backend.sleep_forever, c=answer)

    connection = await connect_first(backend, [address(host) for host in "abc"], network.connect, 0)

    assert connection.host == "c"
    assert sorted(network.cancelled) == ["a", "b"]


async def test_one_that_comes_second_is_aborted(backend: AsyncBackend) -> None:
    go = backend.create_event()

    async def answer_all_the_same() -> None:
        await backend.ignore_cancellation(go.wait())

    async def answer_and_let_go() -> None:
        go.set()

    network = Network(backend, a=answer_all_the_same, b=answer_and_let_go)

    winner = await connect_first(backend, [address("a"), address("b")], network.connect, 0)

    assert len(network.connections) == 2
    assert [connection.aborted for connection in network.connections] == [
        connection is not winner for connection in network.connections
    ]


async def test_when_all_fail_the_error_names_every_address(backend: AsyncBackend) -> None:
    network = Network(backend, a=refuse, b=unreachable)

    with pytest.raises(OSError, match=r"'a', 80.*refused.*'b', 80.*unreachable") as caught:
        await connect_first(backend, [address("a"), address("b")], network.connect)

    assert "(2 sub-exceptions)" in str(caught.value.__cause__)


async def test_when_all_fail_alike_the_error_is_of_that_kind(backend: AsyncBackend) -> None:
    network = Network(backend, a=refuse, b=refuse)

    with pytest.raises(ConnectionRefusedError, match=r"'a', 80.*'b', 80") as caught:
        await connect_first(backend, [address("a"), address("b")], network.connect)

    assert caught.value.errno == errno.ECONNREFUSED


async def test_no_address_is_an_os_error(backend: AsyncBackend) -> None:
    with pytest.raises(OSError, match="no address"):
        await connect_first(backend, [], Network(backend).connect)


async def test_other_errors_stop_the_search(backend: AsyncBackend) -> None:
    async def crash() -> None:
        raise OverflowError("port must be 0-65535.")

    network = Network(backend, a=backend.sleep_forever, b=crash, c=backend.sleep_forever)

    with pytest.raises(OverflowError):
        await connect_first(backend, [address(host) for host in "abc"], network.connect, 0)


async def test_cancellation_ends_every_attempt(backend: AsyncBackend) -> None:
    network = Network(backend, a=backend.sleep_forever, b=backend.sleep_forever)

    async with backend.create_task_group() as group:
        task = await group.start(connect_first, backend, [address("a"), address("b")], network.connect, 0)
        while len(network.attempts) < 2:
            await backend.coro_yield()
        task.cancel()

    assert task.cancelled()
    assert sorted(network.cancelled) == ["a", "b"]


@pytest.mark.parametrize(("delay", "step"), [(None, 0.25), (2, 2)])
def test_silent_addresses_are_overtaken_after_the_delay(
    backend: AsyncBackend, delay: float | None, step: float
) -> None:
    async def main() -> list[tuple[str, float]]:
        network = Network(backend, a=backend.sleep_forever, b=backend.sleep_forever, c=refuse, d=answer)
        await connect_first(backend, [address(host) for host in "abcd"], network.connect, delay)
        return network.attempts

    attempts = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    assert attempts == [("a", 0), ("b", step), ("c", 2 * step), ("d", 2 * step)]
