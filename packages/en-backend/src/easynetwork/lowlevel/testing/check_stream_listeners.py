# SPDX-License-Identifier: Apache-2.0
"""The executable half of `easynetwork.lowlevel.streams`: what every `StreamListener` must pass."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..api_async.backend.abc import AsyncBackend
from ..streams import ByteStream, ClosedListenerError, StreamListener
from ._rules import PATIENCE, SHORT, must_raise, named, until_idle

__all__ = ("check_stream_listener",)

_MakeListener = Callable[[], Awaitable[StreamListener]]
_Connect = Callable[[StreamListener], Awaitable[ByteStream]]


async def check_stream_listener(
    backend: AsyncBackend,
    make_listener: _MakeListener,
    connect: _Connect,
) -> None:
    """Examines a listener. A rule that is not kept raises, and is named in a note on the exception.

    Args:
        make_listener: opens a new one each time.
        connect: connects to it.
    """
    for rule in (
        _connections_wait_until_they_are_accepted,
        _each_connection_has_its_own_stream,
        _a_connection_that_is_here_can_be_accepted_without_waiting,
        _a_cancelled_accept_loses_no_connection,
        _closing_wakes_who_accepts,
        _a_closed_listener_refuses_to_accept,
    ):
        listener = await make_listener()
        try:
            with named(rule):
                await rule(backend, listener, connect)
        finally:
            await listener.aclose()
    with named(_closing_again_disturbs_no_other_listener):
        await _closing_again_disturbs_no_other_listener(backend, make_listener, connect)


async def _connections_wait_until_they_are_accepted(
    backend: AsyncBackend, listener: StreamListener, connect: _Connect
) -> None:
    theirs = await connect(listener)
    ours = await listener.accept()
    await theirs.send(b"x")
    assert await ours.receive(10) == b"x"
    assert ours.backend() is listener.backend() is backend
    ours.abort()
    theirs.abort()


async def _each_connection_has_its_own_stream(
    backend: AsyncBackend, listener: StreamListener, connect: _Connect
) -> None:
    theirs = [await connect(listener) for _ in range(3)]
    ours = [await listener.accept() for _ in theirs]
    for number, stream in enumerate(theirs):
        await stream.send(b"%d" % number)
    assert sorted([await stream.receive(10) for stream in ours]) == [b"0", b"1", b"2"]
    for stream in (*ours, *theirs):
        stream.abort()


async def _a_connection_that_is_here_can_be_accepted_without_waiting(
    backend: AsyncBackend, listener: StreamListener, connect: _Connect
) -> None:
    assert listener.backlog > 0
    assert listener.accept_nowait() is None
    theirs = await connect(listener)
    with backend.timeout(PATIENCE):
        while (ours := listener.accept_nowait()) is None:
            await backend.coro_yield()
    await theirs.send(b"x")
    assert await ours.receive(10) == b"x"
    assert listener.accept_nowait() is None
    ours.abort()
    theirs.abort()


async def _a_cancelled_accept_loses_no_connection(
    backend: AsyncBackend, listener: StreamListener, connect: _Connect
) -> None:
    async with backend.create_task_group() as tasks:
        task = await tasks.start(listener.accept)
        await backend.sleep(SHORT)
        task.cancel()
    late = await connect(listener)
    (await listener.accept()).abort()
    late.abort()


async def _closing_wakes_who_accepts(backend: AsyncBackend, listener: StreamListener, connect: _Connect) -> None:
    async with backend.create_task_group() as tasks:

        async def accept() -> None:
            await must_raise(ClosedListenerError, listener.accept())

        await tasks.start(accept)
        await backend.sleep(SHORT)
        await listener.aclose()


async def _a_closed_listener_refuses_to_accept(
    backend: AsyncBackend, listener: StreamListener, connect: _Connect
) -> None:
    assert not listener.is_closing()
    await listener.aclose()
    await listener.aclose()
    assert listener.is_closing()
    await must_raise(ClosedListenerError, listener.accept())
    try:
        listener.accept_nowait()
    except ClosedListenerError:
        return
    raise AssertionError("accept_nowait() did not raise")


async def _closing_again_disturbs_no_other_listener(
    backend: AsyncBackend, make_listener: _MakeListener, connect: _Connect
) -> None:
    closed = await make_listener()
    await closed.aclose()
    listener = await make_listener()  # probably has the first one's descriptor number
    try:
        with backend.timeout(PATIENCE):
            async with backend.create_task_group() as tasks:
                accepting = await tasks.start(listener.accept)
                await until_idle(backend)
                await closed.aclose()
                theirs = await connect(listener)
                (await accepting.join()).abort()
                theirs.abort()
    finally:
        await listener.aclose()
