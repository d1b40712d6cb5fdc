# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import errno
import logging
import ssl
import time
import tracemalloc
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from easynetwork.exceptions import ClientClosedError, StreamProtocolParseError
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.request_handler import RecvParams
from easynetwork.lowlevel.socket import INETSocketAttribute, IPv4SocketAddress
from easynetwork.lowlevel.streams import ByteStream
from easynetwork.lowlevel.testing import MemoryBackend, MemoryListener
from easynetwork.lowlevel.typed_attr import TypedAttributeSet, typed_attribute
from easynetwork.protocol import StreamProtocol
from easynetwork.servers.engine.settings import Established, PeerAttributes
from easynetwork.servers.engine.stream_service import StreamService
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler, INETClientAttribute

from .serving import connect, serving, stream_settings

pytestmark = pytest.mark.anyio

in_virtual_time = pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)

LineClient = AsyncStreamClient[str]
Requests = AsyncGenerator[RecvParams | float | None, str]


class Listener(MemoryListener):
    """Remembers the streams that it has given."""

    def __init__(self, backend: AsyncBackend) -> None:
        super().__init__(backend)
        self.accepted: list[ByteStream] = []

    async def accept(self) -> ByteStream:
        stream = await super().accept()
        self.accepted.append(stream)
        return stream


Serve = Callable[..., contextlib.AbstractAsyncContextManager[Listener]]


class Recorder(AsyncStreamRequestHandler[str, str]):
    """Notes what is called, and answers each request with itself."""

    def __init__(self) -> None:
        self.events: list[str] = []

    async def on_connection(self, client: LineClient) -> None:
        self.events.append("connection")

    async def handle(self, client: LineClient) -> Requests:
        request = yield None
        self.events.append(request)
        await client.send_packet(request)

    async def on_disconnection(self, client: LineClient) -> None:
        self.events.append("disconnection")


@pytest.fixture
def serve(backend: AsyncBackend, lines: StreamProtocol[str, str], logger: logging.Logger) -> Serve:
    """Runs a service on a memory listener; at the end of the block, its clients are cancelled."""

    @contextlib.asynccontextmanager
    async def serve(handler: AsyncStreamRequestHandler[str, str], **options: Any) -> AsyncGenerator[Listener]:
        listener = Listener(backend)

        values: dict[str, Any] = {"protocol": lines, "logger": logger, **options}
        settings = stream_settings(backend, handler, **values)
        service = StreamService(settings)
        with backend.open_cancel_scope() as scope:
            async with backend.create_task_group() as clients:
                await clients.start(service.serve, listener, clients)
                yield listener
                await listener.aclose()
                scope.cancel()

    return serve


async def ask(peer: ByteStream, request: str) -> str:
    await peer.send(request.encode() + b"\n")
    return await read_line(peer)


async def read_line(peer: ByteStream) -> str:
    line = b""
    while not line.endswith(b"\n"):
        byte = await peer.receive(1)
        assert byte, "the connection has ended"
        line += byte
    return line[:-1].decode()


async def ends(peer: ByteStream) -> str:
    """Reads what is left, and tells how it ended."""
    try:
        while await peer.receive(1000):
            pass
    except ConnectionResetError:
        return "reset"
    return "end"


def records(caplog: pytest.LogCaptureFixture, level: int = logging.WARNING) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records if record.levelno >= level]


# the life of a connection


async def test_hooks_frame_the_requests(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    handler = Recorder()
    async with serve(handler) as listener:
        peer = listener.connect()
        assert [await ask(peer, "one"), await ask(peer, "two")] == ["one", "two"]
        await peer.send_eof()
        assert await ends(peer) == "end"

    assert handler.events == ["connection", "one", "two", "disconnection"]
    assert records(caplog, logging.DEBUG) == [
        ("INFO", "Accepted new connection (address = port 2)"),
        ("INFO", "port 2 disconnected (peer ended)"),
    ]


async def test_the_coming_and_going_can_be_logged_lower(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async with serve(Recorder(), connection_log_level=logging.DEBUG) as listener:
        peer = listener.connect()
        await peer.aclose()

    assert {level for level, _ in records(caplog, logging.NOTSET)} <= {"DEBUG"}


async def test_all_of_a_connection_is_one_task(serve: Serve, backend: AsyncBackend) -> None:
    tasks: list[Any] = []

    class Handler(AsyncStreamRequestHandler[str, str]):
        async def on_connection(self, client: LineClient) -> None:
            tasks.append(backend.get_current_task())

        async def handle(self, client: LineClient) -> Requests:
            tasks.append(backend.get_current_task())
            request = yield None
            await client.send_packet(request)

        async def on_disconnection(self, client: LineClient) -> None:
            tasks.append(backend.get_current_task())

    async with serve(Handler()) as listener:
        peer = listener.connect()
        await ask(peer, "x")
        await peer.send_eof()
        await ends(peer)

    assert len(tasks) == 4  # the second turn had begun
    assert len(set(tasks)) == 1


async def test_a_handler_that_asks_for_nothing_refuses_the_client(serve: Serve) -> None:
    class Refusing(Recorder):
        async def handle(self, client: LineClient) -> Requests:
            return
            yield

    handler = Refusing()
    async with serve(handler) as listener:
        assert await ends(listener.connect()) == "reset"

    assert handler.events == ["connection", "disconnection"]


async def test_a_refusal_in_words_arrives(serve: Serve) -> None:
    class Refusing(Recorder):
        async def handle(self, client: LineClient) -> Requests:
            await client.send_packet("no")
            return
            yield

    async with serve(Refusing()) as listener:
        peer = listener.connect()
        assert await read_line(peer) == "no"
        assert await ends(peer) == "end"


async def test_a_greeting_can_ask(serve: Serve) -> None:
    class Asking(Recorder):
        async def on_connection(self, client: LineClient) -> Requests:  # type: ignore[override]  # the other form
            await client.send_packet("password?")
            self.events.append((yield None))
            await client.send_packet("welcome")

    handler = Asking()
    async with serve(handler) as listener:
        peer = listener.connect()
        assert await read_line(peer) == "password?"
        assert await ask(peer, "secret") == "welcome"
        assert await ask(peer, "one") == "one"

    assert handler.events == ["secret", "one", "disconnection"]


async def test_a_peer_that_goes_during_the_greeting_was_never_there(serve: Serve) -> None:
    class Asking(Recorder):
        async def on_connection(self, client: LineClient) -> Requests:  # type: ignore[override]  # the other form
            try:
                yield None
            finally:
                self.events.append("closed")

    handler = Asking()
    async with serve(handler) as listener:
        peer = listener.connect()
        await peer.send_eof()
        assert await ends(peer) == "end"

    assert handler.events == ["closed"]


@pytest.mark.parametrize("asks", ["never", "before", "after"])
async def test_a_greeting_that_closes_the_client_is_its_last_word(serve: Serve, asks: str) -> None:
    class Closing(Recorder):
        async def close(self, client: LineClient) -> None:
            await client.aclose()

        async def ask_and_close(self, client: LineClient) -> Requests:
            if asks == "before":
                yield None
            await client.aclose()
            if asks == "after":
                yield None

        def on_connection(self, client: LineClient) -> Any:
            return self.close(client) if asks == "never" else self.ask_and_close(client)

    handler = Closing()
    async with serve(handler) as listener:
        peer = listener.connect()
        if asks == "before":
            await peer.send(b"x\n")
        assert await ends(peer) == "end"

    assert handler.events == ["disconnection"]


async def test_cancelled_clients_say_goodbye(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    handler = Recorder()
    async with serve(handler) as listener:
        peer = listener.connect()
        await ask(peer, "one")

    assert handler.events == ["connection", "one", "disconnection"]
    assert records(caplog) == []
    assert await ends(peer) in ("end", "reset")


async def test_a_connection_that_is_gone_before_its_turn_leaves_no_trace(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    handler = Recorder()
    async with serve(handler) as listener:
        listener.connect().abort()
        assert await ask(listener.connect(), "one") == "one"
        assert [stream.is_closing() for stream in listener.accepted] == [True, False]

    assert handler.events == ["connection", "one", "disconnection"]
    assert len([message for _, message in records(caplog, logging.DEBUG) if "Accepted" in message]) == 1


# what goes wrong in a handler


@pytest.mark.parametrize("when", ["at once", "after a request"])
async def test_what_a_handler_raises_is_one_record_and_ends_its_client_alone(
    serve: Serve, caplog: pytest.LogCaptureFixture, when: str
) -> None:
    class Failing(Recorder):
        async def handle(self, client: LineClient) -> Requests:
            if when == "at once":
                raise LookupError("mine")
            if (yield None) == "fail":
                raise LookupError("mine")
            await client.send_packet("well")

    handler = Failing()
    async with serve(handler) as listener:
        peer, other = listener.connect(), listener.connect()
        await peer.send(b"fail\n")
        assert await ends(peer) == "end"
        if when == "after a request":
            assert await ask(other, "x") == "well"

    (record,) = [
        record for record in caplog.records if "port 2" in record.getMessage() and record.levelno > logging.INFO
    ]
    assert record.levelname == "ERROR"
    assert record.getMessage() == "Exception occurred during processing of request from port 2"
    assert record.exc_info
    assert isinstance(record.exc_info[1], LookupError)
    assert handler.events.count("disconnection") == 2


@pytest.mark.parametrize("method", ["on_connection", "handle", "on_disconnection"])
async def test_an_error_that_comes_with_a_cancellation_is_logged_like_any_other(
    serve: Serve, backend: AsyncBackend, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A task group of trio's raises both in one."""

    async def fail_at_the_end() -> None:
        try:
            await backend.sleep_forever()
        finally:
            raise LookupError("mine")

    async def wait_in(name: str, client: LineClient) -> None:
        if name == method:
            async with backend.create_task_group() as tasks:
                await tasks.start(fail_at_the_end)
                await client.send_packet("now")
                await backend.sleep_forever()

    class Failing(AsyncStreamRequestHandler[str, str]):
        async def on_connection(self, client: LineClient) -> None:
            await wait_in("on_connection", client)

        async def handle(self, client: LineClient) -> Requests:
            yield None
            await wait_in("handle", client)

        async def on_disconnection(self, client: LineClient) -> None:
            await wait_in("on_disconnection", client)

    async with serve(Failing()) as listener:
        peer = listener.connect()
        await peer.send(b"x\n")
        await peer.send_eof()
        assert await read_line(peer) == "now"

    assert records(caplog) == [("ERROR", "Exception occurred during processing of request from port 2")]


async def test_a_greeting_that_fails_ends_the_client_without_goodbye(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Recorder):
        async def on_connection(self, client: LineClient) -> None:
            raise LookupError("mine")

    handler = Failing()
    async with serve(handler) as listener:
        assert await ends(listener.connect()) == "end"

    assert handler.events == []
    assert [level for level, _ in records(caplog)] == ["ERROR"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionResetError(), []),
        (ClientClosedError(), ["WARNING"]),
        (ExceptionGroup("", [ConnectionResetError(), ClientClosedError(), ValueError()]), ["WARNING", "ERROR"]),
    ],
    ids=["lost connection", "closed client", "group"],
)
async def test_connection_errors_are_part_of_life(
    serve: Serve, caplog: pytest.LogCaptureFixture, error: Exception, expected: list[str]
) -> None:
    class Failing(Recorder):
        async def handle(self, client: LineClient) -> Requests:
            yield None
            raise error

    handler = Failing()
    async with serve(handler) as listener:
        peer = listener.connect()
        await peer.send(b"x\n")
        assert await ends(peer) == "end"

    assert [level for level, _ in records(caplog)] == expected
    assert handler.events == ["connection", "disconnection"]


async def test_a_goodbye_that_fails_is_logged(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Recorder):
        async def on_disconnection(self, client: LineClient) -> None:
            raise ConnectionResetError

    async with serve(Failing()) as listener:
        peer = listener.connect()
        await peer.send_eof()
        assert await ends(peer) == "end"

    assert records(caplog) == [("WARNING", "ConnectionError raised in request_handler.on_disconnection()")]


async def test_bad_frames_are_thrown_in_and_reading_goes_on(serve: Serve) -> None:
    class Tolerant(Recorder):
        async def handle(self, client: LineClient) -> Requests:
            try:
                request = yield None
            except StreamProtocolParseError:
                request = "what?"
            await client.send_packet(request)

    async with serve(Tolerant()) as listener:
        peer = listener.connect()
        await peer.send(b"\xff\n")
        assert await read_line(peer) == "what?"
        assert await ask(peer, "x") == "x"


@in_virtual_time
async def test_time_outs_are_thrown_in_and_the_generator_goes_on(serve: Serve, backend: AsyncBackend) -> None:
    class Impatient(Recorder):
        async def handle(self, client: LineClient) -> Requests:
            try:
                yield RecvParams(timeout=30)
            except TimeoutError:
                await client.send_packet("hurry up")
            await client.send_packet((yield RecvParams(timeout=30)))

    async with serve(Impatient()) as listener:
        start = backend.current_time()
        peer = listener.connect()
        assert await read_line(peer) == "hurry up"
        assert backend.current_time() - start == pytest.approx(30)
        assert await ask(peer, "x") == "x"


async def test_scopes_of_a_handler_may_end_any_number_of_waits_of_one_generator(
    serve: Serve, backend: AsyncBackend, caplog: pytest.LogCaptureFixture
) -> None:
    class Impatient(Recorder):
        async def handle(self, client: LineClient) -> Requests:
            assert self.events == ["connection"], "it is not begun anew"
            self.events.append("generator")
            for _ in range(3):
                with backend.move_on_after(0):
                    yield None
            await client.send_packet("ready")
            await client.send_packet((yield None))
            yield None

    handler = Impatient()
    async with serve(handler) as listener:
        peer = listener.connect()
        assert await read_line(peer) == "ready"
        assert await ask(peer, "x") == "x"

    assert handler.events == ["connection", "generator", "disconnection"]
    assert records(caplog) == []


# accepting


@in_virtual_time
async def test_a_system_without_descriptors_is_asked_ten_times_a_second_and_recovers(
    serve: Serve, backend: AsyncBackend, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(Recorder()) as listener:
        start = backend.current_time()
        old = listener.connect()
        assert await ask(old, "x") == "x"
        for _ in range(100):
            listener.fail(OSError(errno.EMFILE, "Too many open files"))
        new = listener.connect()
        assert await ask(old, "still there") == "still there"
        assert backend.current_time() - start < 0.1, "clients that are connected do not notice"
        assert await ask(new, "x") == "x"
        assert backend.current_time() - start == pytest.approx(10)

    # The limit of one line a second is kept in real time, of which this takes next to nothing.
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.getMessage() == "Cannot accept connections for now: [Errno 24] Too many open files"
    assert not record.exc_info


async def test_a_closed_listener_ends_the_accepting_and_no_client(serve: Serve) -> None:
    async with serve(Recorder()) as listener:
        peer = listener.connect()
        assert await ask(peer, "one") == "one"
        await listener.aclose()

        assert await ask(peer, "two") == "two"


# TLS


async def test_trouble_with_tls_is_one_short_line_a_second(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async def establish(stream: ByteStream) -> Established:
        stream.abort()
        raise ssl.SSLError(1, "[SSL: HTTP_REQUEST] http request")

    handler = Recorder()
    async with serve(handler, establish=establish) as listener:
        start = time.monotonic()
        for _ in range(50):
            assert await ends(listener.connect()) == "reset"
        elapsed = time.monotonic() - start

    lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert 1 <= len(lines) <= 1 + elapsed
    assert lines[0].getMessage().startswith("Error in client task (during TLS handshake)")
    assert len(lines[0].getMessage()) <= 200
    assert not lines[0].exc_info
    assert handler.events == []


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionResetError(), ConnectionAbortedError()])
async def test_peers_that_give_up_a_handshake_are_not_worth_a_line(
    serve: Serve, caplog: pytest.LogCaptureFixture, error: OSError
) -> None:
    async def establish(stream: ByteStream) -> Established:
        stream.abort()
        raise error

    async with serve(Recorder(), establish=establish) as listener:
        assert await ends(listener.connect()) == "reset"

    assert records(caplog, logging.NOTSET) == []


async def test_a_handshake_that_stalls_delays_nobody(serve: Serve, backend: AsyncBackend) -> None:
    async def establish(stream: ByteStream) -> Established:
        if await stream.receive(1) != b"!":
            await backend.sleep_forever()
        return Established(stream=stream)

    async with serve(Recorder(), establish=establish) as listener:
        stalled, good = listener.connect(), listener.connect()
        await stalled.send(b"?")
        await good.send(b"!")
        assert await ask(good, "x") == "x"


# what a connection is when it is ready


async def test_bytes_that_were_read_already_are_the_first_packets(serve: Serve) -> None:
    async def establish(stream: ByteStream) -> Established:
        return Established(stream=stream, early_bytes=await stream.receive(9))

    handler = Recorder()
    async with serve(handler, establish=establish) as listener:
        peer = listener.connect()
        await peer.send(b"one\ntwo\nth")
        assert [await read_line(peer), await read_line(peer)] == ["one", "two"]
        assert await ask(peer, "ree") == "three"
        await peer.send_eof()
        assert await ends(peer) == "end"

    assert handler.events == ["connection", "one", "two", "three", "disconnection"]


@pytest.mark.parametrize("early", [0, 1, 4, 6, 8])
async def test_bytes_that_were_read_already_are_counted_like_others(
    backend: MemoryBackend, lines: StreamProtocol[str, str], logger: logging.Logger, early: int
) -> None:
    async def establish(stream: ByteStream) -> Established:
        return Established(stream=stream, early_bytes=await stream.receive(early) if early else b"")

    async with serving(backend, protocol=lines, logger=logger, establish=establish) as server:
        peer = await connect(server)
        await peer.send(b"one\ntwo\n")
        assert [await read_line(peer), await read_line(peer)] == ["one", "two"]
        statistics = server.statistics()
        assert (statistics.packets_received, statistics.bytes_received) == (2, 8)


async def test_peer_may_leave_behind_bytes_that_were_read_already(serve: Serve) -> None:
    async def establish(stream: ByteStream) -> Established:
        return Established(stream=stream, early_bytes=await stream.receive(100))

    handler = Recorder()
    async with serve(handler, establish=establish) as listener:
        peer = listener.connect()
        await peer.send(b"one\n")
        await peer.send_eof()
        assert await read_line(peer) == "one"
        assert await ends(peer) == "end"

    assert handler.events == ["connection", "one", "disconnection"]


BEHIND_A_PROXY = IPv4SocketAddress("192.0.2.1", 1234)


async def test_address_may_be_another_one_than_the_socket_s(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async def establish(stream: ByteStream) -> Established:
        return Established(stream=stream, address=BEHIND_A_PROXY)

    class Failing(Recorder):
        async def handle(self, client: LineClient) -> Requests:
            yield None
            raise LookupError("mine")

    async with serve(Failing(), establish=establish) as listener:
        peer = listener.connect()
        await peer.send(b"x\n")
        assert await ends(peer) == "end"

    assert records(caplog, logging.INFO) == [
        ("INFO", f"Accepted new connection (address = {BEHIND_A_PROXY})"),
        ("ERROR", f"Exception occurred during processing of request from {BEHIND_A_PROXY}"),
        ("INFO", f"{BEHIND_A_PROXY} disconnected (handler error)"),
    ]


async def test_attributes_are_added_and_take_the_place_of_those_of_the_socket(serve: Serve) -> None:
    def describe_peer(stream: ByteStream) -> tuple[object, PeerAttributes]:
        address = stream.extra(INETSocketAttribute.peername)
        return address, lambda: {
            INETClientAttribute.remote_address: lambda: address,
            INETClientAttribute.local_address: lambda: address,
        }

    async def establish(stream: ByteStream) -> Established:
        attributes = {INETClientAttribute.remote_address: lambda: BEHIND_A_PROXY, Mine.name: lambda: "mine"}
        return Established(stream=stream, attributes=attributes)

    class Telling(Recorder):
        async def handle(self, client: LineClient) -> Requests:
            yield None
            assert client.extra(INETClientAttribute.remote_address) == BEHIND_A_PROXY
            assert client.extra(INETClientAttribute.local_address) != BEHIND_A_PROXY
            assert client.extra(INETSocketAttribute.peername) != BEHIND_A_PROXY
            await client.send_packet(client.extra(Mine.name))

    async with serve(Telling(), describe_peer=describe_peer, establish=establish) as listener:
        assert await ask(listener.connect(), "who?") == "mine"


class Mine(TypedAttributeSet):
    name: str = typed_attribute()


# many clients


@pytest.mark.parametrize("peers", [1, 20])
async def test_peers_that_never_read_cost_bounded_memory_and_delay_nobody(
    serve: Serve, backend: AsyncBackend, peers: int
) -> None:
    """Row 1 of the security page."""
    packet = "x" * 10_000
    sent = 0

    class Endless(Recorder):
        async def handle(self, client: LineClient) -> Requests:
            nonlocal sent
            if (yield None) != "flood":
                await client.send_packet("served")
                return
            while True:
                await client.send_packet(packet)
                sent += 1

    async with serve(Endless()) as listener:
        good = listener.connect()
        assert await ask(good, "x") == "served"
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(peers):
                await listener.connect().send(b"flood\n")
            for _ in range(100):
                start = time.monotonic()
                assert await ask(good, "x") == "served"
                assert time.monotonic() - start < 0.2
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        stopped_at = sent
        for _ in range(10):
            assert await ask(good, "x") == "served"

        assert sent == stopped_at > 0, "everybody waits"
        assert after - before < 10_000_000


async def test_a_flooding_peer_does_not_starve_the_others(serve: Serve, backend: AsyncBackend) -> None:
    async with serve(Recorder()) as listener:
        flooding, good = listener.connect(), listener.connect()

        async def flood() -> None:
            while True:
                await flooding.send(b"x\n" * 10_000)

        async def drain() -> None:
            while True:
                await flooding.receive(1_000_000)

        async with backend.create_task_group() as tasks:
            flood_and_drain = [await tasks.start(drain), await tasks.start(flood)]
            waits: list[float] = []
            for _ in range(20):
                start = time.monotonic()
                await ask(good, "x")
                waits.append(time.monotonic() - start)
            for task in flood_and_drain:
                task.cancel()
                await task.wait()

    assert sorted(waits)[len(waits) // 2] < 0.05
