# SPDX-License-Identifier: Apache-2.0
"""The executable half of `easynetwork.lowlevel.datagrams`: what every `DatagramListener` must
pass.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

from ..api_async.backend.abc import AsyncBackend
from ..datagrams import DatagramEndpoint, DatagramListener
from ._rules import PATIENCE, SHORT, must_raise, named, until_idle

__all__ = ("check_datagram_listener",)

_MORE_THAN_FIT: Final = 2000
"""Datagrams: more than the queue of a socket takes (``net.unix.max_dgram_qlen``)."""

_LONGEST_DELAY: Final = 1.0
"""Seconds, of which 0.95 are for a busy machine."""

_MakeListener = Callable[[], Awaitable[DatagramListener]]
_Connect = Callable[[DatagramListener], Awaitable[DatagramEndpoint]]


async def check_datagram_listener(
    backend: AsyncBackend,
    make_listener: _MakeListener,
    connect: _Connect,
) -> None:
    """Examines a listener. A rule that is not kept raises, and is named in a note on the exception.

    Args:
        make_listener: opens a new one each time.
        connect: makes an endpoint whose peer is the listener, and that can be answered.
    """
    for rule in (
        _an_answer_goes_to_the_sender_alone,
        _what_can_be_sent_without_waiting_is_sent_at_once,
        _a_full_queue_is_told_and_can_be_waited_for,
        _a_peer_that_reads_nothing_holds_up_nobody_else,
        _an_empty_datagram_is_a_datagram,
        _a_cancelled_receive_takes_nothing,
        _a_receive_past_its_deadline_takes_nothing,
        _an_interrupted_receive_takes_nothing,
        _a_peer_that_is_gone_disturbs_nobody,
        _closing_wakes_the_receiver,
        _a_closed_listener_refuses_everything,
    ):
        listener = await make_listener()
        peers = [await connect(listener) for _ in range(2)]
        try:
            with named(rule):
                await rule(backend, listener, *peers)
        finally:
            for socket in (listener, *peers):
                await socket.aclose()
    with named(_closing_again_disturbs_no_other_listener):
        await _closing_again_disturbs_no_other_listener(backend, make_listener, connect)


async def _an_answer_goes_to_the_sender_alone(
    backend: AsyncBackend, listener: DatagramListener, first: DatagramEndpoint, second: DatagramEndpoint
) -> None:
    for peer, name in ((first, b"first"), (second, b"second")):
        await peer.send(name)
        data, address = await listener.receive()
        assert data == name
        await listener.send(b"answer to " + data, address)
    assert await second.receive() == b"answer to second"
    assert await first.receive() == b"answer to first"
    for peer in (first, second):
        await must_raise(TimeoutError, peer.receive(backend.current_time() + SHORT))


async def _what_can_be_sent_without_waiting_is_sent_at_once(
    backend: AsyncBackend, listener: DatagramListener, first: DatagramEndpoint, second: DatagramEndpoint
) -> None:
    await first.send(b"question")
    _, address = await listener.receive()
    for kind in (bytes, bytearray, memoryview):
        assert listener.send_nowait(kind(b"answer"), address)
        assert await first.receive() == b"answer"


async def _a_full_queue_is_told_and_can_be_waited_for(
    backend: AsyncBackend, listener: DatagramListener, first: DatagramEndpoint, second: DatagramEndpoint
) -> None:
    await first.send(b"question")
    _, address = await listener.receive()
    sent = _fill(listener, address)
    if sent == _MORE_THAN_FIT:
        return  # a kind of socket that sheds what does not fit
    async with backend.create_task_group() as tasks:
        task = await tasks.start(listener.send, b"last", address)
        await backend.sleep(SHORT)
        received = [await first.receive() for _ in range(sent + 1)]
        await task.join()
    assert received == [*(b"%d" % number for number in range(sent)), b"last"]


async def _a_peer_that_reads_nothing_holds_up_nobody_else(
    backend: AsyncBackend, listener: DatagramListener, first: DatagramEndpoint, second: DatagramEndpoint
) -> None:
    addresses: list[Any] = []
    for peer in (first, second):
        await peer.send(b"question")
        addresses.append((await listener.receive())[1])
    _fill(listener, addresses[0])
    for _ in range(10):
        start = backend.current_time()
        await listener.send(b"answer", addresses[1])
        assert await second.receive() == b"answer"
        assert backend.current_time() < start + _LONGEST_DELAY


def _fill(listener: DatagramListener, address: Any) -> int:
    """Sends numbers until there is no room; tells how many."""
    sent = 0
    while sent < _MORE_THAN_FIT and listener.send_nowait(b"%d" % sent, address):
        sent += 1
    return sent


async def _an_empty_datagram_is_a_datagram(
    backend: AsyncBackend, listener: DatagramListener, first: DatagramEndpoint, second: DatagramEndpoint
) -> None:
    await first.send(b"")
    data, address = await listener.receive()
    await listener.send(data, address)
    assert await first.receive() == data == b""


async def _a_cancelled_receive_takes_nothing(
    backend: AsyncBackend, listener: DatagramListener, first: DatagramEndpoint, second: DatagramEndpoint
) -> None:
    for _ in range(20):
        async with backend.create_task_group() as tasks:
            got: list[tuple[bytes, Any]] = []

            async def receive() -> None:
                got.append(await listener.receive())  # noqa: B023  # each round waits for its own task

            task = await tasks.start(receive)
            await first.send(b"x")  # the datagram and the cancellation race
            task.cancel()
        if not got:
            got.append(await listener.receive())
        assert [data for data, _ in got] == [b"x"]


async def _a_receive_past_its_deadline_takes_nothing(
    backend: AsyncBackend, listener: DatagramListener, first: DatagramEndpoint, second: DatagramEndpoint
) -> None:
    for timeout in (0, SHORT):
        deadline = backend.current_time() + timeout
        await must_raise(TimeoutError, listener.receive(deadline))
        assert backend.current_time() >= deadline - 0.005
    await first.send(b"x")
    data, _ = await listener.receive(backend.current_time() + 10)
    assert data == b"x"


class _Interruption(Exception):
    pass


async def _an_interrupted_receive_takes_nothing(
    backend: AsyncBackend, listener: DatagramListener, first: DatagramEndpoint, second: DatagramEndpoint
) -> None:
    listener.interrupt_receive(_Interruption())  # nobody waits, so nobody is told
    async with backend.create_task_group() as tasks:
        await tasks.start(must_raise, _Interruption, listener.receive())
        await backend.sleep(SHORT)
        listener.interrupt_receive(_Interruption())
    await first.send(b"x")
    data, _ = await listener.receive()
    assert data == b"x"


async def _a_peer_that_is_gone_disturbs_nobody(
    backend: AsyncBackend, listener: DatagramListener, first: DatagramEndpoint, second: DatagramEndpoint
) -> None:
    await first.send(b"question")
    _, address = await listener.receive()
    await first.aclose()
    for _ in range(3):
        with contextlib.suppress(OSError):  # the one who sends to it may be told, nobody else
            await listener.send(b"answer", address)
    await second.send(b"x")
    data, address = await listener.receive()
    await listener.send(data, address)
    assert await second.receive() == b"x"


async def _closing_wakes_the_receiver(
    backend: AsyncBackend, listener: DatagramListener, first: DatagramEndpoint, second: DatagramEndpoint
) -> None:
    async with backend.create_task_group() as tasks:

        async def receive() -> None:
            await must_raise(OSError, listener.receive())

        await tasks.start(receive)
        await backend.sleep(SHORT)
        await listener.aclose()


async def _a_closed_listener_refuses_everything(
    backend: AsyncBackend, listener: DatagramListener, first: DatagramEndpoint, second: DatagramEndpoint
) -> None:
    await first.send(b"x")
    _, address = await listener.receive()
    assert listener.backend() is backend
    assert not listener.is_closing()
    await listener.aclose()
    await listener.aclose()
    assert listener.is_closing()
    await must_raise(OSError, listener.receive())
    await must_raise(OSError, listener.send(b"x", address))
    try:
        listener.send_nowait(b"x", address)
    except OSError:
        return
    raise AssertionError("send_nowait() on a closed listener did not raise")


async def _closing_again_disturbs_no_other_listener(
    backend: AsyncBackend, make_listener: _MakeListener, connect: _Connect
) -> None:
    closed = await make_listener()
    await closed.aclose()
    listener = await make_listener()  # probably has the first one's descriptor number
    peer = await connect(listener)
    try:
        with backend.timeout(PATIENCE):
            async with backend.create_task_group() as tasks:
                receiving = await tasks.start(listener.receive)
                await until_idle(backend)
                await closed.aclose()
                await peer.send(b"x")
                data, _ = await receiving.join()
                assert data == b"x"
    finally:
        await peer.aclose()
        await listener.aclose()
