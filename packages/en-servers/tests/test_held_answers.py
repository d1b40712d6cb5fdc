# SPDX-License-Identifier: Apache-2.0
"""Answers to requests that came together are held back, and leave in one send."""

from __future__ import annotations

import contextlib
import errno
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from easynetwork.lowlevel.request_handler import RecvParams
from easynetwork.lowlevel.streams import ByteStream
from easynetwork.lowlevel.testing import MemoryBackend
from easynetwork.protocol import StreamProtocol
from easynetwork.servers.engine.settings import Established
from easynetwork.servers.handlers import AsyncStreamRequestHandler
from easynetwork.servers.options import ServerTimeouts
from easynetwork.servers.statistics import CloseReason

from .recording import RecordingStream
from .serving import Echo, LineClient, Requests, Server, connect, ending, serving

pytestmark = pytest.mark.anyio

in_virtual_time = pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)

Sends = list[bytes]
Handle = Callable[[LineClient], Requests]
Serve = Callable[..., contextlib.AbstractAsyncContextManager[tuple[Server, ByteStream]]]

HELD_AT_MOST = 65536
CAPACITY = 65536
"""Bytes on their way to a peer that does not read."""


class Handler(AsyncStreamRequestHandler[str, str]):
    """One whose `handle` is given."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    def handle(self, client: LineClient) -> Requests:
        return self._handle(client)


class Loop(AsyncStreamRequestHandler[str, str]):
    """Has one generator for all requests."""

    async def handle(self, client: LineClient) -> Requests:
        while True:
            await client.send_packet((yield None))


@pytest.fixture
def sends() -> Sends:
    """What the server has given its streams to send."""
    return []


@pytest.fixture
def serve(backend: MemoryBackend, lines: StreamProtocol[str, str], logger: logging.Logger, sends: Sends) -> Serve:
    """Serves one peer while the block runs, which is given too."""

    async def record(stream: ByteStream) -> Established:
        return Established(stream=RecordingStream(stream, sends))

    @contextlib.asynccontextmanager
    async def serve(
        handle: Handle | AsyncStreamRequestHandler[str, str], **options: Any
    ) -> AsyncGenerator[tuple[Server, ByteStream]]:
        handler = Handler(handle) if callable(handle) else handle
        async with serving(
            backend, handler, protocol=lines, logger=logger, **{"establish": record, **options}
        ) as server:
            yield server, await connect(server)

    return serve


async def read(peer: ByteStream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = await peer.receive(size - len(data))
        assert more, "the connection has ended"
        data += more
    return data


async def quiet(backend: MemoryBackend) -> None:
    """Lets everybody run until they wait for something that only the test can do."""
    for _ in range(20):
        await backend.coro_yield()


async def end_of(server: Server) -> None:
    """Waits until the peer's connection is closed."""
    while not server.statistics().closed:
        await server.backend().coro_yield()


# one send


@pytest.mark.parametrize("handler", [Echo(), Loop()])
async def test_answers_to_requests_that_came_together_leave_in_one_send(
    serve: Serve, sends: Sends, handler: AsyncStreamRequestHandler[str, str]
) -> None:
    requests = b"".join(b"%d\n" % number for number in range(20))
    async with serve(handler) as (server, peer):
        await peer.send(requests)
        assert await read(peer, len(requests)) == requests
        assert sends == [requests]
        statistics = server.statistics()
    assert (statistics.packets_received, statistics.packets_sent) == (20, 20)
    assert (statistics.bytes_received, statistics.bytes_sent) == (len(requests), len(requests))


async def test_answers_to_request_that_came_alone_leave_at_once(serve: Serve, sends: Sends) -> None:
    async def handle(client: LineClient) -> Requests:
        request = yield None
        await client.send_packet(request)
        seen.append(list(sends))
        await client.send_packet(request)

    seen: list[Sends] = []
    async with serve(handle) as (_, peer):
        await peer.send(b"x\n")
        assert await read(peer, 4) == b"x\nx\n"
    assert seen == [[b"x\n"]]
    assert sends == [b"x\n", b"x\n"]


async def test_begun_request_behind_the_others_holds_nothing_up(serve: Serve, sends: Sends) -> None:
    async with serve(Echo()) as (_, peer):
        await peer.send(b"one\ntwo\nthr")
        assert await read(peer, 8) == b"one\ntwo\n"
        await peer.send(b"ee\n")
        assert await read(peer, 6) == b"three\n"
    assert sends == [b"one\ntwo\n", b"three\n"]


async def test_bad_request_among_the_others_is_answered_in_its_turn(serve: Serve, sends: Sends) -> None:
    async def handle(client: LineClient) -> Requests:
        try:
            request = yield None
        except Exception:
            request = "bad"
        await client.send_packet(request)

    async with serve(handle) as (_, peer):
        await peer.send(b"one\n\xff\nthree\n")
        assert await read(peer, 14) == b"one\nbad\nthree\n"


# when they leave


async def test_answers_leave_before_the_handler_waits_for_something(serve: Serve, backend: MemoryBackend) -> None:
    peer_has_it = backend.create_event()

    async def handle(client: LineClient) -> Requests:
        await client.send_packet((yield None))
        await peer_has_it.wait()

    async with serve(handle) as (_, peer):
        await peer.send(b"one\ntwo\nthree\n")
        assert await read(peer, 4) == b"one\n"
        peer_has_it.set()
        assert await read(peer, 10) == b"two\nthree\n"


async def test_no_more_is_held_than_there_is_a_limit(serve: Serve, backend: MemoryBackend, sends: Sends) -> None:
    async def handle(client: LineClient) -> Requests:
        request = yield None
        for _ in range(500):
            await client.send_packet(request * 999)

    async with serve(handle) as (_, peer):
        await peer.send(b"x\ny\n")
        assert await read(peer, 1_000_000) == (b"x" * 999 + b"\n") * 500 + (b"y" * 999 + b"\n") * 500
    assert max(map(len, sends)) < HELD_AT_MOST + 1000
    assert len(sends[0]) >= HELD_AT_MOST


@pytest.mark.parametrize("ends_by", ["close", "return", "raise", "peer"])
async def test_answers_leave_before_the_end(serve: Serve, ends_by: str) -> None:
    has_answered: list[str] = []

    async def handle(client: LineClient) -> Requests:
        if has_answered and ends_by == "return":
            return  # before its first `yield`
        request = yield None
        await client.send_packet(request)
        has_answered.append(request)
        if ends_by == "close":
            await client.aclose()
        elif ends_by == "raise":
            raise LookupError("mine")

    answers = b"one\ntwo\nthree\n" if ends_by == "peer" else b"one\n"
    async with serve(handle) as (_, peer):
        await peer.send(b"one\ntwo\nthree\n")
        await peer.send_eof()
        assert await read(peer, len(answers)) == answers
        assert await ending(peer) == "end"
    assert has_answered == answers.decode().split()


async def test_answers_leave_before_the_goodbye(serve: Serve, sends: Sends) -> None:
    class Polite(Loop):
        async def on_disconnection(self, client: LineClient) -> None:
            await client.send_packet("goodbye")

    async with serve(Polite()) as (_, peer):
        await peer.send(b"one\ntwo\n")
        await peer.send_eof()
        assert await read(peer, 16) == b"one\ntwo\ngoodbye\n"


async def test_what_another_task_sends_does_not_overtake(serve: Serve, backend: MemoryBackend) -> None:
    answered, pushed = backend.create_event(), backend.create_event()

    async def push(client: LineClient) -> None:
        await answered.wait()
        await client.send_packet("pushed")
        pushed.set()

    async def handle(client: LineClient) -> Requests:
        async with backend.create_task_group() as tasks:
            await tasks.start(push, client)
            await client.send_packet((yield None))
            answered.set()
            await client.send_packet("the same")
            await pushed.wait()
            await client.send_packet((yield None))

    async with serve(handle) as (_, peer):
        await peer.send(b"one\ntwo\n")
        assert await read(peer, 24) == b"one\nthe same\npushed\ntwo\n"


# when the peer does not read


def answering(size: int, events: list[str]) -> Handle:
    """Answers with as many bytes, and notes what it has been asked and what it has sent."""

    async def handle(client: LineClient) -> Requests:
        request = yield None
        events.append(f"asked {request}")
        await client.send_packet(request * (size - 1))
        events.append(f"sent {request}")

    return handle


async def fill(peer: ByteStream, backend: MemoryBackend) -> None:
    """Makes requests that leave room for half an answer of 10,000 bytes."""
    for _ in range(6):
        await peer.send(b"-\n")
        await quiet(backend)


FILLED = (b"-" * 9_999 + b"\n") * 6


def answer(request: bytes) -> bytes:
    return request * 9_999 + b"\n"


async def test_rest_that_the_kernel_has_no_room_for_follows_in_order_and_the_next_send_waits_for_it(
    serve: Serve, backend: MemoryBackend
) -> None:
    events: list[str] = []
    async with serve(answering(10_000, events)) as (server, peer):
        await fill(peer, backend)
        del events[:]
        await peer.send(b"1\n2\n3\n")
        await quiet(backend)
        assert events == ["asked 1", "sent 1", "asked 2", "sent 2", "asked 3", "sent 3"]
        await peer.send(b"4\n5\n")
        await quiet(backend)
        assert events[6:] == ["asked 4"], "it waits for its turn"
        assert server.statistics().longest_queue == 2

        expected = FILLED + b"".join(map(answer, [b"1", b"2", b"3", b"4", b"5"]))
        assert await read(peer, len(expected)) == expected
        assert events[6:] == ["asked 4", "sent 4", "asked 5", "sent 5"]


async def test_rest_leaves_while_the_handler_waits_for_something_else(serve: Serve, backend: MemoryBackend) -> None:
    peer_has_it = backend.create_event()

    async def handle(client: LineClient) -> Requests:
        request = yield None
        await client.send_packet(request * 9_999)
        if request == "1":
            await peer_has_it.wait()

    async with serve(handle) as (_, peer):
        await fill(peer, backend)
        await peer.send(b"1\n2\n")
        await quiet(backend)
        assert await read(peer, 70_000) == FILLED + answer(b"1")
        peer_has_it.set()
        assert await read(peer, 10_000) == answer(b"2")


async def test_wait_for_a_request_can_be_cancelled_while_the_rest_is_on_its_way(
    serve: Serve, backend: MemoryBackend
) -> None:
    async def handle(client: LineClient) -> Requests:
        for _ in range(8):
            request = yield None
            await client.send_packet(request * 9_999)
        with backend.move_on_after(0):
            yield None
        request = yield None
        await client.send_packet(request * 9_999)
        yield None

    async with serve(handle) as (_, peer):
        await fill(peer, backend)
        await peer.send(b"1\n2\n")
        await quiet(backend)
        await peer.send(b"3\n")
        expected = FILLED + answer(b"1") + answer(b"2") + answer(b"3")
        assert await read(peer, len(expected)) == expected, "no packet behind a fragment of another"


@in_virtual_time
async def test_time_of_a_request_runs_while_the_rest_is_on_its_way(serve: Serve, backend: MemoryBackend) -> None:
    times: list[float] = []

    async def handle(client: LineClient) -> Requests:
        for _ in range(8):
            request = yield None
            await client.send_packet(request * 9_999)
        start = backend.current_time()
        try:
            yield RecvParams(timeout=5)
        except TimeoutError:
            times.append(backend.current_time() - start)
        await client.send_packet("too late")

    async with serve(handle) as (_, peer):
        await fill(peer, backend)
        await peer.send(b"1\n2\n")
        await backend.sleep(10)
        expected = FILLED + answer(b"1") + answer(b"2") + b"too late\n"
        assert await read(peer, len(expected)) == expected
    assert times == [pytest.approx(5)]


async def test_rest_leaves_before_the_client_is_closed(serve: Serve, backend: MemoryBackend) -> None:
    async def handle(client: LineClient) -> Requests:
        request = yield None
        await client.send_packet(request * 9_999)
        if request == "1":
            await client.aclose()

    async with serve(handle) as (_, peer):
        await fill(peer, backend)
        await peer.send(b"1\n2\n")
        await quiet(backend)
        assert await read(peer, 70_000) == FILLED + answer(b"1")
        assert await ending(peer) == "end"


async def test_shutdown_is_not_held_up_by_the_rest(serve: Serve, backend: MemoryBackend) -> None:
    """Not even if it comes before the task that sends the rest has begun."""
    answered = backend.create_event()

    async def handle(client: LineClient) -> Requests:
        request = yield None
        await client.send_packet(request * 9_999)
        if request == "1":
            answered.set()
            await backend.sleep_forever()

    async with serve(handle) as (server, peer):
        await fill(peer, backend)
        await peer.send(b"1\n2\n")
        await answered.wait()
        await server.shutdown()
        assert await ending(peer) == "reset"


@in_virtual_time
async def test_peer_that_does_not_take_the_rest_is_given_up(serve: Serve, backend: MemoryBackend) -> None:
    async def handle(client: LineClient) -> Requests:
        request = yield None
        await client.send_packet(request * 9_999)
        if request == "1":
            await backend.sleep(1000)

    async with serve(handle, timeouts=ServerTimeouts(send_stall=20)) as (server, peer):
        await fill(peer, backend)
        await peer.send(b"1\n2\n")
        await backend.sleep(50)
        assert await ending(peer) == "reset"
        await backend.sleep(1000)
        assert server.statistics().closed == {CloseReason.SEND_STALLED: 1}


# when the peer is gone


@pytest.mark.parametrize("flushed_by", ["wait", "size"])
async def test_answers_that_are_lost_are_an_error_of_the_next_send_and_then_the_end(
    serve: Serve, backend: MemoryBackend, flushed_by: str
) -> None:
    events: list[Any] = []
    peers: list[ByteStream] = []

    async def handle(client: LineClient) -> Requests:
        request = yield None
        peers[0].abort()
        await client.send_packet(request * (HELD_AT_MOST if flushed_by == "size" else 1))
        if flushed_by == "wait":
            await backend.coro_yield()
        for _ in range(2):
            with pytest.raises(ConnectionResetError):
                await client.send_packet("more")
        events.append("error")
        try:
            yield None
        except GeneratorExit:
            events.append("end")
            raise

    async with serve(handle) as (server, peer):
        peers.append(peer)
        await peer.send(b"1\n2\n")
        await end_of(server)
        assert server.statistics().closed == {CloseReason.PEER_RESET: 1}
        assert server.statistics().handler_errors == 0
    assert events == ["error", "end"]


@pytest.mark.parametrize("peer_reads", [0, 5_000])
async def test_answers_that_are_lost_in_the_middle_are_an_error_of_the_next_send_and_then_the_end(
    serve: Serve, backend: MemoryBackend, caplog: pytest.LogCaptureFixture, peer_reads: int
) -> None:
    events: list[Any] = []
    goes_on = backend.create_event()

    async def handle(client: LineClient) -> Requests:
        request = yield None
        await client.send_packet(request * 9_999)
        if request == "1":
            await client.send_packet("x" * 9_999)
            await goes_on.wait()
            try:
                await client.send_packet("more")
            except ConnectionError as exc:
                events.append(type(exc))
            try:
                yield None
            except GeneratorExit:
                events.append("end")
                await client.send_packet("more")

    async with serve(handle) as (server, peer):
        await fill(peer, backend)
        await peer.send(b"1\n2\n")
        await quiet(backend)
        await read(peer, peer_reads)
        await quiet(backend)
        await peer.send(b"3\n4\n")
        peer.abort()
        await quiet(backend)
        goes_on.set()
        await end_of(server)
        assert server.statistics().closed == {CloseReason.PEER_RESET: 1}
    assert events == [ConnectionResetError, "end"]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_peer_that_is_gone_before_the_rest_is_no_error_of_closing(serve: Serve, backend: MemoryBackend) -> None:
    events: list[str] = []

    async def handle(client: LineClient) -> Requests:
        request = yield None
        await client.send_packet(request * 9_999)
        if request == "1":
            events.append("closing")
            await client.aclose()
            events.append("closed")

    async with serve(handle) as (server, peer):
        await fill(peer, backend)
        await peer.send(b"1\n2\n")
        await quiet(backend)
        assert events == ["closing"]
        peer.abort()
        await end_of(server)
        assert server.statistics().closed == {CloseReason.PEER_RESET: 1}
    assert events == ["closing", "closed"]


class Failing(RecordingStream):
    """A stream for which the system has no memory, from one of its sends on."""

    def __init__(self, stream: ByteStream, good_sends: int) -> None:
        super().__init__(stream, [])
        self._good_sends = good_sends

    def send_nowait(self, data: bytes | bytearray | memoryview) -> int:
        if len(self._sends) == self._good_sends and not self.is_closing():
            raise OSError(errno.ENOMEM, "no memory")
        return super().send_nowait(data)


@pytest.mark.parametrize("good_sends", [6, 7])
async def test_answers_that_the_system_cannot_send_end_their_connection_and_no_other(
    serve: Serve, backend: MemoryBackend, good_sends: int
) -> None:
    """At once, and for the rest."""
    errors: list[OSError] = []

    async def fail(stream: ByteStream) -> Established:
        return Established(stream=Failing(stream, good_sends))

    async def handle(client: LineClient) -> Requests:
        request = yield None
        await client.send_packet(request * 9_999)
        if request == "1":
            await quiet(backend)
            for _ in range(2):
                try:
                    await client.send_packet("more")
                except OSError as exc:
                    errors.append(exc)
            yield None

    async with serve(handle, establish=fail) as (server, peer):
        await fill(peer, backend)
        other = await connect(server)
        await peer.send(b"1\n2\n")
        await end_of(server)
        assert await ending(peer) == "reset"
        await other.send(b"2\n")
        assert await read(other, 10_000) == answer(b"2")
        assert server.statistics().clients == 1
    assert [error.errno for error in errors] == [errno.ENOMEM] * 2


async def test_lost_answers_wake_who_waits_for_a_request(serve: Serve, backend: MemoryBackend) -> None:
    events: list[str] = []

    async def handle(client: LineClient) -> Requests:
        try:
            while True:
                request = yield None
                await client.send_packet(request * 9_999)
        except GeneratorExit:
            events.append("end")
            raise

    async with serve(handle) as (server, peer):
        await fill(peer, backend)
        await peer.send(b"1\n2\n")
        await quiet(backend)
        peer.abort()
        await end_of(server)
        assert server.statistics().closed == {CloseReason.PEER_RESET: 1}
    assert events == ["end"]
