# SPDX-License-Identifier: Apache-2.0
"""The executable half of `easynetwork.lowlevel.streams`: what every `ByteStream` must pass."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Generator, Iterable
from inspect import isawaitable
from types import coroutine
from typing import Any, Final

from easynetwork.exceptions import BusyResourceError, UnsupportedOperation

from ..api_async.backend.abc import AsyncBackend
from ..streams import ByteStream, SendStalledError
from ._rules import PATIENCE, SHORT, must_raise, named, until_idle

__all__ = ("check_byte_stream",)

_Pair = tuple[ByteStream, ByteStream]
_MakePair = Callable[[], Awaitable[_Pair]]

_MORE_THAN_FITS: Final = bytes(range(256)) * 65536
"""16 MiB: more than the kernel takes for a peer that does not read."""


async def check_byte_stream(backend: AsyncBackend, make_pair: _MakePair) -> None:
    """Examines both ends of connected streams.

    Args:
        make_pair: connects two streams anew each time.
    """
    for rule in (
        _bytes_arrive_in_order_both_ways,
        _an_empty_send_sends_nothing,
        _receive_respects_its_size,
        _the_primitives_receive_what_is_here,
        _the_primitives_send_what_there_is_room_for,
        _much_data_waits_for_the_reader,
        _what_cannot_be_sent_without_waiting_can_be_sent_after_it,
        _sending_without_waiting_overtakes_nobody,
        _the_end_is_empty_bytes_each_time,
        _what_was_sent_before_closing_arrives,
        _closing_before_all_input_is_read_is_an_orderly_end,
        _a_stream_is_closing_from_the_call_on,
        _a_cancelled_receive_takes_nothing,
        _a_receive_past_its_deadline_takes_nothing,
        _an_interrupted_receive_takes_nothing,
        _an_interruption_disturbs_no_sender,
        _a_peer_that_takes_nothing_is_given_up,
        _two_receivers_are_one_too_many,
        _two_senders_are_one_too_many,
        _closing_wakes_the_receiver,
        _a_send_cut_by_cancellation_ends_the_connection,
        _an_abort_is_seen_by_both_sides,
        _a_receive_past_its_deadline_sees_an_abort,
        _closing_twice_is_closing_once,
        _a_closed_stream_refuses_everything,
    ):
        ours, theirs = await make_pair()
        try:
            with named(rule):
                await rule(backend, ours, theirs)
        finally:
            ours.abort()
            theirs.abort()
    with named(_closing_again_disturbs_no_other_stream):
        await _closing_again_disturbs_no_other_stream(backend, make_pair)


async def _read_exactly(stream: ByteStream, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        more = await stream.receive(size - len(data))
        assert more, "the stream ended early"
        data += more
    return bytes(data)


async def _read_to_end(stream: ByteStream) -> bytes:
    data = bytearray()
    while more := await stream.receive(65536):
        data += more
    return bytes(data)


async def _bytes_arrive_in_order_both_ways(backend: AsyncBackend, ours: ByteStream, theirs: ByteStream) -> None:
    for here, there in ((ours, theirs), (theirs, ours)):
        for kind in (bytes, bytearray, memoryview):
            await here.send(kind(b"first "))
            await here.send(kind(b"second"))
            assert await _read_exactly(there, 12) == b"first second"


async def _an_empty_send_sends_nothing(backend: AsyncBackend, ours: ByteStream, theirs: ByteStream) -> None:
    await ours.send(b"")
    await ours.send(b"x")
    assert await theirs.receive(10) == b"x"


async def _receive_respects_its_size(backend: AsyncBackend, ours: ByteStream, theirs: ByteStream) -> None:
    await ours.send(b"abcdef")
    got = [await theirs.receive(1), await theirs.receive(2)]
    assert got[0] == b"a", got
    assert 1 <= len(got[1]) <= 2, got
    assert b"".join(got) + await _read_exactly(theirs, 6 - sum(map(len, got))) == b"abcdef"


@coroutine
def _wait(traps: Iterable[Any]) -> Generator[Any, Any, None]:
    """Waits for what `ByteStream.until_readable` or `ByteStream.until_writable` has given."""
    yield from traps


async def _the_primitives_receive_what_is_here(backend: AsyncBackend, ours: ByteStream, theirs: ByteStream) -> None:
    assert theirs.receive_nowait(10) is None
    await ours.send(b"abc")
    got: list[bytes] = []
    while sum(map(len, got)) < 3:
        await _wait(theirs.until_readable())
        got.append(theirs.receive_nowait(2) or b"")
    assert b"".join(got) == b"abc", got
    assert max(map(len, got)) <= 2, got
    assert theirs.receive_nowait(10) is None
    async with backend.create_task_group() as tasks:
        tasks.start_soon(ours.aclose)
        while (end := theirs.receive_nowait(10)) is None:
            await _wait(theirs.until_readable(backend.current_time() + PATIENCE))
        assert end == theirs.receive_nowait(10) == b""
        await theirs.aclose()


async def _the_primitives_send_what_there_is_room_for(
    backend: AsyncBackend, ours: ByteStream, theirs: ByteStream
) -> None:
    async with backend.create_task_group() as tasks:
        reading = await tasks.start(_read_exactly, theirs, len(_MORE_THAN_FITS))
        rest = memoryview(_MORE_THAN_FITS)
        while rest:
            sent = ours.send_nowait(rest)
            if sent < len(rest):
                await _wait(ours.until_writable())
            rest = rest[sent:]
        assert await reading.join() == _MORE_THAN_FITS


async def _much_data_waits_for_the_reader(backend: AsyncBackend, ours: ByteStream, theirs: ByteStream) -> None:
    sent: list[bool] = []

    async def send() -> None:
        await ours.send(_MORE_THAN_FITS)
        sent.append(True)
        await ours.aclose()

    async with backend.create_task_group() as tasks:
        tasks.start_soon(send)
        await backend.sleep(SHORT)
        assert not sent, "send() returned although nobody reads"
        received = await _read_to_end(theirs)
        await theirs.aclose()
    assert received == _MORE_THAN_FITS


async def _what_cannot_be_sent_without_waiting_can_be_sent_after_it(
    backend: AsyncBackend, ours: ByteStream, theirs: ByteStream
) -> None:
    async with backend.create_task_group() as tasks:
        reading = await tasks.start(_read_exactly, theirs, len(_MORE_THAN_FITS))
        sent = ours.send_nowait(_MORE_THAN_FITS)
        assert 0 <= sent < len(_MORE_THAN_FITS)
        await ours.send(memoryview(_MORE_THAN_FITS)[sent:])
        assert await reading.join() == _MORE_THAN_FITS


async def _sending_without_waiting_overtakes_nobody(
    backend: AsyncBackend, ours: ByteStream, theirs: ByteStream
) -> None:
    async with backend.create_task_group() as tasks:
        task = await tasks.start(ours.send, _MORE_THAN_FITS)
        await backend.sleep(SHORT)
        assert ours.send_nowait(b"x") == 0
        task.cancel()


async def _the_end_is_empty_bytes_each_time(backend: AsyncBackend, ours: ByteStream, theirs: ByteStream) -> None:
    async with backend.create_task_group() as tasks:
        tasks.start_soon(ours.aclose)
        assert await theirs.receive(10) == b""
        assert await theirs.receive(10) == b""
        await theirs.aclose()


async def _what_was_sent_before_closing_arrives(backend: AsyncBackend, ours: ByteStream, theirs: ByteStream) -> None:
    data = _MORE_THAN_FITS[:50_000]
    await theirs.send(b"this is never read")  # a careless close would answer it with a reset
    await ours.send(data)
    async with backend.create_task_group() as tasks:
        tasks.start_soon(ours.aclose)
        assert await _read_to_end(theirs) == data
        await theirs.aclose()


async def _closing_before_all_input_is_read_is_an_orderly_end(
    backend: AsyncBackend, ours: ByteStream, theirs: ByteStream
) -> None:
    await theirs.send(b"this is read in part")
    await theirs.send(b"this is never read")
    assert await ours.receive(4) == b"this"
    async with backend.create_task_group() as tasks:
        tasks.start_soon(ours.aclose)
        assert await theirs.receive(10) == b""
        await theirs.aclose()


async def _a_stream_is_closing_from_the_call_on(backend: AsyncBackend, ours: ByteStream, theirs: ByteStream) -> None:
    assert not ours.is_closing()
    ours.send_nowait(_MORE_THAN_FITS)  # so that the close has to wait, and nobody reads
    async with backend.create_task_group() as tasks:
        task = await tasks.start(ours.aclose)
        await until_idle(backend)
        assert ours.is_closing()
        await must_raise(ConnectionError, ours.send(b"x"))
        task.cancel()


async def _a_cancelled_receive_takes_nothing(backend: AsyncBackend, ours: ByteStream, theirs: ByteStream) -> None:
    for _ in range(20):
        async with backend.create_task_group() as tasks:
            got: list[bytes] = []

            async def receive() -> None:
                got.append(await theirs.receive(100))  # noqa: B023  # each round waits for its own task

            task = await tasks.start(receive)
            await ours.send(b"x")  # the data and the cancellation race
            task.cancel()
        if not got:
            got.append(await theirs.receive(100))
        assert got == [b"x"]


async def _a_receive_past_its_deadline_takes_nothing(
    backend: AsyncBackend, ours: ByteStream, theirs: ByteStream
) -> None:
    for timeout in (0, SHORT):
        start = backend.current_time()
        try:
            await theirs.receive(100, start + timeout)
        except TimeoutError:
            assert backend.current_time() >= start + timeout - 0.005
        else:
            raise AssertionError("receive() did not time out")
    await ours.send(b"x")
    assert await theirs.receive(100, backend.current_time() + 10) == b"x"


class _Interruption(Exception):
    pass


async def _an_interrupted_receive_takes_nothing(backend: AsyncBackend, ours: ByteStream, theirs: ByteStream) -> None:
    theirs.interrupt_receive(_Interruption())  # nobody waits, so nobody is told
    for deadline in (None, backend.current_time() + 10):
        async with backend.create_task_group() as tasks:

            async def receive() -> None:
                await must_raise(_Interruption, theirs.receive(100, deadline))  # noqa: B023  # as above

            await tasks.start(receive)
            await backend.sleep(SHORT)
            theirs.interrupt_receive(_Interruption())
        await ours.send(b"x")
        assert await theirs.receive(100) == b"x"


async def _an_interruption_disturbs_no_sender(backend: AsyncBackend, ours: ByteStream, theirs: ByteStream) -> None:
    async with backend.create_task_group() as tasks:
        await tasks.start(ours.send, _MORE_THAN_FITS)
        interrupted = await tasks.start(must_raise, _Interruption, ours.receive(1))
        await backend.sleep(SHORT)
        ours.interrupt_receive(_Interruption())
        await interrupted.wait()
        assert await _read_exactly(theirs, len(_MORE_THAN_FITS)) == _MORE_THAN_FITS


async def _a_peer_that_takes_nothing_is_given_up(backend: AsyncBackend, ours: ByteStream, theirs: ByteStream) -> None:
    ours.send_timeout = 10
    async with backend.create_task_group() as tasks:
        reading = await tasks.start(_read_exactly, theirs, len(_MORE_THAN_FITS))
        await ours.send(_MORE_THAN_FITS)  # to one that reads
        await reading.wait()
    ours.send_timeout = SHORT
    await must_raise(
        SendStalledError, ours.send(_MORE_THAN_FITS * 4)
    )  # kernels give more room to a peer that has read much
    assert ours.is_closing()


async def _two_receivers_are_one_too_many(backend: AsyncBackend, ours: ByteStream, theirs: ByteStream) -> None:
    async with backend.create_task_group() as tasks:
        task = await tasks.start(theirs.receive, 10)
        await backend.sleep(SHORT)
        await must_raise(BusyResourceError, theirs.receive(10))
        task.cancel()


async def _two_senders_are_one_too_many(backend: AsyncBackend, ours: ByteStream, theirs: ByteStream) -> None:
    async with backend.create_task_group() as tasks:
        task = await tasks.start(ours.send, _MORE_THAN_FITS)
        await backend.sleep(SHORT)
        await must_raise(BusyResourceError, ours.send(b"x"))
        task.cancel()


async def _closing_wakes_the_receiver(backend: AsyncBackend, ours: ByteStream, theirs: ByteStream) -> None:
    async with backend.create_task_group() as tasks:

        async def receive() -> None:
            await must_raise(ConnectionError, theirs.receive(10))

        await tasks.start(receive)
        await backend.sleep(SHORT)
        tasks.start_soon(theirs.aclose)
        await backend.sleep(SHORT)
        await ours.aclose()


async def _a_send_cut_by_cancellation_ends_the_connection(
    backend: AsyncBackend, ours: ByteStream, theirs: ByteStream
) -> None:
    async with backend.create_task_group() as tasks:
        task = await tasks.start(ours.send, _MORE_THAN_FITS)
        await backend.sleep(SHORT)
        task.cancel()
    assert ours.is_closing()
    await must_raise(ConnectionError, ours.send(b"x"))
    received = bytearray()
    with contextlib.suppress(ConnectionError):
        while more := await theirs.receive(65536):
            received += more
    assert len(received) < len(_MORE_THAN_FITS)


async def _an_abort_is_seen_by_both_sides(backend: AsyncBackend, ours: ByteStream, theirs: ByteStream) -> None:
    await theirs.send(b"x")
    ours.abort()
    ours.abort()
    assert ours.is_closing()
    await must_raise(ConnectionError, ours.receive(10))
    with contextlib.suppress(ConnectionError):
        assert await theirs.receive(10) == b""


async def _a_receive_past_its_deadline_sees_an_abort(
    backend: AsyncBackend, ours: ByteStream, theirs: ByteStream
) -> None:
    theirs.abort()
    with contextlib.suppress(ConnectionError):
        while True:
            try:
                data = await ours.receive(10, backend.current_time())
            except TimeoutError:
                continue  # the reset is on its way
            assert data == b"", data
            break


async def _closing_twice_is_closing_once(backend: AsyncBackend, ours: ByteStream, theirs: ByteStream) -> None:
    async with backend.create_task_group() as tasks:
        tasks.start_soon(ours.aclose)
        tasks.start_soon(ours.aclose)
        await theirs.aclose()
    await ours.aclose()
    assert ours.is_closing()


async def _a_closed_stream_refuses_everything(backend: AsyncBackend, ours: ByteStream, theirs: ByteStream) -> None:
    async with backend.create_task_group() as tasks:
        tasks.start_soon(theirs.aclose)
        await ours.aclose()
    await must_raise(ConnectionError, ours.receive(10))
    await must_raise(ConnectionError, ours.receive(10, backend.current_time()))
    await must_raise(ConnectionError, ours.send(b"x"))
    for primitive in (
        lambda: ours.receive_nowait(10),
        lambda: ours.send_nowait(b"x"),
        lambda: _wait(ours.until_readable()),
        lambda: _wait(ours.until_writable()),
    ):
        await must_raise(ConnectionError, _call(primitive))
    with contextlib.suppress(UnsupportedOperation):  # TLS
        await must_raise(ConnectionError, ours.send_eof())


async def _call(primitive: Callable[[], object]) -> object:
    answer = primitive()
    return await answer if isawaitable(answer) else answer


async def _closing_again_disturbs_no_other_stream(backend: AsyncBackend, make_pair: _MakePair) -> None:
    closed = await make_pair()
    await _close_all(backend, closed)
    ours, theirs = await make_pair()  # probably has the descriptor numbers of the first pair
    try:
        with backend.timeout(PATIENCE):
            async with backend.create_task_group() as tasks:
                receiving = [await tasks.start(stream.receive, 10) for stream in (ours, theirs)]
                await until_idle(backend)
                await _close_all(backend, closed)
                await ours.send(b"x")
                await theirs.send(b"x")
                assert [await task.join() for task in receiving] == [b"x", b"x"]
    finally:
        ours.abort()
        theirs.abort()


async def _close_all(backend: AsyncBackend, streams: _Pair) -> None:
    async with backend.create_task_group() as tasks:
        for stream in streams:
            tasks.start_soon(stream.aclose)
