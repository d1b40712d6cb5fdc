# SPDX-License-Identifier: Apache-2.0
"""How datagrams reach handlers, over the memory network."""

from __future__ import annotations

import contextlib
import contextvars
import gc
import logging
import math
import tracemalloc
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Sequence
from typing import Any

import anyio
import pytest

from easynetwork.exceptions import ClientClosedError, DatagramProtocolParseError, UnsupportedOperation
from easynetwork.lowlevel.datagrams import DatagramEndpoint
from easynetwork.lowlevel.request_handler import RecvAncillaryDataParams, RecvParams
from easynetwork.lowlevel.socket import INETSocketAttribute, IPv4SocketAddress
from easynetwork.lowlevel.testing import MemoryBackend
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers.engine.datagram_reader import DatagramReader
from easynetwork.servers.engine.datagram_service import DatagramService
from easynetwork.servers.engine.datagram_source import DatagramSource
from easynetwork.servers.engine.server import BaseAsyncNetworkServer
from easynetwork.servers.engine.settings import DatagramSettings
from easynetwork.servers.handlers import AsyncDatagramClient, AsyncDatagramRequestHandler, INETClientAttribute
from easynetwork.servers.options import ServerLimits

from .serving import running

pytestmark = pytest.mark.anyio

in_virtual_time = pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)

Client = AsyncDatagramClient[str]
Requests = AsyncGenerator[Any, str]
Server = BaseAsyncNetworkServer[DatagramSource[bytes], IPv4SocketAddress]
Serving = contextlib.AbstractAsyncContextManager[Server]
Serve = Callable[..., Serving]
Handle = Callable[[Client], Requests]

PORT = 9000

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


class Handler(AsyncDatagramRequestHandler[str, str]):
    """One whose `handle` is given, and which may set the service up."""

    def __init__(self, handle: Handle, service_init: Callable[[contextlib.AsyncExitStack, Any], None] | None = None):
        self._handle = handle
        self._service_init = service_init

    async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any, /) -> None:
        if self._service_init is not None:
            self._service_init(exit_stack, server)

    def handle(self, client: Client, /) -> Requests:
        return self._handle(client)


class Strict(StringLineSerializer):
    """Refuses what is not letters; ``crash`` crashes it."""

    def deserialize(self, data: bytes) -> str:
        if data == b"crash":
            raise LookupError("a bug")
        return super().deserialize(data)

    def serialize(self, packet: str) -> bytes:
        if packet == "crash":
            raise LookupError("a bug")
        return super().serialize(packet)


async def echo(client: Client) -> Requests:
    await client.send_packet((yield None))


@pytest.fixture
def serve(backend: MemoryBackend, logger: logging.Logger) -> Serve:
    """Runs a server of words at port 9000 of the memory network while the block does."""

    @contextlib.asynccontextmanager
    async def serve(handle: Handle = echo, service_init: Any = None, **options: Any) -> AsyncGenerator[Server]:
        async def open_listeners() -> Sequence[DatagramSource[bytes]]:
            return await backend.create_udp_listeners("127.0.0.1", PORT)

        protocol: DatagramProtocol[str, str] = DatagramProtocol(Strict())
        settings: DatagramSettings[bytes, str, str] = DatagramSettings(
            backend=backend,
            peer_name=lambda listener, address: f"port {address.port}",
            describe_peer=lambda listener, address: {INETClientAttribute.remote_address: lambda: address},
            protocol=protocol,
            handler=Handler(handle, service_init),
            logger=logger,
            reader=DatagramReader(protocol),
            **options,
        )
        server: Server = BaseAsyncNetworkServer(backend, DatagramService(settings), open_listeners, logger)
        async with running(server):
            yield server

    return serve


@pytest.fixture
async def peer(backend: MemoryBackend) -> AsyncIterator[DatagramEndpoint]:
    endpoint = await connect(backend)
    yield endpoint
    await endpoint.aclose()


async def connect(backend: MemoryBackend) -> DatagramEndpoint:
    return await backend.create_udp_endpoint("127.0.0.1", PORT)


async def ask(peer: DatagramEndpoint, word: str) -> str:
    await peer.send(word.encode())
    return (await peer.receive()).decode()


async def quiet(backend: MemoryBackend) -> None:
    """Lets everybody run until they wait for something that only the test can do."""
    for _ in range(20):
        await backend.coro_yield()


def records(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records if record.levelno >= logging.WARNING]


def failed(peer: DatagramEndpoint) -> tuple[str, str]:
    port = peer.extra(INETSocketAttribute.sockname).port
    return ("ERROR", f"Exception occurred during processing of request from port {port}")


# generators


async def test_a_generator_answers_a_datagram(serve: Serve, peer: DatagramEndpoint) -> None:
    async with serve():
        assert [await ask(peer, "one"), await ask(peer, ""), await ask(peer, "two")] == ["one", "", "two"]


async def test_the_datagram_is_not_parsed_before_the_first_yield(serve: Serve, peer: DatagramEndpoint) -> None:
    async def handle(client: Client) -> Requests:
        await client.send_packet("before")
        try:
            yield None
        except DatagramProtocolParseError:
            await client.send_packet("bad")

    async with serve(handle):
        await peer.send(b"\xff")
        assert [await peer.receive(), await peer.receive()] == [b"before", b"bad"]


async def test_returning_before_the_first_yield_discards_the_datagram(serve: Serve, peer: DatagramEndpoint) -> None:
    refusals = iter([True, False])

    async def handle(client: Client) -> Requests:
        if next(refusals):
            return
        await client.send_packet((yield None))

    async with serve(handle):
        await peer.send(b"refused")
        assert await ask(peer, "accepted") == "accepted"


async def test_a_later_yield_waits_for_the_next_datagram_of_the_same_peer(
    serve: Serve, backend: MemoryBackend, peer: DatagramEndpoint
) -> None:
    async def handle(client: Client) -> Requests:
        first = yield None
        await client.send_packet("more")
        await client.send_packet(first + (yield None))

    other = await connect(backend)
    async with serve(handle):
        assert await ask(peer, "a") == "more"
        assert await ask(other, "x") == "more"
        assert await ask(peer, "b") == "ab"
        assert await ask(other, "y") == "xy"
    await other.aclose()


async def test_one_generator_runs_for_a_peer_at_a_time_and_the_rest_is_queued_in_order(
    serve: Serve, backend: MemoryBackend, peer: DatagramEndpoint
) -> None:
    running = most = 0

    async def handle(client: Client) -> Requests:
        nonlocal running, most
        running += 1
        most = max(most, running)
        word = yield None
        await quiet(backend)
        running -= 1
        await client.send_packet(word)

    async with serve(handle):
        for number in range(10):
            await peer.send(b"%d" % number)
        assert [await peer.receive() for _ in range(10)] == [b"%d" % number for number in range(10)]
    assert most == 1


async def test_a_peer_is_served_while_the_handler_of_another_waits(
    serve: Serve, backend: MemoryBackend, peer: DatagramEndpoint
) -> None:
    gate = backend.create_event()

    async def handle(client: Client) -> Requests:
        word = yield None
        if word == "wait":
            await gate.wait()
        await client.send_packet(word)

    others = [await connect(backend) for _ in range(3)]
    async with serve(handle):
        await peer.send(b"wait")
        for other in others:
            await other.send(b"wait")
        free = await connect(backend)
        assert await ask(free, "now") == "now"
        gate.set()
        assert [await each.receive() for each in (peer, *others)] == [b"wait"] * 4
    for endpoint in (*others, free):
        await endpoint.aclose()


@in_virtual_time
async def test_a_timeout_is_thrown_in_and_the_generator_may_go_on(
    serve: Serve, backend: MemoryBackend, peer: DatagramEndpoint
) -> None:
    async def handle(client: Client) -> Requests:
        await client.send_packet((yield RecvParams(timeout=0)))  # never useful, and not used
        try:
            yield RecvParams(timeout=5)
        except TimeoutError:
            await client.send_packet("timeout")
        await client.send_packet((yield RecvParams(timeout=math.inf)))

    async with serve(handle):
        assert await ask(peer, "one") == "one"
        start = backend.current_time()
        assert await peer.receive() == b"timeout"
        assert backend.current_time() - start == pytest.approx(5)
        assert await ask(peer, "two") == "two"


@pytest.mark.parametrize(
    ("wish", "error"),
    [("nonsense", TypeError), (True, TypeError), (RecvParams(recv_with_ancillary=None), None)],
)
async def test_bad_wishes_are_thrown_in_and_lose_no_datagram(
    serve: Serve, peer: DatagramEndpoint, wish: Any, error: type[Exception] | None
) -> None:
    async def handle(client: Client) -> Requests:
        if error is None:
            word = yield wish
        else:
            with pytest.raises(error):
                yield wish
            word = yield None
        await client.send_packet(word)

    async with serve(handle):
        assert await ask(peer, "one") == "one"


async def test_control_messages_are_refused_and_the_datagram_waits(serve: Serve, peer: DatagramEndpoint) -> None:
    async def handle(client: Client) -> Requests:
        with pytest.raises(UnsupportedOperation):
            yield RecvParams(recv_with_ancillary=RecvAncillaryDataParams(print))
        with pytest.raises(UnsupportedOperation):
            await client.send_packet_with_ancillary("word", [])
        await client.send_packet((yield None))

    async with serve(handle):
        assert await ask(peer, "one") == "one"


async def test_a_yielded_number_is_a_deprecated_timeout(serve: Serve, peer: DatagramEndpoint) -> None:
    async def handle(client: Client) -> Requests:
        with pytest.warns(DeprecationWarning, match="RecvParams"):
            word = yield 3
        await client.send_packet(word)

    async with serve(handle):
        assert await ask(peer, "one") == "one"


# contexts and tasks


async def test_each_generator_has_a_fresh_copy_of_the_service_context(serve: Serve, peer: DatagramEndpoint) -> None:
    async def handle(client: Client) -> Requests:
        word = yield None
        before = variable.get()
        variable.set(word)
        await client.send_packet(f"{before} {variable.get()}")
        await client.send_packet(f"{variable.get()} {(yield None)}")

    def service_init(exit_stack: contextlib.AsyncExitStack, server: Any) -> None:
        variable.set("service")

    async with serve(handle, service_init):
        for _ in range(2):
            assert await ask(peer, "one") == "service one"
            assert await ask(peer, "two") == "one two"


async def test_a_handler_that_waits_has_its_task_for_itself(
    serve: Serve, backend: MemoryBackend, peer: DatagramEndpoint
) -> None:
    running: list[object] = []

    async def handle(client: Client) -> Requests:
        word = yield None
        await backend.coro_yield()
        task = backend.get_current_task()
        assert task not in running
        running.append(task)
        await quiet(backend)
        assert backend.get_current_task() == task
        running.remove(task)
        await client.send_packet(word)

    others = [await connect(backend) for _ in range(5)]
    async with serve(handle):
        for each in (peer, *others):
            await each.send(b"x")
        assert [await each.receive() for each in (peer, *others)] == [b"x"] * 6
    for each in others:
        await each.aclose()


@in_virtual_time
async def test_cancel_scopes_may_be_open_around_a_yield(
    serve: Serve, backend: MemoryBackend, peer: DatagramEndpoint
) -> None:
    async def handle(client: Client) -> Requests:
        word = yield None
        try:
            with client.backend().timeout(3):
                yield None
        except TimeoutError:
            await client.send_packet(f"{word} timed out")

    async with serve(handle):
        assert await ask(peer, "one") == "one timed out"
        assert await ask(peer, "two") == "two timed out"


# errors


async def test_an_error_ends_its_generator_only_and_is_one_record(
    serve: Serve, peer: DatagramEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    async def handle(client: Client) -> Requests:
        word = yield None
        if word == "raise":
            raise LookupError("the user's own")
        await client.send_packet(word)

    async with serve(handle):
        await peer.send(b"raise")
        assert await ask(peer, "one") == "one"
    assert records(caplog) == [failed(peer)]
    (error,) = (record.exc_info[1] for record in caplog.records if record.exc_info)
    assert isinstance(error, LookupError)


async def test_an_error_that_comes_with_a_cancellation_is_logged_like_any_other(
    serve: Serve, backend: MemoryBackend, peer: DatagramEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """A task group of trio's raises both in one."""

    async def fail_at_the_end() -> None:
        try:
            await backend.sleep_forever()
        finally:
            raise LookupError("the user's own")

    async def handle(client: Client) -> Requests:
        async with backend.create_task_group() as tasks:
            await tasks.start(fail_at_the_end)
            await client.send_packet((yield None))
            yield None

    async with serve(handle):
        assert await ask(peer, "one") == "one"
    assert records(caplog) == [failed(peer)]


async def test_an_error_before_the_first_yield_discards_the_datagram(
    serve: Serve, peer: DatagramEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    errors = iter([ConnectionError("theirs"), None])

    async def handle(client: Client) -> Requests:
        if error := next(errors):
            raise error
        await client.send_packet((yield None))

    async with serve(handle):
        await peer.send(b"first")
        assert await ask(peer, "second") == "second"
    assert records(caplog) == [failed(peer)]


async def test_crashes_of_the_protocol_are_named(
    serve: Serve, peer: DatagramEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    async def handle(client: Client) -> Requests:
        with pytest.raises(RuntimeError, match="crashed") as info:
            yield None
        assert isinstance(info.value.__cause__, LookupError)
        await client.send_packet(str(info.value))
        with pytest.raises(RuntimeError, match=r"protocol\.make_datagram\(\) crashed") as info:
            await client.send_packet("crash")
        assert isinstance(info.value.__cause__, LookupError)

    async with serve(handle):
        assert await ask(peer, "crash") == "protocol.build_packet_from_datagram() crashed"
    assert records(caplog) == []


# clients


async def test_clients_of_one_peer_are_one_object_as_long_as_somebody_holds_it(
    serve: Serve, backend: MemoryBackend, peer: DatagramEndpoint
) -> None:
    clients: list[Client] = []

    async def handle(client: Client) -> Requests:
        clients.append(client)
        await client.send_packet((yield None))

    other = await connect(backend)
    async with serve(handle):
        await ask(peer, "x")
        for _ in range(1100):  # more than are kept for nobody
            stranger = await connect(backend)
            await ask(stranger, "y")
            await stranger.aclose()
        kept, strangers = clients[0], clients[1:]
        await ask(peer, "x")
        await ask(other, "x")

        assert clients[-2] is kept
        assert clients[-1] != kept
        assert len({*strangers, kept}) == 1101
        assert kept.extra(INETClientAttribute.remote_address) == peer.extra(INETSocketAttribute.sockname)
        assert not kept.is_closing()
    await other.aclose()


async def test_clients_that_nobody_holds_are_forgotten(serve: Serve, backend: MemoryBackend) -> None:
    async with serve():
        before = _living_clients()
        for _ in range(3000):
            stranger = await connect(backend)
            await ask(stranger, "x")
            await stranger.aclose()
        assert _living_clients() - before <= 1024


def _living_clients() -> int:
    gc.collect()
    return sum(isinstance(each, AsyncDatagramClient) for each in gc.get_objects())


async def test_a_peer_that_comes_again_is_the_same_client_and_counted_once(
    serve: Serve, backend: MemoryBackend, peer: DatagramEndpoint
) -> None:
    clients: weakref.WeakSet[Client] = weakref.WeakSet()

    async def handle(client: Client) -> Requests:
        clients.add(client)
        await client.send_packet((yield None))

    other = await connect(backend)
    async with serve(handle) as server:
        for _ in range(3):
            assert await ask(peer, "one") == "one"
            assert await ask(other, "two") == "two"
            await quiet(backend)
            gc.collect()
            assert len(clients) == 2, "a weak key of the client survives its generator"
            assert server.statistics().clients_total == 2
    await other.aclose()


async def test_a_client_is_usable_until_the_service_has_ended(
    serve: Serve, backend: MemoryBackend, peer: DatagramEndpoint
) -> None:
    clients: list[Client] = []

    async def handle(client: Client) -> Requests:
        clients.append(client)
        await client.send_packet((yield None))

    async def say_goodbye() -> None:
        await clients[0].send_packet("goodbye")

    def service_init(exit_stack: contextlib.AsyncExitStack, server: Any) -> None:
        exit_stack.push_async_callback(say_goodbye)

    async with serve(handle, service_init) as server:
        assert await ask(peer, "x") == "x"
        await server.shutdown()
        assert await peer.receive() == b"goodbye"

        assert server.is_listening()
        assert clients[0].is_closing()
        with pytest.raises(ClientClosedError):
            await clients[0].send_packet("too late")


async def test_closing_the_server_ends_the_generators_that_wait(
    serve: Serve, backend: MemoryBackend, peer: DatagramEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[type[BaseException]] = []

    async def handle(client: Client) -> Requests:
        await client.send_packet((yield None))
        try:
            yield None
        except BaseException as exc:
            ended.append(type(exc))
            assert client.is_closing()
            with pytest.raises(ClientClosedError):
                await client.send_packet("x")
            raise

    async with serve(handle) as server:
        assert await ask(peer, "x") == "x"
        await server.server_close()
        await quiet(backend)
        assert ended == [GeneratorExit]
    assert records(caplog) == []


async def test_a_shutdown_cancels_the_generators(serve: Serve, backend: MemoryBackend, peer: DatagramEndpoint) -> None:
    ended: list[str] = []

    async def handle(client: Client) -> Requests:
        await client.send_packet((yield None))
        try:
            yield None
        finally:
            ended.append("yes")

    async with serve(handle) as server:
        assert await ask(peer, "x") == "x"
        await server.shutdown()
        assert ended == ["yes"]


async def test_a_handler_that_refuses_to_be_cancelled_waits_for_no_datagram_when_nobody_receives(
    serve: Serve, backend: MemoryBackend, peer: DatagramEndpoint
) -> None:
    events: list[str] = []

    async def handle(client: Client) -> Requests:
        await client.send_packet((yield None))
        try:
            yield None
        except backend.get_cancelled_exc_class():
            events.append("cancelled")
            with anyio.CancelScope(shield=True):
                await quiet(backend)
                yield None
        finally:
            events.append("ended")

    async with serve(handle) as server:
        assert await ask(peer, "x") == "x"
        with backend.timeout(5):
            await server.shutdown()
    assert events == ["cancelled", "ended"]


# bounds


async def test_a_full_queue_drops_the_newest_and_says_so_once_a_second(
    serve: Serve, backend: MemoryBackend, peer: DatagramEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    gate = backend.create_event()

    async def handle(client: Client) -> Requests:
        word = yield None
        await gate.wait()
        await client.send_packet(word)

    async with serve(handle, limits=ServerLimits(max_pending_datagrams=5)):
        for number in range(30):
            await peer.send(b"%d" % number)
            await quiet(backend)
        gate.set()
        assert [await peer.receive() for _ in range(6)] == [b"%d" % number for number in range(6)]
    lines = [message for _, message in records(caplog)]
    assert lines == [
        "Dropped datagrams: 1, from peers: 1; they came faster than they were handled",
        "Dropped datagrams: 23, from peers: 1; they came faster than they were handled",
    ]


async def test_dropped_datagrams_are_no_packets_received(
    serve: Serve, backend: MemoryBackend, peer: DatagramEndpoint
) -> None:
    gate = backend.create_event()

    async def handle(client: Client) -> Requests:
        word = yield None
        await gate.wait()
        await client.send_packet(word)

    async with serve(handle, limits=ServerLimits(max_pending_datagrams=1)) as server:
        for word in ("one", "two", "three", "four"):
            await peer.send(word.encode())
            await quiet(backend)
        gate.set()
        assert [await peer.receive(), await peer.receive()] == [b"one", b"two"]
        statistics = server.statistics()
        assert (statistics.packets_received, statistics.datagrams_dropped) == (2, 2)
        assert statistics.limits_hit == {"max_pending_datagrams": 2}


async def test_limits_read_back_as_they_were_set(serve: Serve) -> None:
    async with serve(limits=ServerLimits(max_peers=1)) as server:
        server.limits = ServerLimits(max_pending_datagrams=5)
        assert server.limits == ServerLimits(max_pending_datagrams=5)


async def test_the_bytes_that_wait_for_a_peer_are_bounded(
    serve: Serve, backend: MemoryBackend, peer: DatagramEndpoint
) -> None:
    gate = backend.create_event()
    handled: list[int] = []

    async def handle(client: Client) -> Requests:
        word = yield None
        await gate.wait()
        handled.append(len(word))
        if word == "x":
            await client.send_packet("done")

    async with serve(handle):
        for _ in range(40):
            await peer.send(b"y" * 60_000)
            await quiet(backend)
        gate.set()
        await quiet(backend)
        assert await ask(peer, "x") == "done"
    assert (
        len(handled) == 1 + (1 << 20) // 60_000 + 1
    )  # the one in its handler's hands, those that waited, and the question


async def test_the_number_of_peers_with_a_running_generator_is_bounded(
    serve: Serve, backend: MemoryBackend, peer: DatagramEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    gate = backend.create_event()

    async def handle(client: Client) -> Requests:
        word = yield None
        await gate.wait()
        await client.send_packet(word)

    others = [await connect(backend) for _ in range(5)]
    async with serve(handle, limits=ServerLimits(max_peers=2)) as server:
        for number, each in enumerate((*others, peer)):
            await each.send(b"%d" % number)
            await quiet(backend)
        gate.set()
        assert [await each.receive() for each in others[:2]] == [b"0", b"1"]
        assert await ask(peer, "again") == "again"
        statistics = server.statistics()
        assert (statistics.limits_hit, statistics.datagrams_dropped) == ({"max_peers": 4}, 4)
        assert statistics.packets_received == 3
    assert records(caplog) == [
        ("WARNING", "Dropped datagrams: 1, from peers: 1; they came faster than they were handled"),
        ("WARNING", "Dropped datagrams: 3, from peers: 3; they came faster than they were handled"),
    ]
    for each in others:
        await each.aclose()


# counters


async def test_counters_stay_right_after_hundreds_of_datagrams(
    serve: Serve, backend: MemoryBackend, peer: DatagramEndpoint
) -> None:
    async with serve() as server:
        for _ in range(600):
            assert await ask(peer, "hello") == "hello"
        await quiet(backend)
        statistics = server.statistics()
        assert (statistics.packets_received, statistics.packets_sent) == (600, 600)
        assert (statistics.bytes_received, statistics.bytes_sent) == (3000, 3000)


MANY = 5_000
WORD = "x" * 1_000  # its length is no number that Python has always there


@contextlib.contextmanager
def memory_does_not_grow() -> Generator[None]:
    """Fails if something is kept of each of `MANY` datagrams, be it one number."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        yield
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < MANY * 8


async def test_memory_of_a_server_that_only_receives_does_not_grow(
    serve: Serve, backend: MemoryBackend, peer: DatagramEndpoint
) -> None:
    async def handle(client: Client) -> Requests:
        yield None

    async def send(number: int) -> None:
        for _ in range(number // 50):
            for _ in range(50):
                await peer.send(WORD.encode())
            await quiet(backend)

    async with serve(handle) as server:
        await send(50)
        with memory_does_not_grow():
            await send(MANY)
        statistics = server.statistics()
        assert (statistics.packets_received, statistics.bytes_received) == (MANY + 50, (MANY + 50) * len(WORD))


async def test_memory_of_a_server_that_only_sends_does_not_grow(
    serve: Serve, backend: MemoryBackend, peer: DatagramEndpoint
) -> None:
    async def handle(client: Client) -> Requests:
        for _ in range(int((yield None)) // 50):
            for _ in range(50):
                await client.send_packet(WORD)
            await quiet(backend)

    async def receive(number: int) -> None:
        await peer.send(b"%d" % number)
        for _ in range(number):
            assert await peer.receive() == WORD.encode()

    async with serve(handle) as server:
        await receive(50)
        with memory_does_not_grow():
            await receive(MANY)
        statistics = server.statistics()
        assert (statistics.packets_sent, statistics.bytes_sent) == (MANY + 50, (MANY + 50) * len(WORD))
