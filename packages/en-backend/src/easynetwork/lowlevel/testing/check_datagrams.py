# SPDX-License-Identifier: Apache-2.0
"""The executable half of `easynetwork.lowlevel.datagrams`: what every `DatagramEndpoint` must
pass.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from ..api_async.backend.abc import AsyncBackend
from ..datagrams import DatagramEndpoint
from ._rules import PATIENCE, SHORT, must_raise, named, until_idle

__all__ = ("check_datagram_endpoint",)

_MakePair = Callable[[], Awaitable[tuple[DatagramEndpoint, DatagramEndpoint]]]

_TOO_LONG: Final = bytes(1 << 24)
"""16 MiB: more than any datagram socket sends at once."""


async def check_datagram_endpoint(
    backend: AsyncBackend,
    make_pair: _MakePair,
) -> None:
    """Examines both of two endpoints.

    A rule that is not kept raises, and is named in a note on the exception.

    Args:
        make_pair: connects two endpoints to each other, anew each time.
    """
    for rule in (
        _datagrams_keep_their_boundaries_both_ways,
        _an_empty_datagram_is_a_datagram,
        _a_cancelled_receive_takes_nothing,
        _a_receive_past_its_deadline_takes_nothing,
        _a_receive_whose_time_is_up_takes_what_is_there,
        _a_datagram_that_is_too_long_is_refused_alone,
        _closing_wakes_the_receiver,
        _a_closed_endpoint_refuses_everything,
    ):
        ours, theirs = await make_pair()
        try:
            with named(rule):
                await rule(backend, ours, theirs)
        finally:
            await ours.aclose()
            await theirs.aclose()
    with named(_closing_again_disturbs_no_other_endpoint):
        await _closing_again_disturbs_no_other_endpoint(backend, make_pair)


async def _datagrams_keep_their_boundaries_both_ways(
    backend: AsyncBackend, ours: DatagramEndpoint, theirs: DatagramEndpoint
) -> None:
    for here, there in ((ours, theirs), (theirs, ours)):
        for kind in (bytes, bytearray, memoryview):
            await here.send(kind(b"first "))
            await here.send(kind(b"second"))
            assert [await there.receive(), await there.receive()] == [b"first ", b"second"]


async def _an_empty_datagram_is_a_datagram(
    backend: AsyncBackend, ours: DatagramEndpoint, theirs: DatagramEndpoint
) -> None:
    await ours.send(b"")
    await ours.send(b"x")
    assert [await theirs.receive(), await theirs.receive()] == [b"", b"x"]


async def _a_cancelled_receive_takes_nothing(
    backend: AsyncBackend, ours: DatagramEndpoint, theirs: DatagramEndpoint
) -> None:
    for _ in range(20):
        async with backend.create_task_group() as tasks:
            got: list[bytes] = []

            async def receive() -> None:
                got.append(await theirs.receive())  # noqa: B023  # each round waits for its own task

            task = await tasks.start(receive)
            await ours.send(b"x")  # the datagram and the cancellation race
            task.cancel()
        if not got:
            got.append(await theirs.receive())
        assert got == [b"x"]


async def _a_receive_past_its_deadline_takes_nothing(
    backend: AsyncBackend, ours: DatagramEndpoint, theirs: DatagramEndpoint
) -> None:
    for timeout in (0, SHORT):
        deadline = backend.current_time() + timeout
        await must_raise(TimeoutError, theirs.receive(deadline))
        assert backend.current_time() >= deadline - 0.005
    await ours.send(b"x")
    assert await theirs.receive(backend.current_time() + 10) == b"x"


async def _a_receive_whose_time_is_up_takes_what_is_there(
    backend: AsyncBackend, ours: DatagramEndpoint, theirs: DatagramEndpoint
) -> None:
    await ours.send(b"first")
    await ours.send(b"second")
    assert await theirs.receive() == b"first"
    assert await theirs.receive(backend.current_time()) == b"second"


async def _a_datagram_that_is_too_long_is_refused_alone(
    backend: AsyncBackend, ours: DatagramEndpoint, theirs: DatagramEndpoint
) -> None:
    await must_raise(OSError, ours.send(_TOO_LONG))
    await ours.send(b"x")
    assert await theirs.receive() == b"x"


async def _closing_wakes_the_receiver(backend: AsyncBackend, ours: DatagramEndpoint, theirs: DatagramEndpoint) -> None:
    async with backend.create_task_group() as tasks:

        async def receive() -> None:
            await must_raise(OSError, theirs.receive())

        await tasks.start(receive)
        await backend.sleep(SHORT)
        await theirs.aclose()


async def _a_closed_endpoint_refuses_everything(
    backend: AsyncBackend, ours: DatagramEndpoint, theirs: DatagramEndpoint
) -> None:
    assert ours.backend() is backend
    assert not ours.is_closing()
    await ours.aclose()
    await ours.aclose()
    assert ours.is_closing()
    await must_raise(OSError, ours.receive())
    await must_raise(OSError, ours.send(b"x"))


async def _closing_again_disturbs_no_other_endpoint(backend: AsyncBackend, make_pair: _MakePair) -> None:
    closed = await make_pair()
    for endpoint in closed:
        await endpoint.aclose()
    ours, theirs = await make_pair()  # probably has the descriptor numbers of the first pair
    try:
        with backend.timeout(PATIENCE):
            async with backend.create_task_group() as tasks:
                receiving = [await tasks.start(endpoint.receive) for endpoint in (ours, theirs)]
                await until_idle(backend)
                for endpoint in closed:
                    await endpoint.aclose()
                await ours.send(b"x")
                await theirs.send(b"x")
                assert [await task.join() for task in receiving] == [b"x", b"x"]
    finally:
        await ours.aclose()
        await theirs.aclose()
