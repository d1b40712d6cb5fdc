# SPDX-License-Identifier: Apache-2.0
"""The executable half of `ControlDatagramEndpoint` and `ControlDatagramListener` in
`easynetwork.lowlevel.datagrams`.
"""

from __future__ import annotations

import socket as _socket
from collections.abc import Awaitable, Callable
from typing import Any, Final

from ..api_async.backend.abc import AsyncBackend
from ..datagrams import ControlDatagramEndpoint, ControlDatagramListener
from ._descriptors import close_received, control_space, nothing_left_open, passing_pipes, received
from ._rules import SHORT, must_raise, named, until_idle

__all__ = ("check_control_datagrams",)

_BUFSIZE: Final = 4096


async def check_control_datagrams(
    backend: AsyncBackend,
    make_listener: Callable[[], Awaitable[ControlDatagramListener]],
    connect: Callable[[ControlDatagramListener], Awaitable[ControlDatagramEndpoint]],
) -> None:
    """Examines how a listener and an endpoint of Unix sockets pass descriptors, beside what the
    other checks examine.

    Args:
        make_listener: opens a new one each time.
        connect: makes an endpoint whose peer is the listener, and that can be answered.
    """
    for rule in (
        _descriptors_arrive_both_ways,
        _control_messages_stay_with_their_datagrams,
        _an_empty_datagram_carries_them_too,
        _a_message_to_a_full_queue_is_sent_later,
        _a_plain_receive_throws_them_away,
        _a_cancelled_receive_takes_nothing,
        _a_receive_past_its_deadline_takes_nothing,
        _truncation_is_reported,
        _what_was_never_received_is_closed,
        _closed_sockets_refuse_messages,
    ):
        with named(rule), nothing_left_open():
            listener = await make_listener()
            endpoint = await connect(listener)
            try:
                await rule(backend, listener, endpoint)
            finally:
                await endpoint.aclose()
                await listener.aclose()


async def _address_of(listener: ControlDatagramListener, endpoint: ControlDatagramEndpoint) -> Any:
    await endpoint.send(b"where am I?")
    _, address = await listener.receive()
    return address


async def _descriptors_arrive_both_ways(
    backend: AsyncBackend, listener: ControlDatagramListener, endpoint: ControlDatagramEndpoint
) -> None:
    for deadline in (None, 10):
        with passing_pipes(2) as (reading_ends, messages):
            until = None if deadline is None else backend.current_time() + deadline
            await endpoint.send_message(b"question", messages)
            data, got, flags, address = await listener.receive_message(_BUFSIZE, until)
            assert data == b"question"
            received(got, reading_ends)
            _must_be_whole(flags)

            await listener.send_message(b"answer", messages, address)
            data, got, flags = await endpoint.receive_message(_BUFSIZE, until)
            assert data == b"answer"
            received(got, reading_ends)
            _must_be_whole(flags)

            assert listener.send_message_nowait(b"again", messages, address)
            data, got, flags = await endpoint.receive_message(_BUFSIZE, until)
            assert data == b"again"
            received(got, reading_ends)


def _must_be_whole(flags: int) -> None:
    assert not flags & (_socket.MSG_TRUNC | _socket.MSG_CTRUNC), flags


async def _control_messages_stay_with_their_datagrams(
    backend: AsyncBackend, listener: ControlDatagramListener, endpoint: ControlDatagramEndpoint
) -> None:
    with passing_pipes() as (reading_ends, messages):
        await endpoint.send(b"before")
        await endpoint.send_message(b"with", messages)
        await endpoint.send(b"after")
        for expected in (b"before", b"with", b"after"):
            data, got, _, _ = await listener.receive_message(_BUFSIZE)
            assert data == expected
            received(got, reading_ends if data == b"with" else [])


async def _an_empty_datagram_carries_them_too(
    backend: AsyncBackend, listener: ControlDatagramListener, endpoint: ControlDatagramEndpoint
) -> None:
    with passing_pipes() as (reading_ends, messages):
        await endpoint.send_message(b"", messages)
        data, got, _, _ = await listener.receive_message(_BUFSIZE)
        assert data == b""
        received(got, reading_ends)


async def _a_message_to_a_full_queue_is_sent_later(
    backend: AsyncBackend, listener: ControlDatagramListener, endpoint: ControlDatagramEndpoint
) -> None:
    address = await _address_of(listener, endpoint)
    sent = 0
    while listener.send_message_nowait(b"%d" % sent, [], address):
        sent += 1
    with passing_pipes() as (reading_ends, messages):
        async with backend.create_task_group() as tasks:
            sending = await tasks.start(listener.send_message, b"last", messages, address)
            await until_idle(backend)
            assert not sending.done()
            for number in range(sent):
                assert await endpoint.receive() == b"%d" % number
            await sending.join()
        data, got, _ = await endpoint.receive_message(_BUFSIZE, backend.current_time())
        assert data == b"last"
        received(got, reading_ends)


async def _a_plain_receive_throws_them_away(
    backend: AsyncBackend, listener: ControlDatagramListener, endpoint: ControlDatagramEndpoint
) -> None:
    with nothing_left_open(), passing_pipes() as (_, messages):
        await endpoint.send_message(b"question", messages)
        data, address = await listener.receive()
        assert data == b"question"
        await listener.send_message(b"answer", messages, address)
        assert await endpoint.receive() == b"answer"


async def _a_cancelled_receive_takes_nothing(
    backend: AsyncBackend, listener: ControlDatagramListener, endpoint: ControlDatagramEndpoint
) -> None:
    for _ in range(20):
        with passing_pipes() as (reading_ends, messages):
            async with backend.create_task_group() as tasks:
                got: list[Any] = []

                async def receive() -> None:
                    got.append(await listener.receive_message(_BUFSIZE))  # noqa: B023  # each round waits for its own task

                task = await tasks.start(receive)
                await endpoint.send_message(b"x", messages)  # the datagram and the cancellation race
                task.cancel()
            if not got:
                got.append(await listener.receive_message(_BUFSIZE))
            ((data, control, _, _),) = got
            assert data == b"x"
            received(control, reading_ends)


async def _a_receive_past_its_deadline_takes_nothing(
    backend: AsyncBackend, listener: ControlDatagramListener, endpoint: ControlDatagramEndpoint
) -> None:
    for timeout in (0, SHORT):
        await must_raise(TimeoutError, listener.receive_message(_BUFSIZE, backend.current_time() + timeout))
        await must_raise(TimeoutError, endpoint.receive_message(_BUFSIZE, backend.current_time() + timeout))
    with passing_pipes() as (reading_ends, messages):
        await endpoint.send_message(b"x", messages)
        data, got, _, _ = await listener.receive_message(_BUFSIZE, backend.current_time())
        assert data == b"x"
        received(got, reading_ends)


async def _truncation_is_reported(
    backend: AsyncBackend, listener: ControlDatagramListener, endpoint: ControlDatagramEndpoint
) -> None:
    address = await _address_of(listener, endpoint)
    with passing_pipes(4) as (_, messages):
        await endpoint.send_message(b"x", messages)
        data, got, flags, _ = await listener.receive_message(control_space(1))
        assert close_received(got) < 4
        assert data == b"x"
        assert flags & _socket.MSG_CTRUNC

        await listener.send_message(b"y", messages, address)
        data, got, flags = await endpoint.receive_message(control_space(1))
        assert close_received(got) < 4
        assert data == b"y"
        assert flags & _socket.MSG_CTRUNC


async def _what_was_never_received_is_closed(
    backend: AsyncBackend, listener: ControlDatagramListener, endpoint: ControlDatagramEndpoint
) -> None:
    address = await _address_of(listener, endpoint)
    with passing_pipes() as (_, messages):
        await endpoint.send_message(b"x", messages)
        await listener.send_message(b"x", messages, address)


async def _closed_sockets_refuse_messages(
    backend: AsyncBackend, listener: ControlDatagramListener, endpoint: ControlDatagramEndpoint
) -> None:
    address = await _address_of(listener, endpoint)
    await listener.aclose()
    await endpoint.aclose()
    with passing_pipes() as (_, messages):
        await must_raise(OSError, endpoint.send_message(b"x", messages))
        await must_raise(OSError, listener.send_message(b"x", messages, address))
    await must_raise(OSError, endpoint.receive_message(_BUFSIZE))
    await must_raise(OSError, listener.receive_message(_BUFSIZE))
