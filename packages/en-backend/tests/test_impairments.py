# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.datagrams import DatagramEndpoint
from easynetwork.lowlevel.testing import (
    Impairments,
    MemoryBackend,
    MemoryDatagramNetwork,
    check_datagram_endpoint,
    memory_datagram_pair,
)

in_an_event_loop = pytest.mark.anyio

MANY = [bytes([number]) for number in range(100)]


async def travel(backend: AsyncBackend, impairments: Impairments, datagrams: list[bytes] = MANY) -> list[bytes]:
    """What arrives, in order. No delay in here is as long as what the end of it waits for."""
    ours, theirs = memory_datagram_pair(backend, capacity=2 * len(datagrams), impairments=impairments)
    for data in datagrams:
        await ours.send(data)
    await ours.send(b"")  # so that the last one can be overtaken, too
    arrived: list[bytes] = []
    try:
        while True:
            arrived.append(await theirs.receive(backend.current_time() + 0.05))
    except TimeoutError:
        return [data for data in arrived if data]


def with_virtual_time(main: Any) -> Any:
    # Not by `bootstrap`: older releases of anyio do not hand a clock on.
    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@pytest.mark.parametrize("field", ["loss", "duplicate", "reorder"])
def test_probabilities_are_from_0_to_1(field: str) -> None:
    def impairments(value: Any) -> Impairments:
        return Impairments(**{field: value})

    assert [impairments(good).impairs_nothing for good in (0, 0.5, 1)] == [True, False, False]
    for bad in -0.1, 1.1, float("nan"):
        with pytest.raises(ValueError, match=field):
            impairments(bad)
    for wrong in "1", None, True:
        with pytest.raises(TypeError, match=field):
            impairments(wrong)


@pytest.mark.parametrize("delay", [-1, float("inf"), float("nan"), (-1, 1), (2, 1)])
def test_delays_are_not_negative_and_end(delay: Any) -> None:
    with pytest.raises(ValueError, match="delay"):
        Impairments(delay=delay)


@pytest.mark.parametrize("delay", ["1", None, True, (1,), (1, 2, 3), (1, "2")])
def test_delays_are_numbers_or_pairs_of_them(delay: Any) -> None:
    with pytest.raises(TypeError, match="delay"):
        Impairments(delay=delay)


def test_seeds_are_integers() -> None:
    with pytest.raises(TypeError, match="seed"):
        Impairments(seed="1")  # type: ignore[arg-type]  # the error to be found


@in_an_event_loop
async def test_no_impairments_change_nothing(backend: AsyncBackend) -> None:
    assert await travel(backend, Impairments(seed=7)) == MANY


@in_an_event_loop
async def test_as_many_are_lost_as_is_likely(backend: AsyncBackend) -> None:
    arrived = await travel(backend, Impairments(loss=0.3, seed=1))

    assert arrived == sorted(arrived)
    assert 55 <= len(arrived) <= 85
    assert await travel(backend, Impairments(loss=1)) == []


@in_an_event_loop
async def test_duplicates_arrive_twice(backend: AsyncBackend) -> None:
    arrived = await travel(backend, Impairments(duplicate=0.3, seed=1))

    assert sorted(set(arrived)) == MANY
    assert 115 <= len(arrived) <= 145
    assert len(await travel(backend, Impairments(duplicate=1))) == 200


@in_an_event_loop
@pytest.mark.parametrize("reorder", [0.2, 1])
async def test_overtaken_datagrams_arrive_out_of_order_and_all(backend: AsyncBackend, reorder: float) -> None:
    arrived = await travel(backend, Impairments(reorder=reorder, seed=1))

    assert arrived != MANY
    assert sorted(arrived) == MANY


@in_an_event_loop
async def test_the_last_one_is_not_held_back_for_ever(backend: AsyncBackend) -> None:
    ours, theirs = memory_datagram_pair(backend, impairments=Impairments(reorder=1))
    await ours.send(b"alone")

    assert await theirs.receive() == b"alone"


@in_an_event_loop
async def test_who_waits_already_sees_who_overtakes(backend: AsyncBackend) -> None:
    ours, theirs = memory_datagram_pair(backend, impairments=Impairments(reorder=1, delay=0.01))
    arrived: list[bytes] = []

    async def receive() -> None:
        arrived.extend([await theirs.receive(), await theirs.receive()])

    async with backend.create_task_group() as tasks:
        await tasks.start(receive)
        await ours.send(b"1")
        await ours.send(b"2")

    assert arrived == [b"2", b"1"]


@in_an_event_loop
async def test_the_same_seed_gives_the_same_accidents(backend: AsyncBackend) -> None:
    async def accidents(seed: int) -> list[bytes]:
        return await travel(backend, Impairments(loss=0.2, duplicate=0.2, reorder=0.2, seed=seed))

    assert await accidents(1) == await accidents(1)
    assert await accidents(1) != await accidents(2)


@in_an_event_loop
async def test_what_one_sender_does_changes_no_accident_of_another(backend: AsyncBackend) -> None:
    async def accidents(noise: int) -> list[bytes]:
        network = MemoryDatagramNetwork(backend, impairments=Impairments(loss=0.5))
        listener = network.open_listener()
        quiet, noisy = network.open_endpoint(listener.address), network.open_endpoint(listener.address)
        for data in MANY[:20]:
            await quiet.send(data)
            for _ in range(noise):
                await noisy.send(b"noise")
        arrived: list[bytes] = []
        try:
            while True:
                arrived.append((await listener.receive(backend.current_time()))[0])
        except TimeoutError:
            return [data for data in arrived if data != b"noise"]

    assert await accidents(0) == await accidents(3)


@in_an_event_loop
async def test_one_kind_of_accident_leaves_the_others_as_they_are(backend: AsyncBackend) -> None:
    lost = await travel(backend, Impairments(loss=0.5))

    assert sorted(set(await travel(backend, Impairments(loss=0.5, duplicate=0.5, reorder=0.5, delay=0.01)))) == lost


@in_an_event_loop
async def test_delayed_datagrams_take_their_time(backend: AsyncBackend) -> None:
    ours, theirs = memory_datagram_pair(backend, impairments=Impairments(delay=0.05))
    start = backend.current_time()
    await ours.send(b"1")
    await ours.send(b"2")
    with pytest.raises(TimeoutError):
        await theirs.receive(start + 0.01)

    assert [await theirs.receive(), await theirs.receive()] == [b"1", b"2"]
    assert backend.current_time() - start >= 0.05


def test_delays_are_in_virtual_time() -> None:
    backend = MemoryBackend(impairments=Impairments(delay=(1000, 5000)))

    async def main() -> dict[bytes, float]:
        (listener,) = await backend.create_udp_listeners("localhost", 0)
        endpoint = await backend.create_udp_endpoint("localhost", listener.address.port)
        start = backend.current_time()
        for data in MANY:
            await endpoint.send(data)
        return {(await listener.receive())[0]: backend.current_time() - start for _ in MANY}

    times = with_virtual_time(main)

    assert list(times) != MANY
    assert sorted(times) == MANY
    assert list(times.values()) == sorted(times.values())
    assert all(1000 <= time <= 5001 for time in times.values())
    assert max(times.values()) > 4000


def test_an_earlier_arrival_wakes_who_waits_for_a_later_one() -> None:
    backend = MemoryBackend()

    async def main() -> list[float]:
        ours, theirs = memory_datagram_pair(backend, impairments=Impairments(delay=(1, 1000)))
        times: list[float] = []

        async def receive() -> None:
            for _ in MANY:
                await theirs.receive()
                times.append(backend.current_time())

        async with backend.create_task_group() as tasks:
            await tasks.start(receive)
            for data in MANY:
                await ours.send(data)
                await backend.coro_yield()
        return times

    times = with_virtual_time(main)

    assert times == sorted(set(times))  # each came in its own time


@in_an_event_loop
async def test_what_is_under_way_counts_as_waiting(backend: AsyncBackend) -> None:
    ours, theirs = memory_datagram_pair(backend, capacity=2, impairments=Impairments(delay=0.01))
    for data in MANY[:5]:
        await ours.send(data)

    assert theirs.dropped == 3
    assert [await theirs.receive(), await theirs.receive()] == MANY[:2]


@in_an_event_loop
@pytest.mark.parametrize("impairments", [Impairments(delay=3600), Impairments(reorder=1)])
async def test_closing_forgets_what_is_under_way(backend: AsyncBackend, impairments: Impairments) -> None:
    ours, theirs = memory_datagram_pair(backend, impairments=impairments)
    await ours.send(b"x")

    async def receive() -> None:
        with pytest.raises(OSError, match="closed"):
            await theirs.receive()

    async with backend.create_task_group() as tasks:
        await tasks.start(receive)
        await theirs.aclose()
        await ours.aclose()


@in_an_event_loop
async def test_delayed_endpoints_pass_the_examination(backend: AsyncBackend) -> None:
    async def make_pair() -> tuple[DatagramEndpoint, DatagramEndpoint]:
        return memory_datagram_pair(backend, impairments=Impairments(delay=1e-6))

    await check_datagram_endpoint(backend, make_pair)
