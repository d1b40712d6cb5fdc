# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterable
from types import coroutine
from typing import Any

import pytest

from easynetwork.exceptions import ClientClosedError, StreamProtocolParseError, UnsupportedOperation
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend, TaskGroup
from easynetwork.lowlevel.request_handler import RecvAncillaryDataParams, RecvParams
from easynetwork.lowlevel.socket import INETSocketAttribute, IPv4SocketAddress
from easynetwork.lowlevel.streams import ByteStream
from easynetwork.lowlevel.testing import MemoryStream, memory_stream_pair
from easynetwork.protocol import AnyStreamProtocolType, BufferedStreamProtocol, StreamProtocol
from easynetwork.protocol.receivers import NEED_DATA
from easynetwork.serializers import StringLineSerializer
from easynetwork.serializers.base_stream import AutoSeparatedPacketSerializer
from easynetwork.servers.engine.counters import Counters
from easynetwork.servers.engine.driver import END
from easynetwork.servers.engine.stream_connection import StreamConnection
from easynetwork.servers.handlers import INETClientAttribute
from easynetwork.servers.statistics import CloseReason

from .recording import RecordingStream
from .serving import Echo, stream_settings

pytestmark = pytest.mark.anyio

in_virtual_time = pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)

SOMEWHERE = IPv4SocketAddress("192.0.2.1", 1234)

Connection = StreamConnection[str, str]
Pair = tuple[Connection, MemoryStream]
MakePair = Callable[..., Pair]


@pytest.fixture(params=[StreamProtocol, BufferedStreamProtocol])
def protocol(request: pytest.FixtureRequest) -> AnyStreamProtocolType[str, str]:
    made: AnyStreamProtocolType[str, str] = request.param(StringLineSerializer())
    return made


@pytest.fixture
async def tasks(backend: AsyncBackend) -> AsyncIterator[TaskGroup]:
    """Those of the server: what a connection starts is at its end when the test is."""
    async with backend.create_task_group() as tasks:
        yield tasks


def attributes() -> dict[Any, Callable[[], Any]]:
    return {INETClientAttribute.remote_address: lambda: SOMEWHERE}


@pytest.fixture
def connect(
    backend: AsyncBackend, protocol: AnyStreamProtocolType[str, str], logger: logging.Logger, tasks: TaskGroup
) -> MakePair:
    """Makes a connection and the stream of its peer."""

    def connect(*, capacity: int = 65536, protocol: AnyStreamProtocolType[str, str] = protocol) -> Pair:
        ours, theirs = memory_stream_pair(backend, capacity=capacity)
        return make_connection(backend, protocol, logger, ours, tasks), theirs

    return connect


def make_connection(
    backend: AsyncBackend,
    protocol: AnyStreamProtocolType[str, str],
    logger: logging.Logger,
    stream: ByteStream,
    tasks: TaskGroup,
) -> Connection:
    settings = stream_settings(backend, Echo(), protocol=protocol, logger=logger)
    return StreamConnection(settings, stream, Counters(), attributes, tasks)


@coroutine
def receive(client: Connection, params: object) -> Generator[Any, Any, Any]:
    """Gives the next packet as the driver does, or `END`."""
    packet = client.take(params)
    while packet is NEED_DATA:
        try:
            yield from client.until_readable()
            packet = client.read()
        except client.receive_errors as exc:
            packet = client.receive_failed(exc)
    return packet


async def read_to_end(stream: MemoryStream) -> bytes:
    data = bytearray()
    while more := await stream.receive(1000):
        data += more
    return bytes(data)


# receiving


async def test_packets_come_in_order_whatever_their_segments(connect: MakePair) -> None:
    client, peer = connect()
    await peer.send(b"one\ntwo\nth")
    assert [await receive(client, None), await receive(client, None)] == ["one", "two"]

    await peer.send(b"ree\n")
    assert await receive(client, RecvParams()) == "three"


@in_virtual_time
async def test_a_time_out_is_for_the_whole_packet(backend: AsyncBackend, connect: MakePair) -> None:
    client, peer = connect()

    async def drip() -> None:
        for _ in range(20):
            await peer.send(b"x")
            await backend.sleep(0.5)

    async with backend.create_task_group() as tasks:
        dripping = await tasks.start(drip)
        start = backend.current_time()
        with pytest.raises(TimeoutError):
            await receive(client, RecvParams(timeout=2.25))
        assert backend.current_time() - start == pytest.approx(2.25)
        dripping.cancel()

    await peer.send(b"\n")
    assert await receive(client, RecvParams(timeout=2)) == "x" * 5, "what had come before is not lost"


@in_virtual_time
async def test_a_time_out_is_over_when_the_packet_is_there(backend: AsyncBackend, connect: MakePair) -> None:
    client, peer = connect()
    await peer.send(b"one\n")
    await receive(client, RecvParams(timeout=1))
    await backend.sleep(10)

    await peer.send(b"two\n")
    assert await receive(client, None) == "two"


async def test_a_packet_that_is_there_needs_no_time(connect: MakePair) -> None:
    client, peer = connect()
    await peer.send(b"one\ntwo\n")

    assert await receive(client, RecvParams(timeout=0)) == "one"
    assert await receive(client, RecvParams(timeout=0)) == "two"
    with pytest.raises(TimeoutError):
        await receive(client, RecvParams(timeout=0))


class LateAndReset(RecordingStream):
    """One whose deadline is over when the peer has just reset it, before the wait could tell."""

    def until_readable(self, deadline: float | None = None) -> Iterable[Any]:
        raise TimeoutError

    def receive_nowait(self, max_bytes: int) -> bytes | None:
        raise ConnectionResetError


async def test_a_reset_at_the_deadline_is_the_end(
    backend: AsyncBackend, lines: StreamProtocol[str, str], logger: logging.Logger, tasks: TaskGroup
) -> None:
    stream, _ = memory_stream_pair(backend)
    client = make_connection(backend, lines, logger, LateAndReset(stream, []), tasks)

    assert await receive(client, RecvParams(timeout=0)) is END
    assert client.reason is CloseReason.PEER_RESET


async def test_infinity_is_no_limit(connect: MakePair) -> None:
    client, peer = connect()
    await peer.send(b"one\n")

    assert await receive(client, RecvParams(timeout=float("inf"))) == "one"


async def test_a_number_is_a_deprecated_time_out(connect: MakePair) -> None:
    client, _ = connect()

    with pytest.warns(DeprecationWarning, match="RecvParams"), pytest.raises(TimeoutError):
        await receive(client, 0)
    with pytest.warns(DeprecationWarning, match="RecvParams"), pytest.raises(ValueError, match="timeout"):
        await receive(client, -1.0)


@pytest.mark.parametrize("params", ["soon", True, object()])
async def test_whatever_else_is_yielded_is_an_error(connect: MakePair, params: object) -> None:
    client, _ = connect()

    with pytest.raises(TypeError):
        await receive(client, params)


async def test_there_are_no_control_messages(connect: MakePair) -> None:
    client, _ = connect()

    with pytest.raises(UnsupportedOperation):
        await receive(client, RecvParams(recv_with_ancillary=RecvAncillaryDataParams(print)))
    with pytest.raises(UnsupportedOperation):
        await client.send_packet_with_ancillary("x", [])


async def test_after_a_bad_frame_reading_goes_on(connect: MakePair) -> None:
    client, peer = connect()
    await peer.send(b"\xff\ngood\n")

    with pytest.raises(StreamProtocolParseError):
        await receive(client, None)
    assert await receive(client, None) == "good"


class BrokenSerializer(AutoSeparatedPacketSerializer[str, str]):
    """Its parser and its generator crash."""

    def __init__(self) -> None:
        super().__init__(b"\n")

    def serialize(self, packet: str) -> bytes:
        raise ZeroDivisionError

    def deserialize(self, data: bytes) -> str:
        raise ZeroDivisionError


async def test_a_protocol_that_crashes_says_so(connect: MakePair) -> None:
    client, peer = connect(protocol=StreamProtocol(BrokenSerializer()))
    await peer.send(b"x\n")

    with pytest.raises(RuntimeError, match=r"protocol\.build_packet_from_chunks\(\) crashed") as caught:
        await receive(client, None)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(RuntimeError, match=r"protocol\.generate_chunks\(\) crashed") as caught:
        await client.send_packet("x")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert not client.is_closing()


async def test_the_end_drops_a_frame_that_was_cut_off(connect: MakePair) -> None:
    client, peer = connect()
    await peer.send(b"one\ntw")
    await peer.aclose()

    assert await receive(client, None) == "one"
    assert await receive(client, None) is END
    assert await receive(client, None) is END


async def test_a_lost_connection_is_an_end(connect: MakePair) -> None:
    client, peer = connect()
    peer.abort()

    assert await receive(client, None) is END


async def test_a_closed_client_receives_nothing_more(connect: MakePair) -> None:
    client, peer = connect()
    await peer.send(b"one\ntwo\n")
    assert await receive(client, None) == "one"
    await client.aclose()

    assert await receive(client, None) is END


async def test_closing_wakes_who_receives(backend: AsyncBackend, connect: MakePair) -> None:
    client, _ = connect()

    async with backend.create_task_group() as tasks:
        got: list[object] = []

        async def receive_end() -> None:
            got.append(await receive(client, None))

        receiving = await tasks.start(receive_end)
        await backend.coro_yield()
        await client.aclose()
        await receiving.join()
        assert got == [END]


async def test_a_cancelled_receive_loses_nothing(backend: AsyncBackend, connect: MakePair) -> None:
    client, peer = connect()
    await peer.send(b"on")
    with backend.move_on_after(0):
        await receive(client, None)

    await peer.send(b"e\n")
    assert await receive(client, None) == "one"


# sending


async def test_a_packet_arrives_as_the_protocol_writes_it(connect: MakePair) -> None:
    client, peer = connect()
    assert not client.has_sent
    await client.send_packet("one")

    assert await peer.receive(100) == b"one\n"
    assert client.has_sent


async def test_a_peer_that_does_not_read_makes_senders_wait(backend: AsyncBackend, connect: MakePair) -> None:
    client, peer = connect(capacity=10)
    await client.send_packet("123456789")

    async with backend.create_task_group() as tasks:
        sending = await tasks.start(client.send_packet, "x")
        await backend.coro_yield()
        assert not sending.done()
        assert await peer.receive(100) == b"123456789\n"
    assert await peer.receive(100) == b"x\n"


async def test_packets_of_many_tasks_leave_whole_and_in_call_order(backend: AsyncBackend, connect: MakePair) -> None:
    client, peer = connect(capacity=7)
    packets = [str(number) * 50 for number in range(10)]

    async with backend.create_task_group() as tasks:
        for packet in packets:
            await tasks.start(client.send_packet, packet)
        received = b""
        while received.count(b"\n") < len(packets):
            received += await peer.receive(100)

    assert received.decode().split() == packets


async def test_a_send_that_is_cut_closes_the_connection(backend: AsyncBackend, connect: MakePair) -> None:
    client, peer = connect(capacity=10)

    with backend.move_on_after(0) as scope:
        await client.send_packet("x" * 100)

    assert scope.cancelled_caught()
    assert client.is_closing()
    with pytest.raises(ClientClosedError):
        await client.send_packet("y")
    with pytest.raises(ConnectionResetError):
        await read_to_end(peer)


async def test_a_send_that_is_cancelled_before_its_turn_harms_nobody(backend: AsyncBackend, connect: MakePair) -> None:
    client, peer = connect(capacity=10)

    async with backend.create_task_group() as tasks:
        await tasks.start(client.send_packet, "x" * 20)
        waiting = await tasks.start(client.send_packet, "y" * 20)
        await tasks.start(client.send_packet, "z" * 20)
        await backend.coro_yield()
        waiting.cancel()
        await waiting.wait()
        received = b""
        while received.count(b"\n") < 2:
            received += await peer.receive(100)

    assert received == b"x" * 20 + b"\n" + b"z" * 20 + b"\n"
    assert not client.is_closing()


async def test_a_lost_connection_is_a_connection_error(connect: MakePair) -> None:
    client, peer = connect()
    peer.abort()

    with pytest.raises(ConnectionResetError):
        await client.send_packet("x")


# closing


async def test_closing_waits_for_what_is_being_sent(backend: AsyncBackend, connect: MakePair) -> None:
    client, peer = connect(capacity=10)

    async with backend.create_task_group() as tasks:
        sending = await tasks.start(client.send_packet, "x" * 100)
        closing = await tasks.start(client.aclose)
        await backend.coro_yield()
        assert client.is_closing()
        assert not closing.done()

        assert await read_to_end(peer) == b"x" * 100 + b"\n"
        await sending.join()
        await closing.join()


async def test_who_waits_to_send_when_the_client_is_closed_is_told(backend: AsyncBackend, connect: MakePair) -> None:
    client, peer = connect(capacity=10)

    async def send_too_late() -> None:
        with pytest.raises(ClientClosedError):
            await client.send_packet("y")

    async with backend.create_task_group() as tasks:
        await tasks.start(client.send_packet, "x" * 100)
        tasks.start_soon(send_too_late)
        await backend.coro_yield()
        await backend.coro_yield()
        tasks.start_soon(client.aclose)
        assert await read_to_end(peer) == b"x" * 100 + b"\n"


async def test_a_closed_client_sends_nothing_more(connect: MakePair) -> None:
    client, peer = connect()
    await client.send_packet("x")
    await client.aclose()
    await client.aclose()

    assert client.is_closing()
    with pytest.raises(ClientClosedError):
        await client.send_packet("y")
    assert await read_to_end(peer) == b"x\n"


async def test_a_cancelled_close_is_abrupt(backend: AsyncBackend, connect: MakePair) -> None:
    client, peer = connect(capacity=10)

    async with backend.create_task_group() as tasks:

        async def send() -> None:
            with pytest.raises(ClientClosedError):
                await client.send_packet("x" * 100)

        await tasks.start(send)
        await backend.coro_yield()
        with backend.move_on_after(0) as scope:
            await client.aclose()

    assert scope.cancelled_caught()
    with pytest.raises(ConnectionResetError):
        await read_to_end(peer)


async def test_an_abort_is_a_reset(connect: MakePair) -> None:
    client, peer = connect()
    client.abort()

    assert client.is_closing()
    with pytest.raises(ConnectionResetError):
        await peer.receive(1)


async def test_an_abort_drops_what_is_held(
    backend: AsyncBackend, protocol: AnyStreamProtocolType[str, str], logger: logging.Logger, tasks: TaskGroup
) -> None:
    sends: list[bytes] = []
    ours, peer = memory_stream_pair(backend)
    client = make_connection(backend, protocol, logger, RecordingStream(ours, sends), tasks)
    await peer.send(b"one\ntwo\n")
    await receive(client, None)
    await client.send_packet("held")
    client.abort()
    client.uncork()

    assert sends == []
    with pytest.raises(ClientClosedError):
        await client.send_packet("y")


# what else


async def test_a_client_has_its_own_attributes_and_those_of_its_stream(connect: MakePair) -> None:
    client, peer = connect()

    assert client.extra(INETClientAttribute.remote_address) == SOMEWHERE
    assert client.extra(INETSocketAttribute.peername) == peer.extra(INETSocketAttribute.sockname)
    attributes: Any = client.extra_attributes
    with pytest.raises(TypeError):
        attributes[INETClientAttribute.remote_address] = None


@pytest.mark.parametrize("deed", ["receive", "send"])
async def test_a_busy_client_lets_the_others_run(backend: AsyncBackend, connect: MakePair, deed: str) -> None:
    """It never has to wait: all that it receives is there already, and its peer's buffer takes all
    that it sends.
    """
    packets = 30_000
    client, peer = connect(capacity=1_000_000)
    await peer.send(b"x\n" * packets)
    turns: list[float] = []

    async def others() -> None:
        while True:
            turns.append(time.monotonic())
            await backend.coro_yield()

    async with backend.create_task_group() as tasks:
        other = await tasks.start(others)
        start = time.monotonic()
        for _ in range(packets):
            if deed == "receive":
                await receive(client, None)
            else:
                await client.send_packet("x")
        elapsed = time.monotonic() - start
        other.cancel()

    assert len(turns) >= elapsed / 0.01, "one turn in two milliseconds is meant, one in ten is asked for"
