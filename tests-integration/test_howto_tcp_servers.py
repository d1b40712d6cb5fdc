# SPDX-License-Identifier: Apache-2.0
"""What "TCP servers" prints does what the page says."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest
from loops import each_where_it_works
from page_sessions import replayed, write_programs
from pages import Page
from programs import serving_program
from running_server import running, start
from stream_peers import trouble
from tcp_peers import LinePeer, connected, line_server, serving

from easynetwork.converter import AbstractPacketConverter
from easynetwork.exceptions import LimitOverrunError, StreamProtocolParseError, TypedAttributeLookupError
from easynetwork.lowlevel.socket import TLSAttribute
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler

PAGE = Page("howto/tcp-servers.md")
CODE = PAGE.run()

MembersOnly: Any = CODE["MembersOnly"]

in_event_loop = pytest.mark.anyio


class Handler(AsyncStreamRequestHandler[str, str]):
    """For what the page says of every handler."""

    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
        request = yield
        await client.send_packet(request)


# Programs


@pytest.mark.parametrize("last_line", ["asyncio.run(main())", "trio.run(main)"])
def test_the_smallest_program_serves(last_line: str, tmp_path: Path) -> None:
    source = PAGE.programs()["kitchen.py"].replace("9000", "0").replace("asyncio.run(main())", last_line)
    source = source.replace("import asyncio\n", f"import {last_line.partition('.')[0]}\n")

    with serving_program(tmp_path / "kitchen.py", source) as (_, address):
        port = int(address.rstrip(")").split()[1])
        with socket.create_connection(("127.0.0.1", port)) as sock, sock.makefile("rw") as lines:
            lines.write("soup\n")
            lines.flush()

            assert lines.readline() == "soup is on its way\n"


def test_the_program_with_a_server_in_the_background_prints_what_the_page_shows(tmp_path: Path) -> None:
    write_programs(PAGE, tmp_path)

    ((shown, printed),) = replayed(PAGE, tmp_path)

    assert printed == shown


# The parts of handle()


@in_event_loop
async def test_each_request_has_its_answer() -> None:
    async with serving(CODE["Kitchen"]()) as (_, peer):
        assert await peer.ask("soup") == "soup is on its way"
        assert await peer.ask("pie") == "pie is on its way"


@in_event_loop
@pytest.mark.parametrize(
    ("handler", "answer"), [("LastOrders", "soup, and then we close"), ("OneDishEach", "soup, enjoy it")]
)
async def test_the_connection_is_closed_after_the_answer(handler: str, answer: str) -> None:
    async with serving(CODE[handler]()) as (_, peer):
        assert await peer.ask("soup") == answer
        assert await peer.is_closed()


@in_event_loop
async def test_returning_before_the_first_yield_refuses_the_guest() -> None:
    handler = CODE["SeasonalKitchen"]()

    async with serving(handler) as (server, peer):
        assert await peer.ask("soup") == "soup is on its way"
        handler.is_open = False
        async with connected(server) as refused:
            assert await refused.is_closed()


@in_event_loop
async def test_bad_data_is_answered_and_the_next_request_is_read() -> None:
    async with serving(CODE["CarefulKitchen"]()) as (_, peer):
        await peer.stream.send("crème\nsoup\n".encode())

        assert [await peer.receive(), await peer.receive()] == ["we read ASCII only", "soup is on its way"]


@in_event_loop
async def test_a_guest_that_leaves_closes_the_generator(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async with serving(CODE["CarefulKitchen"]()) as (_, peer):
        await peer.ask("soup")
        await peer.stream.send_eof()
        assert await peer.is_closed()

    assert "a guest has left" in caplog.messages
    assert trouble(caplog) == []


class BrokenConverter(AbstractPacketConverter[str, str]):
    def create_from_dto_packet(self, packet: str) -> str:
        raise ZeroDivisionError

    def convert_to_dto_packet(self, obj: str) -> str:
        return obj


@in_event_loop
async def test_other_errors_are_logged_and_answered(caplog: pytest.LogCaptureFixture) -> None:
    protocol = StreamProtocol(StringLineSerializer(), BrokenConverter())
    async with serving(CODE["CarefulKitchen"](), protocol=protocol) as (_, peer):
        assert await peer.ask("soup") == "sorry, we have a problem"
        assert await peer.is_closed()

    assert "the order is lost" in caplog.messages


@in_event_loop
async def test_a_generator_with_several_yields_is_a_dialogue() -> None:
    async with serving(CODE["Menu"]()) as (_, peer):
        for starter, dessert in [("soup", "cake"), ("salad", "fruit")]:
            assert await peer.ask(starter) == "and after that?"
            assert await peer.ask(dessert) == f"{starter}, then {dessert}"


@in_event_loop
async def test_a_loop_keeps_what_belongs_to_one_guest() -> None:
    async with serving(CODE["Tab"]()) as (server, peer), connected(server) as other:
        assert await peer.ask("soup") == "soup is on its way"
        assert await other.ask("the bill") == "that was 0 dishes"
        assert await peer.ask("cake") == "cake is on its way"
        assert await peer.ask("the bill") == "that was 2 dishes"


# Time limits


@in_event_loop
async def test_a_request_that_takes_too_long_ends_the_connection() -> None:
    async with serving(CODE["ImpatientKitchen"](patience=0.05)) as (_, peer):
        await peer.stream.send(b"half of an or")

        assert await peer.receive() == "the waiter is gone"
        assert await peer.is_closed()


@in_event_loop
async def test_a_request_in_time_is_answered() -> None:
    async with serving(CODE["ImpatientKitchen"]()) as (_, peer):
        assert await peer.ask("soup") == "soup is on its way"


each_menu = each_where_it_works(
    "menu", anywhere=[CODE["MenuAnywhere"]], asyncio=[CODE["MenuOnAsyncIO"]], trio=[CODE["MenuOnTrio"]]
)


@in_event_loop
@each_menu
async def test_a_scope_around_two_yields_limits_both(menu: Any) -> None:
    async with serving(menu(patience=0.05)) as (_, peer):
        await peer.send("soup")

        assert [await peer.receive(), await peer.receive()] == ["and after that?", "the kitchen is closed"]
        assert await peer.is_closed()


@in_event_loop
@each_menu
async def test_a_menu_in_time_is_served(menu: Any) -> None:
    async with serving(menu()) as (_, peer):
        assert await peer.ask("soup") == "and after that?"
        assert await peer.ask("cake") == "soup, then cake"
        assert await peer.is_closed()


# The beginning and the end of a connection


@in_event_loop
async def test_hooks_count_the_guests() -> None:
    handler = CODE["Reception"]()

    async with serving(handler) as (server, first), connected(server) as second:
        assert {await first.receive(), await second.receive()} == {"welcome, guest 1", "welcome, guest 2"}
        assert await first.ask("soup") == "soup is on its way"

    assert handler.guests == set()


@in_event_loop
@pytest.mark.parametrize("shielded", [True, False])
async def test_only_what_is_shielded_can_wait_at_the_end_of_a_cancelled_connection(shielded: bool) -> None:
    steps: list[str] = []

    class Cleaning(Handler):
        async def on_disconnection(self, client: AsyncStreamClient[str]) -> None:
            steps.append("begun")
            await (client.backend().ignore_cancellation(self.clean()) if shielded else self.clean())

        async def clean(self) -> None:
            await anyio.lowlevel.checkpoint()
            steps.append("done")

    async with serving(Cleaning()) as (server, peer):
        await peer.ask("soup")
        await server.shutdown()

    assert steps == (["begun", "done"] if shielded else ["begun"])


@in_event_loop
async def test_a_login_names_the_guest_for_the_whole_connection() -> None:
    async with serving(MembersOnly()) as (_, peer):
        assert await peer.ask("ada") == "hello ada"
        assert await peer.ask("soup") == "soup for ada"
        assert await peer.ask("cake") == "cake for ada"


class WatchedMembers(MembersOnly):  # type: ignore[misc]  # a class of the page, which nobody can check
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.gone = anyio.Event()

    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
        self.calls.append("handle")
        yield

    async def on_disconnection(self, client: AsyncStreamClient[str]) -> None:
        self.calls.append("on_disconnection")
        self.gone.set()


@in_event_loop
async def test_who_is_refused_at_the_login_is_disconnected_and_not_handled() -> None:
    handler = WatchedMembers()

    async with serving(handler) as (_, peer):
        assert await peer.ask("eve") == "members only"
        assert await peer.is_closed()
        await handler.gone.wait()

    assert handler.calls == ["on_disconnection"]


@in_event_loop
async def test_who_says_nothing_at_the_login_is_refused_without_an_error(caplog: pytest.LogCaptureFixture) -> None:
    handler = WatchedMembers()
    handler.patience = 0.02

    async with serving(handler) as (_, peer):
        assert await peer.receive() == "members only"
        assert await peer.is_closed()

    assert trouble(caplog) == []


@in_event_loop
async def test_who_leaves_at_the_login_never_was() -> None:
    handler = WatchedMembers()

    async with serving(handler) as (_, peer):
        await peer.stream.send_eof()
        assert await peer.is_closed()

    assert handler.calls == []


# Who is there


@in_event_loop
async def test_a_handler_knows_both_ends_of_the_connection() -> None:
    async with serving(CODE["RoomService"]()) as (server, peer):
        port = peer.stream.extra(anyio.abc.SocketAttribute.local_port)

        assert await peer.ask("tea") == f"tea from port {server.get_addresses()[0].port} to 127.0.0.1:{port}"


@in_event_loop
async def test_an_attribute_that_is_missing_raises_without_a_default() -> None:
    class Asking(Handler):
        async def on_connection(self, client: AsyncStreamClient[str]) -> None:
            with pytest.raises(TypedAttributeLookupError):
                client.extra(TLSAttribute.cipher)
            await client.send_packet(str(client.extra(TLSAttribute.cipher, None)))

    async with serving(Asking()) as (_, peer):
        assert await peer.receive() == "None"


# What all connections share

each_busy_kitchen = each_where_it_works(
    "kitchen",
    anywhere=[CODE["BusyKitchenAnywhere"]],
    asyncio=[CODE["BusyKitchenOnAsyncIO"]],
    trio=[CODE["BusyKitchenOnTrio"]],
)


async def order(peer: LinePeer, dish: str) -> set[str]:
    await peer.send(dish)
    return {await peer.receive(), await peer.receive()}


@in_event_loop
@each_busy_kitchen
async def test_tasks_of_the_service_outlive_the_request(kitchen: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async with serving(kitchen()) as (server, peer):
        assert await order(peer, "soup") == {"soup is ordered", "soup is ready"}
        assert "the kitchen is clean" not in caplog.messages
        await server.shutdown()
        assert caplog.messages[-1] == "the kitchen is clean"


@in_event_loop
@each_busy_kitchen
async def test_a_dish_for_a_guest_who_has_left_harms_nobody(kitchen: Any, caplog: pytest.LogCaptureFixture) -> None:
    class Slow(kitchen):  # type: ignore[misc]  # a class of the page, which nobody can check
        async def cook(self, client: AsyncStreamClient[str], dish: str) -> None:
            if dish == "roast":
                cooking.set()
                await gone.wait()
            await kitchen.cook(self, client, dish)

        async def on_disconnection(self, client: AsyncStreamClient[str]) -> None:
            gone.set()

    cooking, gone = anyio.Event(), anyio.Event()
    async with serving(Slow()) as (server, peer):
        assert await peer.ask("roast") == "roast is ordered"
        await cooking.wait()
        await peer.stream.aclose()
        await gone.wait()
        async with connected(server) as other:
            assert await order(other, "soup") == {"soup is ordered", "soup is ready"}

    assert trouble(caplog) == []


@in_event_loop
@each_busy_kitchen
async def test_an_error_in_a_task_of_the_service_ends_the_server(kitchen: Any) -> None:
    class Burning(kitchen):  # type: ignore[misc]  # a class of the page, which nobody can check
        async def cook(self, client: AsyncStreamClient[str], dish: str) -> None:
            raise LookupError("no such dish")

    with pytest.raises(BaseExceptionGroup) as caught:
        async with serving(Burning()) as (_, peer):
            await peer.send("soup")
            await anyio.sleep_forever()

    assert caught.value.subgroup(LookupError) is not None


# Context variables


@in_event_loop
async def test_connections_have_contexts_and_requests_have_not() -> None:
    async with serving(CODE["Bar"]()) as (server, first), connected(server) as second:
        assert await first.ask("tea") == "tea, round 1"
        assert await first.ask("milk") == "milk, round 2"
        assert await second.ask("tea") == "tea, round 1"


# The server


@in_event_loop
async def test_several_addresses_share_a_free_port() -> None:
    first, second = await CODE["open_kitchen"]()

    assert first.startswith("127.0.0.1 has port ")
    assert second == first.replace("127.0.0.1", "127.0.0.2")


@in_event_loop
async def test_shutdown_leaves_the_sockets_open_and_the_server_usable() -> None:
    server = line_server(CODE["Kitchen"]())

    async with running(server) as tasks:
        await server.shutdown()
        assert server.is_listening()
        await start(server, tasks)
        async with connected(server) as peer:
            assert await peer.ask("soup") == "soup is on its way"


@in_event_loop
async def test_a_handler_that_shuts_down_its_server_is_cancelled_too() -> None:
    ended: list[str] = []

    class Closing(Handler):
        async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
            yield
            try:
                await server.shutdown()
            except client.backend().get_cancelled_exc_class():
                ended.append("cancelled")
                raise

    server = line_server(Closing())
    async with running(server), connected(server) as peer:
        await peer.send("soup")
        assert await peer.is_closed()

    assert ended == ["cancelled"]


# Limits


@in_event_loop
async def test_an_order_over_the_limit_is_one_error_and_no_packet() -> None:
    errors: list[Exception] = []

    class Watching(Handler):
        async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
            try:
                dish = yield
            except StreamProtocolParseError as exc:
                errors.append(exc.error)
            else:
                await client.send_packet(dish)

    async with serving(Watching()) as (_, peer):
        assert await peer.ask("x" * 200_000 + "\nsoup") == "soup"

    assert [type(error) for error in errors] == [LimitOverrunError]
