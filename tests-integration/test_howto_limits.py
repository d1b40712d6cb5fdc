# SPDX-License-Identifier: Apache-2.0
"""What the page "Limits and time-outs" says.

The rules of the engine themselves have their tests with the servers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import re
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest
from datagram_peers import udp_peer
from pages import DOCS, Page
from running_server import running, until
from stream_peers import trouble
from tcp_peers import connected, line_protocol, line_server, serving

from easynetwork.clients import TCPNetworkClient
from easynetwork.lowlevel.request_handler import RecvParams
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers import StandaloneTCPNetworkServer
from easynetwork.servers.async_udp import AsyncUDPNetworkServer
from easynetwork.servers.handlers import (
    AsyncDatagramClient,
    AsyncDatagramRequestHandler,
    AsyncStreamClient,
    AsyncStreamRequestHandler,
)
from easynetwork.servers.options import ServerLimits, ServerTimeouts
from easynetwork.servers.statistics import CloseReason, ServerStatistics
from easynetwork.servers.threads_helper import NetworkServerThread

NAME = "howto/limits.md"
TEXT = (DOCS / NAME).read_text()
CODE = Page(NAME).run()

in_event_loop = pytest.mark.anyio

SOON = 0.05
"""Seconds that are over soon."""


def rows(page: str, section: str = "") -> list[list[str]]:
    """The rows of the tables of a page, or of those below one of its headings."""
    text = (DOCS / page).read_text()
    if section:
        text = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]


def number(cell: str) -> float | None:
    """What a cell begins with."""
    first = cell.replace("1 MiB", "1048576").strip("`").partition(" ")[0].strip(",")
    return None if first == "None" else float(first.replace(",", ""))


# The tables


@pytest.mark.parametrize(("section", "record"), [("How much", ServerLimits), ("How long", ServerTimeouts)])
def test_tables_have_every_field_with_its_default(section: str, record: Any) -> None:
    fields = {f"`{field.name}`": field.default for field in dataclasses.fields(record)}

    assert {name: number(default) for name, default, *_ in rows(NAME, section)} == fields


def test_every_counter_is_explained() -> None:
    explained = [name for row in rows(NAME, "What a server has done") for name in re.findall(r"\w+", row[0])]

    assert explained == [field.name for field in dataclasses.fields(ServerStatistics)]


def test_every_reason_is_explained() -> None:
    assert [row[0].strip("`") for row in rows(NAME, "Why a connection has ended")] == list(CloseReason)


@pytest.mark.parametrize("page", ["howto/udp-servers.md", "howto/unix-datagram-servers.md"])
def test_pages_of_datagram_servers_give_the_same_defaults(page: str) -> None:
    defaults = {f"`{field.name}`": field.default for field in dataclasses.fields(ServerLimits)}
    found = {name: number(cell) for name, cell, *_ in rows(page) if name in defaults}

    assert len(found) >= 3
    assert found == {name: defaults[name] for name in found}


@pytest.mark.parametrize("page", ["howto/tcp-servers.md", "howto/unix-stream-servers.md"])
def test_pages_of_stream_servers_give_the_same_defaults(page: str) -> None:
    records = {"ServerLimits": ServerLimits(), "ServerTimeouts": ServerTimeouts()}
    found = re.findall(r"\| ([^|]+) \| [^|]*`(Server\w+)\.(\w+)`", (DOCS / page).read_text())

    assert len(found) >= 2
    for cell, record, field in found:
        default = getattr(records[record], field)
        assert default is None or number(cell) == default, field


@pytest.mark.parametrize(
    ("record", "values", "error"),
    [
        (ServerLimits, {"max_connections": 0}, ValueError),
        (ServerLimits, {"max_peers": 0.5}, TypeError),
        (ServerTimeouts, {"packet": -1}, ValueError),
        (ServerTimeouts, {"handshake": None}, TypeError),
        (ServerTimeouts, {"shutdown": None}, TypeError),
    ],
)
def test_a_wrong_value_is_an_error_that_names_the_field(record: Any, values: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(values))):
        record(**values)


# The examples


@in_event_loop
async def test_the_public_library_answers() -> None:
    async with running(server := CODE["public_library"]()), connected(server) as peer:
        assert await peer.ask("Emma") == "Emma is on shelf 4"


@in_event_loop
async def test_a_reader_may_wait_to_ask_but_not_to_go_on() -> None:
    async with serving(CODE["ReadingRoom"](), timeouts=ServerTimeouts(packet=SOON)) as (_, peer):
        await anyio.sleep(2 * SOON)  # longer than a packet may take elsewhere
        assert await peer.ask("Emma") == "which pages of Emma?"
        assert await peer.receive() == "pages of Emma: all"


@in_event_loop
async def test_more_room_lets_those_in_who_wait_and_less_throws_nobody_out() -> None:
    async with serving(CODE["Library"](), limits=ServerLimits(max_connections=1)) as (server, peer):
        assert await peer.ask("Emma") == "Emma is on shelf 4"
        async with connected(server) as waiting:
            await waiting.send("Ulysses")
            await until(lambda: server.statistics().limits_hit)
            assert server.statistics().clients == 1
            CODE["let_in"](server, 2)
            assert await waiting.receive() == "Ulysses is on shelf 7"
            CODE["let_in"](server, 1)
            assert [await each.ask("Dune") for each in (peer, waiting)] == ["Dune is on shelf 4"] * 2


@in_event_loop
async def test_the_library_reports_what_is_new(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    shown = re.findall(r"`(readers: .*?)`", TEXT)
    handler: Any = type("Hurried", (CODE["ReportingLibrary"],), {"period": SOON})()

    async with serving(handler) as (server, peer):
        for _ in range(2):
            async with connected(server) as other:
                await other.ask("Emma")
                await other.stream.send_eof()
                assert await other.is_closed()
        await peer.ask("Emma")
        await until(lambda: any("readers: 1, requests: 0" in line for line in caplog.messages))

    reports = [line for line in caplog.messages if line.startswith("readers: ")]
    assert sum(int(line.split("requests: ")[1].partition(",")[0]) for line in reports) == 3
    assert sum(int(found) for line in reports for found in re.findall(r"peer ended (\d+)", line)) == 2
    before, now = (
        ServerStatistics(),
        ServerStatistics(clients=1, packets_received=3, closed={CloseReason.PEER_ENDED: 2}),
    )
    caplog.clear()
    handler.log_difference(before, now)
    assert caplog.messages == shown


# What the page says of every server


class Asks(AsyncStreamRequestHandler[str, str]):
    """Waits, and remembers what it saw at the end."""

    def __init__(self) -> None:
        self.saw: list[type[BaseException]] = []

    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[RecvParams | None, str]:
        try:
            await client.send_packet((yield None))
        except BaseException as exc:
            self.saw.append(type(exc))
            raise


@in_event_loop
@pytest.mark.parametrize(
    ("timeouts", "saw", "reason"),
    [
        (ServerTimeouts(packet=SOON), TimeoutError, CloseReason.PACKET_TIMEOUT),
        (ServerTimeouts(idle=SOON), GeneratorExit, CloseReason.IDLE),
    ],
)
async def test_a_time_that_is_over_closes_the_client_in_order_and_is_no_error(
    timeouts: ServerTimeouts, saw: type[Exception], reason: CloseReason, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    handler = Asks()
    async with serving(handler, timeouts=timeouts) as (server, peer):
        assert await peer.is_closed()
        await until(lambda: server.statistics().closed)

        assert (server.statistics().closed, server.statistics().handler_errors) == ({reason: 1}, 0)
        assert issubclass(handler.saw.pop(), saw)
        assert trouble(caplog) == []
        assert any(line.endswith(f" disconnected ({reason})") for line in caplog.messages)


@in_event_loop
async def test_a_byte_now_and_then_satisfies_idle_and_not_packet() -> None:
    async with serving(Asks(), timeouts=ServerTimeouts(idle=4 * SOON, packet=10 * SOON)) as (server, peer):
        with anyio.move_on_after(10):
            while not server.statistics().closed:
                try:
                    await peer.stream.send(b"x")
                except anyio.BrokenResourceError:
                    break
                await anyio.sleep(SOON)
        await until(lambda: server.statistics().closed)

        assert server.statistics().closed == {CloseReason.PACKET_TIMEOUT: 1}


@in_event_loop
async def test_one_address_too_often_is_reset_and_counted_without_a_line_of_its_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with serving(Asks(), limits=ServerLimits(max_connections_per_address=1)) as (server, peer):
        await peer.ask("first")
        with contextlib.suppress(OSError):  # the reset may come first
            async with connected(server) as other:
                assert await other.is_closed()
        await until(lambda: server.statistics().closed)

        now = server.statistics()
        assert (now.limits_hit, now.closed) == ({"max_connections_per_address": 1}, {CloseReason.LIMIT: 1})
        assert not [line for line in caplog.messages if "(limit)" in line]
        assert await peer.ask("still here") == "still here"


@in_event_loop
async def test_the_server_counts_from_its_first_run() -> None:
    server = line_server(Asks())
    async with server:
        for run in (1, 2):
            async with anyio.create_task_group() as tasks:
                is_up = anyio.Event()
                tasks.start_soon(functools.partial(server.serve_forever, is_up_event=is_up))
                await is_up.wait()
                async with connected(server) as peer:
                    await peer.ask("x")
                await server.shutdown()
            assert server.statistics().packets_received == run


def test_a_standalone_server_has_its_limits_from_any_thread_and_counts_over_its_runs() -> None:
    with StandaloneTCPNetworkServer("127.0.0.1", 0, line_protocol(), Asks()) as server:
        for run, room in enumerate((5, 7), 1):
            thread = NetworkServerThread(server)
            thread.start()
            server.limits = dataclasses.replace(server.limits, max_connections=room)
            with TCPNetworkClient(server.get_addresses()[0].for_connection(), line_protocol()) as client:
                client.send_packet("x", timeout=10)
                assert client.recv_packet(timeout=10) == "x"
            thread.join()
            assert server.limits.max_connections == room
            assert server.statistics().packets_received == run


class Dialogue(AsyncDatagramRequestHandler[str, str]):
    async def handle(self, client: AsyncDatagramClient[str]) -> AsyncGenerator[None, str]:
        await client.send_packet((yield))
        try:
            yield
        except GeneratorExit:
            await client.send_packet("idle")
            raise
        except TimeoutError:
            await client.send_packet("time-out")
            raise


@in_event_loop
@pytest.mark.parametrize(
    ("timeouts", "said"), [(ServerTimeouts(idle=SOON), "idle"), (ServerTimeouts(packet=SOON), "time-out")]
)
async def test_times_of_a_datagram_server_end_the_generator_that_waits(
    timeouts: ServerTimeouts, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    protocol = DatagramProtocol(StringLineSerializer())
    server = AsyncUDPNetworkServer("127.0.0.1", 0, protocol, Dialogue(), timeouts=timeouts)
    async with running(server):
        with udp_peer(server) as peer:
            assert await peer.ask("hello") == "hello"
            assert await peer.receive() == said

    assert trouble(caplog) == []
    assert server.statistics().handler_errors == 0
