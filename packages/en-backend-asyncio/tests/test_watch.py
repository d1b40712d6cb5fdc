# SPDX-License-Identifier: Apache-2.0
"""Rules of asyncio alone: cancellation is delivered once, and some loops cannot watch sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from easynetwork.backends.asyncio import AsyncIOBackend
from easynetwork.exceptions import UnsupportedOperation
from easynetwork.lowlevel.streams import ByteStream
from easynetwork.lowlevel.testing.real_sockets import TCP

WAKE_UPS: dict[str, Callable[[ByteStream], None]] = {
    "interrupt": lambda stream: stream.interrupt_receive(LookupError()),
    "abort": lambda stream: stream.abort(),
}


@pytest.mark.anyio
@pytest.mark.parametrize("wake", WAKE_UPS.values(), ids=WAKE_UPS)
async def test_a_cancellation_between_a_wake_up_and_the_next_step_is_not_lost(
    backend: AsyncIOBackend, wake: Callable[[ByteStream], None]
) -> None:
    ours, theirs = await TCP(backend).wrap_pair()

    async def receive() -> bytes:
        return await ours.receive(1)

    task = asyncio.create_task(receive())
    await asyncio.sleep(0)

    wake(ours)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    ours.abort()
    theirs.abort()


class LoopWithoutReaders(asyncio.SelectorEventLoop):
    """In this it is like the proactor loop of Windows."""

    add_reader = asyncio.AbstractEventLoop.add_reader


Operation = Callable[[AsyncIOBackend, socket.socket], Awaitable[Any]]

OPERATIONS: dict[str, Operation] = {
    "TCP connection": lambda backend, _: backend.create_tcp_connection("127.0.0.1", 1),
    "TCP listeners": lambda backend, _: backend.create_tcp_listeners("127.0.0.1", 0, 1),
    "UDP endpoint": lambda backend, _: backend.create_udp_endpoint("127.0.0.1", 1),
    "UDP listeners": lambda backend, _: backend.create_udp_listeners("127.0.0.1", 0),
    "stream socket": lambda backend, connected: backend.wrap_stream_socket(connected),
    "datagram socket": lambda backend, connected: backend.wrap_connected_datagram_socket(connected),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_a_loop_that_cannot_watch_sockets_is_refused_in_words(operation: Operation) -> None:
    async def main() -> None:
        connected, peer = socket.socketpair()
        with connected, peer, pytest.raises(UnsupportedOperation, match=r"LoopWithoutReaders .* add_reader\(\)"):
            await operation(AsyncIOBackend(), connected)

    AsyncIOBackend().bootstrap(main, runner_options={"loop_factory": LoopWithoutReaders})
