# SPDX-License-Identifier: Apache-2.0
"""What a request handler of TCP may do, feature by feature."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import anyio
import pytest
from running_server import running
from tcp_peers import connected, line_server, serving

from easynetwork.exceptions import (
    ClientClosedError,
    StreamProtocolParseError,
    TypedAttributeLookupError,
    UnsupportedOperation,
)
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend, TaskInfo
from easynetwork.lowlevel.request_handler import RecvAncillaryDataParams, RecvParams
from easynetwork.lowlevel.socket import IPv4SocketAddress, TLSAttribute
from easynetwork.protocol import AnyStreamProtocolType, BufferedStreamProtocol, StreamProtocol
from easynetwork.serializers import JSONSerializer, StringLineSerializer
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler, INETClientAttribute

pytestmark = pytest.mark.anyio

LineClient = AsyncStreamClient[str]
Requests = AsyncGenerator[RecvParams | float | None, str]


class Handler(AsyncStreamRequestHandler[str, str]):
    """Calls what a test gives it, and writes down what the engine did."""

    def __init__(self, handle: Callable[[LineClient], Requests]) -> None:
        self._handle = handle
        self.handled = 0
        self.events: list[str] = []
        self.disconnected = anyio.Event()

    async def handle(self, client: LineClient) -> Requests:
        self.handled += 1
        inner = self._handle(client)
        try:
            params = await anext(inner)
            while True:
                try:
                    request = yield params
                except GeneratorExit:
                    self.events.append("GeneratorExit")
                    await inner.aclose()
                    raise
                except BaseException as exc:
                    self.events.append(type(exc).__name__)
                    params = await inner.athrow(exc)
                else:
                    params = await inner.asend(request)
        except StopAsyncIteration:
            return

    async def on_disconnection(self, client: LineClient) -> None:
        self.events.append("on_disconnection")
        self.disconnected.set()


async def echo(client: LineClient) -> Requests:
    request = yield None
    await client.send_packet(request.upper())


@pytest.mark.parametrize("kind", [StreamProtocol, BufferedStreamProtocol])
async def test_a_request_gets_its_response_from_a_generator_of_its_own(
    kind: type[StreamProtocol[str, str]] | type[BufferedStreamProtocol[str, str]],
) -> None:
    handler = Handler(echo)

    async with serving(handler, protocol=kind(StringLineSerializer())) as (_, peer):
        assert await peer.ask("hello") == "HELLO"
        assert await peer.ask("world") == "WORLD"

    assert handler.handled == 3  # the third one waited for a request that never came


@pytest.mark.parametrize("kind", [StreamProtocol, BufferedStreamProtocol])
async def test_packets_of_one_segment_are_handled_one_after_another(
    kind: type[StreamProtocol[str, str]] | type[BufferedStreamProtocol[str, str]],
) -> None:
    async with serving(Handler(echo), protocol=kind(StringLineSerializer())) as (_, peer):
        await peer.send("a", "b", "", "c")

        assert [await peer.receive() for _ in range(4)] == ["A", "B", "", "C"]


async def test_closing_the_client_closes_the_connection() -> None:
    async def handle(client: LineClient) -> Requests:
        yield None
        await client.send_packet("bye")
        await client.aclose()
        assert client.is_closing()
        await client.aclose()
        with pytest.raises(ClientClosedError):
            await client.send_packet("too late")

    handler = Handler(handle)
    async with serving(handler) as (_, peer):
        assert await peer.ask("x") == "bye"
        assert await peer.is_closed()
        await handler.disconnected.wait()

    assert handler.handled == 1


async def test_aclosing_closes_the_client_at_the_end_of_the_generator() -> None:
    async def handle(client: LineClient) -> Requests:
        async with contextlib.aclosing(client):
            request = yield None
            await client.send_packet(request)

    async with serving(Handler(handle)) as (_, peer):
        assert await peer.ask("once") == "once"
        assert await peer.is_closed()


async def test_returning_before_the_first_yield_closes_the_connection() -> None:
    async def refuse(client: LineClient) -> Requests:
        if client.is_closing():  # never: but it makes this a generator
            yield None

    handler = Handler(refuse)
    async with serving(handler) as (_, peer):
        assert await peer.is_closed()
        await handler.disconnected.wait()

    assert handler.handled == 1
    assert handler.events == ["on_disconnection"]


async def test_what_was_sent_arrives_even_if_the_handler_then_refuses() -> None:
    async def refuse(client: LineClient) -> Requests:
        await client.send_packet("go away")
        if client.is_closing():
            yield None

    async with serving(Handler(refuse)) as (_, peer):
        assert await peer.receive() == "go away"
        assert await peer.is_closed()


async def test_raising_closes_the_connection_after_one_log_record(caplog: pytest.LogCaptureFixture) -> None:
    async def handle(client: LineClient) -> Requests:
        yield None
        await client.send_packet("last words")
        raise LookupError("the user's own")

    handler = Handler(handle)
    async with serving(handler) as (_, peer):
        assert await peer.ask("x") == "last words"
        assert await peer.is_closed()
        await handler.disconnected.wait()

    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith("Exception occurred during processing of request from (")
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)


@pytest.mark.parametrize("kind", [StreamProtocol, BufferedStreamProtocol])
async def test_a_bad_frame_is_thrown_in_and_reading_goes_on(
    kind: type[StreamProtocol[Any, Any]] | type[BufferedStreamProtocol[Any, Any]],
) -> None:
    async def handle(client: AsyncStreamClient[Any]) -> AsyncGenerator[None, Any]:
        try:
            request = yield
        except StreamProtocolParseError:
            await client.send_packet("bad request")
        else:
            await client.send_packet(request)

    async with serving(Handler(handle), protocol=kind(JSONSerializer())) as (_, peer):
        await peer.send('{"a": 1}', "{nonsense", "[2]")

        assert [await peer.receive() for _ in range(3)] == ['{"a":1}', '"bad request"', "[2]"]


@pytest.mark.parametrize("method", ["build_packet_from_chunks", "build_packet_from_buffer"])
async def test_a_crashing_protocol_is_a_runtime_error_at_the_yield(method: str) -> None:
    class Crashing:
        def build_packet_from_chunks(self) -> Any:
            yield
            raise ZeroDivisionError

        def build_packet_from_buffer(self, buffer: Any) -> Any:
            yield
            raise ZeroDivisionError

    caught: list[BaseException] = []

    async def handle(client: LineClient) -> Requests:
        try:
            yield None
        except RuntimeError as exc:
            caught.append(exc)

    base: Any = StreamProtocol if method.endswith("chunks") else BufferedStreamProtocol
    make_protocol: Any = type("Protocol", (Crashing, base), {})
    protocol: AnyStreamProtocolType[str, str] = make_protocol(StringLineSerializer())
    handler = Handler(handle)
    async with serving(handler, protocol=protocol) as (_, peer):
        await peer.send("x")
        assert await peer.is_closed()

    assert str(caught[0]) == f"protocol.{method}() crashed"
    assert isinstance(caught[0].__cause__, ZeroDivisionError)


async def test_a_response_that_cannot_be_serialized_is_a_runtime_error() -> None:
    async def handle(client: LineClient) -> Requests:
        yield None
        with pytest.raises(RuntimeError, match=r"^protocol.generate_chunks\(\) crashed$") as caught:
            await client.send_packet("\N{SNOWMAN}")  # not ASCII
        assert isinstance(caught.value.__cause__, UnicodeEncodeError)
        await client.send_packet("fine")

    async with serving(Handler(handle)) as (_, peer):
        assert await peer.ask("x") == "fine"


@pytest.mark.parametrize("how", ["end", "reset"])
async def test_a_peer_that_goes_away_closes_the_generator(how: str, caplog: pytest.LogCaptureFixture) -> None:
    handler = Handler(echo)

    async with serving(handler) as (_, peer):
        assert await peer.ask("x") == "X"
        await peer.stream.send(b"half a fra")
        if how == "end":
            await peer.stream.aclose()
        else:
            await anyio.aclose_forcefully(peer.stream)
        await handler.disconnected.wait()

    assert handler.events == ["GeneratorExit", "on_disconnection"]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_generator_may_ask_as_often_as_it_likes() -> None:
    async def handle(client: LineClient) -> Requests:
        total = 0
        while (request := (yield None)) != "sum":
            total += int(request)
        await client.send_packet(str(total))

    handler = Handler(handle)
    async with serving(handler) as (_, peer):
        await peer.send("1", "2", "3", "sum", "4")
        assert await peer.receive() == "6"
        assert await peer.ask("sum") == "4"

    assert handler.handled == 3


async def test_a_packet_that_does_not_come_in_time_is_a_timeout_at_the_yield(backend: AsyncBackend) -> None:
    async def handle(client: LineClient) -> Requests:
        start = backend.current_time()
        try:
            yield RecvParams(timeout=0.05)
        except TimeoutError:
            assert 0.045 <= backend.current_time() - start < 1
            await client.send_packet("timed out")
        request = yield RecvParams(timeout=None)
        await client.send_packet(request)

    async with serving(Handler(handle)) as (_, peer):
        await peer.stream.send(b"half a packet does not count")
        assert await peer.receive() == "timed out"
        await peer.send(", a whole one does")
        assert await peer.receive() == "half a packet does not count, a whole one does"


async def test_a_timeout_of_zero_takes_what_is_there() -> None:
    async def handle(client: LineClient) -> Requests:
        first = yield None
        second = yield RecvParams(timeout=0)
        try:
            yield RecvParams(timeout=0)
        except TimeoutError:
            await client.send_packet(first + second)

    async with serving(Handler(handle)) as (_, peer):
        await peer.send("a", "b")
        assert await peer.receive() == "ab"


async def test_asking_without_time_for_ever_leaves_the_others_their_turn() -> None:
    async def handle(client: LineClient) -> Requests:
        while True:
            with contextlib.suppress(TimeoutError):
                request = yield RecvParams(timeout=0)
                await client.send_packet(request)

    server = line_server(Handler(handle))
    async with running(server), connected(server) as impatient, connected(server) as other:
        assert await impatient.ask("x") == "x"
        assert await other.ask("y") == "y"


async def test_a_bare_number_is_a_deprecated_timeout() -> None:
    async def handle(client: LineClient) -> Requests:
        try:
            with pytest.warns(DeprecationWarning, match="RecvParams"):
                yield 0.01
        except TimeoutError:
            await client.send_packet("timed out")

    async with serving(Handler(handle)) as (_, peer):
        assert await peer.receive() == "timed out"


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ("soon", TypeError),
        (object(), TypeError),
        (True, TypeError),
        (-1, ValueError),
        (float("nan"), ValueError),
        (RecvParams(recv_with_ancillary=RecvAncillaryDataParams(print)), UnsupportedOperation),
    ],
)
@pytest.mark.filterwarnings("ignore:yielding a number:DeprecationWarning")
async def test_receive_parameters_that_make_no_sense_are_thrown_in(params: Any, error: type[Exception]) -> None:
    async def handle(client: LineClient) -> Requests:
        with pytest.raises(error):
            yield params
        await client.send_packet(error.__name__)
        yield None

    async with serving(Handler(handle)) as (_, peer):
        assert await peer.receive() == error.__name__


async def test_cancellation_is_thrown_in_at_the_yield(backend: AsyncBackend) -> None:
    handler = Handler(echo)

    async with serving(handler) as (server, peer):
        await peer.ask("x")
        await server.shutdown()

    assert handler.events == [backend.get_cancelled_exc_class().__name__, "on_disconnection"]


class Hooked(AsyncStreamRequestHandler[str, str]):
    def __init__(self, on_connection: Callable[[LineClient], Awaitable[None] | Requests]) -> None:
        self._on_connection = on_connection
        self.calls: list[str] = []
        self.disconnected = anyio.Event()

    def on_connection(self, client: LineClient) -> Any:
        self.calls.append("on_connection")
        return self._on_connection(client)

    async def handle(self, client: LineClient) -> Requests:
        self.calls.append("handle")
        request = yield None
        await client.send_packet(request)

    async def on_disconnection(self, client: LineClient) -> None:
        self.calls.append("on_disconnection")
        self.disconnected.set()


async def test_hooks_are_called_around_the_conversation() -> None:
    async def welcome(client: LineClient) -> None:
        await client.send_packet("welcome")

    handler = Hooked(welcome)
    async with serving(handler) as (_, peer):
        assert await peer.receive() == "welcome"
        assert await peer.ask("x") == "x"
        await peer.stream.aclose()
        await handler.disconnected.wait()

    assert handler.calls == ["on_connection", "handle", "handle", "on_disconnection"]


async def test_on_connection_may_ask_for_requests() -> None:
    async def authenticate(client: LineClient) -> Requests:
        name = yield RecvParams(timeout=10)
        with pytest.raises(TimeoutError):
            yield RecvParams(timeout=0)
        await client.send_packet(f"hello {name}")

    async with serving(Hooked(authenticate)) as (_, peer):
        assert await peer.ask("me") == "hello me"
        assert await peer.ask("x") == "x"


async def test_a_peer_that_goes_away_in_on_connection_never_was(caplog: pytest.LogCaptureFixture) -> None:
    left = anyio.Event()

    async def authenticate(client: LineClient) -> Requests:
        try:
            yield None
        finally:
            left.set()

    handler = Hooked(authenticate)
    async with serving(handler) as (_, peer):
        await peer.stream.aclose()
        await left.wait()

    assert handler.calls == ["on_connection"]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_an_error_in_on_connection_is_logged_and_no_other_hook_runs(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(client: LineClient) -> None:
        raise LookupError("the user's own")

    handler = Hooked(fail)
    async with serving(handler) as (_, peer):
        assert await peer.is_closed()

    assert handler.calls == ["on_connection"]
    assert [r.levelno for r in caplog.records if r.levelno >= logging.WARNING] == [logging.ERROR]


@pytest.mark.parametrize("form", ["coroutine", "generator"])
async def test_on_connection_that_closes_the_client_skips_handle_only(form: str) -> None:
    async def refuse(client: LineClient) -> None:
        await client.aclose()

    async def ask_and_refuse(client: LineClient) -> Requests:
        yield None
        await client.aclose()

    handler = Hooked(refuse if form == "coroutine" else ask_and_refuse)
    async with serving(handler) as (_, peer):
        if form == "generator":
            await peer.send("x")
        assert await peer.is_closed()
        await handler.disconnected.wait()

    assert handler.calls == ["on_connection", "on_disconnection"]


async def test_the_client_tells_who_it_is() -> None:
    async def handle(client: LineClient) -> Requests:
        yield None
        remote = client.extra(INETClientAttribute.remote_address)
        local = client.extra(INETClientAttribute.local_address)
        assert isinstance(remote, IPv4SocketAddress)
        assert client.extra(INETClientAttribute.socket).getpeername() == tuple(remote)
        assert client.extra(TLSAttribute.cipher, None) is None
        with pytest.raises(TypedAttributeLookupError):
            client.extra(TLSAttribute.cipher)
        with pytest.raises(TypeError):
            client.extra_attributes[INETClientAttribute.socket] = print  # type: ignore[index]
        await client.send_packet(f"{remote.port} {local.port}")

    async with serving(Handler(handle)) as (server, peer):
        ports = await peer.ask("x")

        local = peer.stream.extra(anyio.abc.SocketAttribute.local_port)
        assert ports == f"{local} {server.get_addresses()[0].port}"


async def test_control_messages_are_not_for_tcp() -> None:
    async def handle(client: LineClient) -> Requests:
        yield None
        with pytest.raises(UnsupportedOperation):
            await client.send_packet_with_ancillary("x", [])
        await client.send_packet("refused")

    async with serving(Handler(handle)) as (_, peer):
        assert await peer.ask("x") == "refused"


who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


async def test_context_variables_belong_to_the_connection() -> None:
    class Remembering(AsyncStreamRequestHandler[str, str]):
        async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any) -> None:
            who.set("service")

        async def on_connection(self, client: LineClient) -> None:
            await client.send_packet(who.get())
            who.set("connection")

        async def handle(self, client: LineClient) -> Requests:
            request = yield None
            await client.send_packet(who.get())
            who.set(request)

    async with serving(Remembering()) as (server, first), connected(server) as second:
        assert [await first.receive(), await first.ask("one"), await first.ask("two")] == [
            "service",
            "connection",
            "one",
        ]
        assert [await second.receive(), await second.ask("three")] == ["service", "connection"]


async def test_any_task_may_send_and_packets_do_not_mix() -> None:
    async def handle(client: LineClient) -> Requests:
        yield None
        async with anyio.create_task_group() as tasks:
            for letter in "abcdef":
                tasks.start_soon(client.send_packet, letter * 200_000)

    async with serving(Handler(handle)) as (_, peer):
        await peer.send("go")
        lines = sorted([await peer.receive() for _ in "abcdef"])

        assert lines == [letter * 200_000 for letter in "abcdef"]


async def test_a_reset_during_a_large_send_is_a_lost_connection_and_not_a_closed_client(
    caplog: pytest.LogCaptureFixture,
) -> None:
    raised: list[BaseException] = []

    async def handle(client: LineClient) -> Requests:
        yield None
        try:
            await client.send_packet("x" * 50_000_000)
        except BaseException as exc:
            raised.append(exc)
            raise

    handler = Handler(handle)
    async with serving(handler) as (_, peer):
        await peer.send("much, please")
        await peer.stream.receive(1)
        await anyio.aclose_forcefully(peer.stream)  # what has come and was not read makes this a reset
        await handler.disconnected.wait()

    assert isinstance(raised[0], ConnectionError)
    assert not isinstance(raised[0], ClientClosedError)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_another_task_may_close_the_client_while_it_waits() -> None:
    clients: list[LineClient] = []

    async def handle(client: LineClient) -> Requests:
        clients.append(client)
        request = yield None
        await client.send_packet(request)
        yield None

    handler = Handler(handle)
    async with serving(handler) as (_, peer):
        assert await peer.ask("x") == "x"
        await clients[0].aclose()
        assert await peer.is_closed()
        await handler.disconnected.wait()

    assert handler.events == ["GeneratorExit", "on_disconnection"]


async def test_the_whole_conversation_runs_in_one_task() -> None:
    tasks: set[TaskInfo] = set()

    class OneTask(AsyncStreamRequestHandler[str, str]):
        async def on_connection(self, client: LineClient) -> Requests:
            tasks.add(client.backend().get_current_task())
            yield None
            tasks.add(client.backend().get_current_task())

        async def handle(self, client: LineClient) -> Requests:
            tasks.add(client.backend().get_current_task())
            request = yield None
            tasks.add(client.backend().get_current_task())
            await client.send_packet(request)

        async def on_disconnection(self, client: LineClient) -> None:
            tasks.add(client.backend().get_current_task())

    async with serving(OneTask()) as (_, peer):
        await peer.send("first")
        assert await peer.ask("second") == "second"

    assert len(tasks) == 1


async def test_tls_is_the_same_conversation(server_context: ssl.SSLContext, client_context: ssl.SSLContext) -> None:
    async def handle(client: LineClient) -> Requests:
        request = yield None
        version = client.extra(TLSAttribute.tls_version)
        await client.send_packet(
            f"{request} over {version} from {client.extra(INETClientAttribute.remote_address).host}"
        )

    server = line_server(Handler(handle), ssl=server_context)
    async with running(server), connected(server, client_context) as peer:
        assert await peer.ask("hello") == "hello over TLSv1.3 from 127.0.0.1"
