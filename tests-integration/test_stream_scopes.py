# SPDX-License-Identifier: Apache-2.0
"""Cancel scopes and task groups of every framework around the ``yield`` of a stream handler, over
TCP and over Unix sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

import anyio
import pytest
import trio
from loops import each_where_it_works, on_trio
from scopes import OpenGroup, OpenScope, each_scope_or_group, each_task_group
from stream_peers import Transport, peer_of, trouble

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler

pytestmark = pytest.mark.anyio

Client = AsyncStreamClient[str]


# the handlers of the documents


class Patient(AsyncStreamRequestHandler[str, str]):
    """The documents wait for 30 seconds."""

    def __init__(self, delay: float) -> None:
        self.delay = delay


class TimeoutContextRequestHandlerAsyncIO(Patient):
    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        try:
            async with asyncio.timeout(self.delay):
                request = yield
        except TimeoutError:
            await client.send_packet("timed out")
        else:
            await client.send_packet(request)


class TimeoutContextRequestHandlerTrio(Patient):
    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        try:
            with trio.fail_after(self.delay):
                request = yield
        except trio.TooSlowError:  # what trio's own functions raise; ours raise TimeoutError, on trio as well
            await client.send_packet("timed out")
        else:
            await client.send_packet(request)


class MovingOnRequestHandlerTrio(Patient):
    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        answer = "timed out"
        with trio.move_on_after(self.delay):
            answer = yield
        await client.send_packet(answer)


class TimeoutContextRequestHandlerAnyIO(Patient):
    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        try:
            with anyio.fail_after(self.delay):
                request = yield
        except TimeoutError:
            await client.send_packet("timed out")
        else:
            await client.send_packet(request)


class TimeoutContextRequestHandlerWithClientBackend(Patient):
    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        try:
            with client.backend().timeout(self.delay):
                request = yield
        except TimeoutError:
            await client.send_packet("timed out")
        else:
            await client.send_packet(request)


timeout_handlers = each_where_it_works(
    "handler_class",
    anywhere=[TimeoutContextRequestHandlerAnyIO, TimeoutContextRequestHandlerWithClientBackend],
    asyncio=[TimeoutContextRequestHandlerAsyncIO],
    trio=[TimeoutContextRequestHandlerTrio, MovingOnRequestHandlerTrio],
)


@timeout_handlers
async def test_a_request_in_time_is_handled(transport: Transport, handler_class: type[Patient]) -> None:
    async with transport.serving(handler_class(delay=60)) as (_, peer):
        assert await peer.ask("one") == "one"
        assert await peer.ask("two") == "two"


@timeout_handlers
async def test_when_time_is_up_the_handler_goes_on_and_answers(
    transport: Transport, handler_class: type[Patient]
) -> None:
    handler = handler_class(delay=0.02)

    async with transport.serving(handler) as (_, peer):
        assert [await peer.receive(), await peer.receive()] == ["timed out", "timed out"]  # each generator has its own
        handler.delay = 60
        peer.send("late")
        while (answer := await peer.receive()) == "timed out":
            pass
        assert answer == "late"


# a scope over several packets


class Noting(AsyncStreamRequestHandler[str, str]):
    """Answers in a scope until it is told to cut it, and writes down how its generators end."""

    def __init__(self, open_scope: OpenScope) -> None:
        self.open_scope = open_scope
        self.events: list[str] = []
        self.disconnected = anyio.Event()

    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        async with self.open_scope(client.backend()) as cut:
            while True:
                try:
                    request = yield
                except BaseException as exc:
                    self.events.append(type(exc).__name__)
                    raise
                await client.send_packet(request)
                if request == "cut":
                    cut()
        await client.send_packet("the scope was cut")

    async def on_disconnection(self, client: Client) -> None:
        self.events.append("on_disconnection")
        self.disconnected.set()


@each_scope_or_group
async def test_a_scope_may_be_open_over_several_packets(
    transport: Transport, open_scope: OpenScope, backend: AsyncBackend
) -> None:
    handler = Noting(open_scope)

    async with transport.serving(handler) as (_, peer):
        for _ in range(2):
            assert [await peer.ask("one"), await peer.ask("two"), await peer.ask("cut")] == ["one", "two", "cut"]
            assert await peer.receive() == "the scope was cut"
        assert await peer.ask("x") == "x"

    cancelled = backend.get_cancelled_exc_class().__name__
    assert handler.events == [cancelled] * 3 + ["on_disconnection"]  # two by scopes, and the shutdown


@each_scope_or_group
async def test_the_end_of_the_peer_closes_a_generator_with_an_open_scope(
    transport: Transport, open_scope: OpenScope, caplog: pytest.LogCaptureFixture
) -> None:
    handler = Noting(open_scope)

    async with transport.serving(handler) as (server, peer):
        assert await peer.ask("x") == "x"
        peer.sock.close()
        await handler.disconnected.wait()
        with peer_of(server) as other:
            assert await other.ask("still here") == "still here"

    assert handler.events[:2] == ["GeneratorExit", "on_disconnection"]
    assert trouble(caplog) == []


# task groups


class Pushing(AsyncStreamRequestHandler[str, str]):
    """Has a task beside each handler, as one that tells a client of what happens elsewhere."""

    def __init__(self, open_group: OpenGroup, last_words: Callable[[], object] = str) -> None:
        self.open_group = open_group
        self.last_words = last_words
        self.disconnected = anyio.Event()

    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        async with self.open_group(client.backend()) as start:
            fail = anyio.Event()

            async def push() -> None:
                try:
                    await client.send_packet("news")
                    await fail.wait()
                    raise LookupError("the user's own")
                finally:
                    self.last_words()

            start(push)
            while True:
                request = yield
                await client.send_packet(request)
                if request == "fail":
                    fail.set()

    async def on_disconnection(self, client: Client) -> None:
        self.disconnected.set()


def fail_in_clean_up() -> None:
    raise LookupError("clean-up")


@each_task_group
async def test_the_end_of_the_peer_ends_the_tasks_of_its_handler(
    transport: Transport, open_group: OpenGroup, caplog: pytest.LogCaptureFixture
) -> None:
    """Task groups put the `GeneratorExit` that passes through them into a group, which must not
    pass for an error.
    """
    handler = Pushing(open_group)

    async with transport.serving(handler) as (server, peer):
        assert [await peer.receive(), await peer.ask("x")] == ["news", "x"]
        peer.sock.close()
        await handler.disconnected.wait()
        with peer_of(server) as other:
            assert [await other.receive(), await other.ask("still here")] == ["news", "still here"]

    assert trouble(caplog) == []


@each_task_group
async def test_an_error_of_a_handler_s_task_ends_its_client(
    transport: Transport, open_group: OpenGroup, caplog: pytest.LogCaptureFixture
) -> None:
    async with transport.serving(Pushing(open_group)) as (server, peer):
        assert [await peer.receive(), await peer.ask("fail")] == ["news", "fail"]
        assert await peer.is_closed()
        with peer_of(server) as other:
            assert await other.receive() == "news"

    assert trouble(caplog) == ['ERROR LookupError("the user\'s own")']


@each_task_group
@pytest.mark.parametrize("end", ["peer", "server"])
async def test_an_error_in_the_clean_up_of_a_handler_s_task_is_logged(
    transport: Transport, open_group: OpenGroup, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    handler = Pushing(open_group, last_words=fail_in_clean_up)

    async with transport.serving(handler) as (server, peer):
        assert [await peer.receive(), await peer.ask("x")] == ["news", "x"]
        if end == "peer":
            peer.sock.close()
        else:
            await server.shutdown()
        await handler.disconnected.wait()

    assert trouble(caplog) == ["ERROR LookupError('clean-up')"]


# cancellation that is not let through


@pytest.mark.parametrize("then", ["returns", "asks again"])
async def test_a_handler_that_swallows_its_cancellation_once_ends_all_the_same(
    transport: Transport, then: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a state on every loop: the handler meets it again wherever it waits."""
    swallowed: list[str] = []

    class Swallowing(AsyncStreamRequestHandler[str, str]):
        async def handle(self, client: Client) -> AsyncGenerator[None, str]:
            try:
                request = yield
            except BaseException as exc:
                assert len(swallowed) < 10, "it never ends"
                swallowed.append(type(exc).__name__)
                if then == "asks again":
                    yield
            else:
                await client.send_packet(request)

    async with transport.serving(Swallowing()) as (server, peer):
        assert await peer.ask("x") == "x"
        await server.shutdown()

    assert len(swallowed) == 1
    assert trouble(caplog) == []


@on_trio
async def test_trio_s_cancellation_is_thrown_in_as_it_is(transport: Transport) -> None:
    thrown: list[BaseException] = []

    class Noticing(AsyncStreamRequestHandler[str, str]):
        async def handle(self, client: Client) -> AsyncGenerator[None, str]:
            yield
            await client.send_packet("ready")
            try:
                yield
            except trio.Cancelled as exc:
                thrown.append(exc)
                raise

    async with transport.serving(Noticing()) as (server, peer):
        assert await peer.ask("x") == "ready"
        await server.shutdown()

    assert len(thrown) == 1
