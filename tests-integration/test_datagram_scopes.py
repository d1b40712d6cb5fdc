# SPDX-License-Identifier: Apache-2.0
"""Cancel scopes and task groups of every framework around the ``yield`` of a datagram handler, over
UDP and over Unix sockets.

The task that receives runs handlers itself, and is replaced as the receiver when one of them waits.
So what is looked at here is whether a scope may be left open in a task that receives for others, or
be left in another task than it was entered in.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import math
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path

import anyio
import pytest
from datagram_peers import SocketPeer, udp_peer, unix_peer
from running_server import running, until
from scopes import Cut, OpenGroup, OpenScope, each_scope, each_task_group

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend, TaskInfo
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers.async_udp import AsyncUDPNetworkServer
from easynetwork.servers.async_unix_datagram import AsyncUnixDatagramServer
from easynetwork.servers.handlers import AsyncDatagramClient, AsyncDatagramRequestHandler

pytestmark = pytest.mark.anyio

Client = AsyncDatagramClient[str]
Handler = AsyncDatagramRequestHandler[str, str]
Requests = AsyncGenerator[None, str]
Server = AsyncUDPNetworkServer[str, str] | AsyncUnixDatagramServer[str, str]


class Transport:
    """Servers of one transport, and their peers."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        self._path = folder / "server.sock"

    def _new_server(self, handler: Handler) -> Server:
        protocol: DatagramProtocol[str, str] = DatagramProtocol(StringLineSerializer())
        if self._name == "udp":
            return AsyncUDPNetworkServer("127.0.0.1", 0, protocol, handler)
        return AsyncUnixDatagramServer(self._path, protocol, handler)

    def peer_of(self, server: Server) -> AbstractContextManager[SocketPeer]:
        return udp_peer(server) if self._name == "udp" else unix_peer(server)

    @asynccontextmanager
    async def serving(self, handler: Handler) -> AsyncGenerator[tuple[Server, SocketPeer, SocketPeer]]:
        """A running server with two peers."""
        server = self._new_server(handler)
        async with running(server):
            with self.peer_of(server) as one, self.peer_of(server) as other:
                yield server, one, other


@pytest.fixture(params=["udp", "unix"])
def transport(request: pytest.FixtureRequest, folder: Path) -> Transport:
    return Transport(request.param, folder)


def errors_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [repr(r.exc_info[1]) if r.exc_info else r.getMessage() for r in caplog.records if r.levelno > logging.INFO]


# cancel scopes


class Cutting(Handler):
    """Answers in a scope until it is told to cut it, all in one task, and writes down how its
    scopes end.
    """

    def __init__(self, open_scope: OpenScope) -> None:
        self.open_scope = open_scope
        self.cuts: list[Cut] = []
        self.ends: list[type[BaseException]] = []
        self.resumed = anyio.Event()

    async def handle(self, client: Client) -> Requests:
        task = client.backend().get_current_task()
        async with self.open_scope(client.backend()) as cut:
            self.cuts.append(cut)
            while True:
                try:
                    request = yield
                except BaseException as exc:
                    self.ends.append(type(exc))
                    raise
                assert client.backend().get_current_task() == task
                await client.send_packet(request)
                if request == "pause":
                    await self.resumed.wait()
                if request == "cut":
                    cut()
        assert client.backend().get_current_task() == task
        await client.send_packet("the scope was cut")


@each_scope
async def test_a_scope_may_be_open_over_several_datagrams_also_the_first(
    transport: Transport, open_scope: OpenScope, caplog: pytest.LogCaptureFixture
) -> None:
    async with transport.serving(Cutting(open_scope)) as (_, one, other):
        for _ in range(2):
            assert [await one.ask("1"), await other.ask("2"), await one.ask("3")] == ["1", "2", "3"]
            assert [await one.ask("cut"), await one.receive()] == ["cut", "the scope was cut"]
        assert await other.ask("4") == "4"

    assert errors_in(caplog) == []


@each_scope
async def test_a_scope_may_be_cut_from_outside_while_datagrams_are_awaited(
    transport: Transport, open_scope: OpenScope
) -> None:
    handler = Cutting(open_scope)

    async with transport.serving(handler) as (_, one, other):
        assert [await one.ask("1"), await other.ask("2")] == ["1", "2"]
        handler.cuts[0]()
        assert await one.receive() == "the scope was cut"
        assert [await other.ask("3"), await one.ask("4")] == ["3", "4"]


@each_scope
async def test_a_scope_that_was_cut_loses_no_datagram(transport: Transport, open_scope: OpenScope) -> None:
    handler = Cutting(open_scope)

    async with transport.serving(handler) as (_, one, other):
        assert await one.ask("pause") == "pause"
        one.send("cut", "waiting")
        assert await other.ask("what came before has been read") != ""
        handler.resumed.set()
        assert {await one.receive() for _ in range(3)} == {"cut", "waiting", "the scope was cut"}


@each_scope
async def test_a_scope_that_is_cut_before_the_first_yield_does_not_keep_the_datagram_away(
    transport: Transport, open_scope: OpenScope
) -> None:
    """It is there already, so nothing waits."""

    class Hasty(Handler):
        async def handle(self, client: Client) -> Requests:
            async with open_scope(client.backend()) as cut:
                cut()
                await client.send_packet((yield))
            await client.send_packet("done")

    async with transport.serving(Hasty()) as (_, one, _other):
        for _ in range(2):
            assert [await one.ask("x"), await one.receive()] == ["x", "done"]


@each_scope
async def test_a_scope_leaves_nothing_in_the_task_that_receives(
    transport: Transport, open_scope: OpenScope, backend: AsyncBackend
) -> None:
    """A handler that never waits runs in that task.

    Its scope is no longer anybody's when it has ended, though somebody may hold it.
    """
    cuts: list[Cut] = []
    receivers: set[TaskInfo] = set()
    deadlines: set[float] = set()

    class Quick(Handler):
        async def handle(self, client: Client) -> Requests:
            receivers.add(backend.get_current_task())
            deadlines.add(anyio.current_effective_deadline())
            async with open_scope(backend) as cut:
                cuts.append(cut)
                await client.send_packet((yield))

    async with transport.serving(Quick()) as (_, one, other):
        for peer in (one, other) * 2:
            assert await peer.ask("x") == "x"
            with contextlib.suppress(RuntimeError):  # asyncio.timeout() says that it is over
                cuts[-1]()

    assert len(cuts) == 4
    assert len(receivers) == 1
    assert deadlines == {math.inf}


@each_scope
@pytest.mark.parametrize("end", ["shutdown", "server_close"])
async def test_the_end_of_the_server_goes_through_open_scopes(
    transport: Transport, open_scope: OpenScope, end: str, backend: AsyncBackend, caplog: pytest.LogCaptureFixture
) -> None:
    handler = Cutting(open_scope)

    async with transport.serving(handler) as (server, one, other):
        assert [await one.ask("1"), await other.ask("2")] == ["1", "2"]
        await getattr(server, end)()
        await until(lambda: len(handler.ends) == 2)

    assert errors_in(caplog) == []
    assert handler.ends == [backend.get_cancelled_exc_class() if end == "shutdown" else GeneratorExit] * 2


# task groups


class Pushing(Handler):
    """Has a task beside each handler, as one that tells a client of what happens elsewhere."""

    def __init__(self, open_group: OpenGroup, *, fails_at_the_end: bool = False) -> None:
        self.open_group = open_group
        self.fails_at_the_end = fails_at_the_end
        self.running = 0

    async def handle(self, client: Client) -> Requests:
        fail = anyio.Event()

        async def push() -> None:
            self.running += 1
            try:
                await client.send_packet("news")
                await fail.wait()
                raise LookupError("the user's own")
            finally:
                self.running -= 1
                if self.fails_at_the_end:
                    raise LookupError("at the end")

        async with self.open_group(client.backend()) as start_task:
            start_task(push)
            while True:
                request = yield
                await client.send_packet(request)
                if request == "fail":
                    fail.set()


async def begin(*peers: SocketPeer) -> None:
    """Has a handler begin with each of ``peers``, whose first datagram and whose task are answered
    in any order.
    """
    for peer in peers:
        peer.send("x")
        assert {await peer.receive(), await peer.receive()} == {"x", "news"}


@each_task_group
async def test_an_error_of_a_handler_s_task_ends_its_generator_alone(
    transport: Transport, open_group: OpenGroup, caplog: pytest.LogCaptureFixture
) -> None:
    async with transport.serving(Pushing(open_group)) as (_, one, other):
        await begin(one, other)
        assert [await one.ask("y"), await other.ask("z")] == ["y", "z"]
        assert await one.ask("fail") == "fail"
        assert await other.ask("still the same generator, or there would be news") != "news"
        await until(lambda: errors_in(caplog))
        await begin(one)

    (error,) = errors_in(caplog)
    assert error.endswith("""[LookupError("the user's own")])""")


@each_task_group
@pytest.mark.parametrize("end", ["shutdown", "server_close"])
async def test_the_end_of_the_server_ends_the_tasks_of_its_handlers(
    transport: Transport, open_group: OpenGroup, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Task groups put a `GeneratorExit` that passes through them into a group, which must not pass
    for an error.
    """
    handler = Pushing(open_group)

    async with transport.serving(handler) as (server, one, other):
        await begin(one, other)
        assert handler.running == 2
        await getattr(server, end)()
        await until(lambda: handler.running == 0)

    assert errors_in(caplog) == []


@each_task_group
@pytest.mark.parametrize("end", ["shutdown", "server_close"])
async def test_an_error_in_the_clean_up_of_a_handler_s_task_is_logged(
    transport: Transport, open_group: OpenGroup, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    """On trio such an error comes in one group with the cancellation."""
    async with transport.serving(Pushing(open_group, fails_at_the_end=True)) as (server, one, other):
        await begin(one, other)
        await getattr(server, end)()
        await until(lambda: len(errors_in(caplog)) == 2)

    assert [error.partition("[")[2] for error in errors_in(caplog)] == ["LookupError('at the end')])"] * 2


who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


@each_task_group
async def test_a_handler_s_tasks_have_its_context_and_are_awaited_while_another_task_receives(
    transport: Transport, open_group: OpenGroup, caplog: pytest.LogCaptureFixture
) -> None:
    class Remembering(Handler):
        async def handle(self, client: Client) -> Requests:
            async with open_group(client.backend()) as start_task:
                request = yield
                before = who.get()
                who.set(request)

                async def answer() -> None:
                    await client.send_packet(f"{before} {who.get()}")

                start_task(answer)
            await client.send_packet("done")

    async with transport.serving(Remembering()) as (_, one, other):
        for peer in (one, other) * 2:
            assert [await peer.ask("x"), await peer.receive()] == ["nobody x", "done"]

    assert errors_in(caplog) == []
