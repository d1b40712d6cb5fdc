# SPDX-License-Identifier: Apache-2.0
"""The executable half of `easynetwork.lowlevel.streams.ControlByteStream`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from easynetwork.exceptions import BusyResourceError

from ..api_async.backend.abc import AsyncBackend
from ..streams import ControlByteStream, RawControlMessage
from ._descriptors import close_received, control_space, nothing_left_open, passing_pipes, received
from ._rules import SHORT, must_raise, named

__all__ = ("check_control_stream",)

_BUFSIZE: Final = 4096
_MORE_THAN_FITS: Final = bytes(1 << 24)


async def check_control_stream(
    backend: AsyncBackend,
    make_pair: Callable[[], Awaitable[tuple[ControlByteStream, ControlByteStream]]],
) -> None:
    """Examines how two connected streams pass descriptors, beside what `check_byte_stream`
    examines.

    Args:
        make_pair: connects two streams anew each time.
    """
    for rule in (
        _descriptors_arrive_with_every_kind_of_read,
        _control_messages_stay_with_their_bytes,
        _the_sink_is_told_of_other_reads_while_it_wants_to_be,
        _a_read_that_waits_already_tells_the_sink,
        _without_a_sink_they_are_thrown_away,
        _a_cancelled_receive_takes_nothing,
        _truncation_is_reported,
        _what_was_never_read_is_closed,
        _a_message_waits_for_room,
        _a_message_that_cannot_leave_whole_ends_the_connection,
        _a_message_without_bytes_is_refused,
        _a_closed_stream_refuses_messages,
    ):
        with named(rule), nothing_left_open():
            ours, theirs = await make_pair()
            try:
                await rule(backend, ours, theirs)
            finally:
                ours.abort()
                theirs.abort()


class _Reads:
    """A sink that writes down what it is told."""

    def __init__(self, stream: ControlByteStream, bufsize: int = _BUFSIZE) -> None:
        self.sizes: list[int] = []
        self.messages: list[RawControlMessage] = []
        self.truncated = False
        self.wants_all = True
        stream.deliver_control(self._tell, bufsize)

    def _tell(self, size: int, messages: Sequence[RawControlMessage], truncated: bool) -> bool:
        self.sizes.append(size)
        self.messages += messages
        self.truncated |= truncated
        return self.wants_all

    def take(self) -> list[RawControlMessage]:
        messages, self.messages = self.messages, []
        return messages


async def _descriptors_arrive_with_every_kind_of_read(
    backend: AsyncBackend, ours: ControlByteStream, theirs: ControlByteStream
) -> None:
    reads = _Reads(theirs)
    for seconds in (None, 0, 10):
        with passing_pipes(2) as (reading_ends, messages):
            await ours.send_message(b"xy", messages)
            deadline = None if seconds is None else backend.current_time() + seconds
            assert await theirs.receive(10, deadline) == b"xy"
            received(reads.take(), reading_ends)


async def _control_messages_stay_with_their_bytes(
    backend: AsyncBackend, ours: ControlByteStream, theirs: ControlByteStream
) -> None:
    reads = _Reads(theirs)
    with passing_pipes() as (reading_ends, messages):
        await ours.send(b"before")
        await ours.send_message(b"with", messages)
        await ours.send(b"after")
        data, start = b"", 0
        while not reads.messages:
            start = len(data)
            data += await theirs.receive(100)
        assert start <= 6 < len(data), (start, data)
        while len(data) < 15:
            data += await theirs.receive(100)
        assert data == b"beforewithafter"
        received(reads.take(), reading_ends)


async def _the_sink_is_told_of_other_reads_while_it_wants_to_be(
    backend: AsyncBackend, ours: ControlByteStream, theirs: ControlByteStream
) -> None:
    reads = _Reads(theirs)

    async def pass_on(size: int) -> None:
        await ours.send(bytes(size))
        await theirs.receive(100)

    await pass_on(1)
    assert reads.sizes == [], "no control messages have come yet"
    with passing_pipes() as (reading_ends, messages):
        await ours.send_message(bytes(2), messages)
        await theirs.receive(100)
        received(reads.take(), reading_ends)
    await pass_on(3)
    reads.wants_all = False
    await pass_on(4)
    await pass_on(5)
    assert reads.sizes == [2, 3, 4]
    assert not reads.truncated


async def _a_read_that_waits_already_tells_the_sink(
    backend: AsyncBackend, ours: ControlByteStream, theirs: ControlByteStream
) -> None:
    async with backend.create_task_group() as tasks:
        task = await tasks.start(theirs.receive, 10)
        await backend.sleep(SHORT)
        reads = _Reads(theirs)
        with passing_pipes() as (reading_ends, messages):
            await ours.send_message(b"x", messages)
            assert await task.join() == b"x"
            received(reads.take(), reading_ends)


async def _without_a_sink_they_are_thrown_away(
    backend: AsyncBackend, ours: ControlByteStream, theirs: ControlByteStream
) -> None:
    with nothing_left_open(), passing_pipes() as (_, messages):
        await ours.send_message(b"first", messages)
        assert await theirs.receive(100) == b"first"
        await ours.send_message(b"second", messages)
        assert await theirs.receive(100) == b"second"


async def _a_cancelled_receive_takes_nothing(
    backend: AsyncBackend, ours: ControlByteStream, theirs: ControlByteStream
) -> None:
    reads = _Reads(theirs)
    for _ in range(20):
        with passing_pipes() as (reading_ends, messages):
            async with backend.create_task_group() as tasks:
                got: list[bytes] = []

                async def receive() -> None:
                    got.append(await theirs.receive(100))  # noqa: B023  # each round waits for its own task

                task = await tasks.start(receive)
                await ours.send_message(b"x", messages)  # the data and the cancellation race
                task.cancel()
            if not got:
                assert not reads.messages
                got.append(await theirs.receive(100))
            assert got == [b"x"]
            received(reads.take(), reading_ends)


async def _truncation_is_reported(backend: AsyncBackend, ours: ControlByteStream, theirs: ControlByteStream) -> None:
    reads = _Reads(theirs, control_space(1))
    with passing_pipes(4) as (_, messages):
        await ours.send_message(b"x", messages)
        assert await theirs.receive(100) == b"x"
    assert reads.truncated
    assert close_received(reads.take()) < 4


async def _what_was_never_read_is_closed(
    backend: AsyncBackend, ours: ControlByteStream, theirs: ControlByteStream
) -> None:
    _Reads(theirs)
    with passing_pipes() as (_, messages):
        await ours.send_message(b"x", messages)
    await theirs.aclose()


async def _a_message_waits_for_room(backend: AsyncBackend, ours: ControlByteStream, theirs: ControlByteStream) -> None:
    filled = 0
    while sent := ours.send_nowait(bytes(65536)):
        filled += sent
    reads = _Reads(theirs)
    with passing_pipes() as (reading_ends, messages):
        async with backend.create_task_group() as tasks:
            task = await tasks.start(ours.send_message, b"x", messages)
            await backend.sleep(SHORT)
            await must_raise(BusyResourceError, ours.send(b"y"))
            await must_raise(BusyResourceError, ours.send_message(b"y", messages))
            assert ours.send_nowait(b"y") == 0
            taken = 0
            while taken <= filled:
                taken += len(await theirs.receive(65536))
            await task.join()
        assert taken == filled + 1
        received(reads.take(), reading_ends)


async def _a_message_that_cannot_leave_whole_ends_the_connection(
    backend: AsyncBackend, ours: ControlByteStream, theirs: ControlByteStream
) -> None:
    with passing_pipes() as (_, messages):
        await must_raise(OSError, ours.send_message(_MORE_THAN_FITS, messages))
    assert ours.is_closing()
    await must_raise(ConnectionError, ours.send(b"x"))


async def _a_message_without_bytes_is_refused(
    backend: AsyncBackend, ours: ControlByteStream, theirs: ControlByteStream
) -> None:
    with passing_pipes() as (_, messages):
        await must_raise(OSError, ours.send_message(b"", messages))
    await ours.send(b"x")
    assert await theirs.receive(10) == b"x"


async def _a_closed_stream_refuses_messages(
    backend: AsyncBackend, ours: ControlByteStream, theirs: ControlByteStream
) -> None:
    await ours.aclose()
    with passing_pipes() as (_, messages):
        await must_raise(ConnectionError, ours.send_message(b"x", messages))
