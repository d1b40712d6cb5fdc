# SPDX-License-Identifier: Apache-2.0
"""What "TCP clients" prints does what the page says."""

from __future__ import annotations

import errno
import math
import os
import socket
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio
from anyio.to_thread import run_sync
from loops import each_where_it_works
from page_sessions import replayed
from pages import Page
from programs import serving_program
from running_server import running
from tcp_peers import line_protocol, line_server

from easynetwork.clients import AsyncTCPNetworkClient, TCPNetworkClient
from easynetwork.exceptions import ClientClosedError
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler

PAGE = Page("howto/tcp-clients.md")
CODE = PAGE.run()

in_event_loop = pytest.mark.anyio

Client = TCPNetworkClient[str, str]

PATIENCE = 10.0
"""Seconds after which what should come counts as lost."""

NOT_CONNECTED = os.strerror(errno.ENOTCONN)

DISHES = ["soup", "pie", "cake"]
SERVED = [f"{dish} is on its way" for dish in DISHES]


class Kitchen(AsyncStreamRequestHandler[str, str]):
    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
        dish = yield
        await client.send_packet(f"{dish} is on its way")


@asynccontextmanager
async def kitchen() -> AsyncGenerator[int]:
    """Gives the port of a running server."""
    async with running(server := line_server(Kitchen())):
        yield server.get_addresses()[0].port


@contextmanager
def silent_server() -> Generator[socket.socket]:
    """Takes connections, and does nothing with them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@contextmanager
def client_and_peer() -> Generator[tuple[Client, socket.socket]]:
    with (
        silent_server() as listener,
        TCPNetworkClient(listener.getsockname(), line_protocol()) as client,
        listener.accept()[0] as peer,
    ):
        yield client, peer


# Programs


def test_the_programs_print_what_the_page_shows(tmp_path: Path) -> None:
    server = Page("howto/tcp-servers.md").programs()["kitchen.py"].replace("9000", "0")

    with serving_program(tmp_path / "kitchen.py", server) as (_, address):
        port = address.rstrip(")").split()[1]
        for name, source in PAGE.programs().items():
            (tmp_path / name).write_text(source.replace("9000", port))
        sessions = list(replayed(PAGE, tmp_path))

    assert [printed for _, printed in sessions] == [shown for shown, _ in sessions]
    assert len(sessions) == 2


# Time limits

each_order = each_where_it_works(
    "order",
    anywhere=[CODE["order_anywhere"]],
    asyncio=[CODE["order_on_asyncio"]],
    trio=[CODE["order_on_trio"]],
)


@in_event_loop
async def test_a_blocking_client_is_answered() -> None:
    async with kitchen() as port:
        assert await run_sync(CODE["order"], port, "soup") == "soup is on its way"


@in_event_loop
@each_order
async def test_an_asynchronous_client_is_answered(order: Any) -> None:
    async with kitchen() as port:
        assert await order(port, "soup") == "soup is on its way"


def test_a_blocking_client_gives_up_in_time() -> None:
    with silent_server() as listener, pytest.raises(TimeoutError):
        CODE["order"](listener.getsockname()[1], "soup", patience=0.02)


@in_event_loop
@each_order
async def test_an_asynchronous_client_gives_up_in_time(order: Any) -> None:
    error = trio.TooSlowError if order is CODE["order_on_trio"] else TimeoutError

    with silent_server() as listener, pytest.raises(error):
        await order(listener.getsockname()[1], "soup", patience=0.02)


def test_a_packet_whose_time_was_up_can_be_received_later() -> None:
    with client_and_peer() as (client, peer):
        peer.sendall(b"half of it, ")
        with pytest.raises(TimeoutError):
            client.recv_packet(timeout=0.02)
        peer.sendall(b"the rest\n")

        assert client.recv_packet(timeout=PATIENCE) == "half of it, the rest"


def test_a_send_that_was_cut_short_ends_the_connection() -> None:
    with client_and_peer() as (client, _):
        with pytest.raises(TimeoutError):
            client.send_packet("x" * 20_000_000, timeout=0.02)
        with pytest.raises(ConnectionError):
            client.send_packet("y", timeout=PATIENCE)


# Errors


def test_each_failure_has_its_own_exception() -> None:
    with client_and_peer() as (client, peer):
        assert CODE["try_to_order"](client, "soup", 0.02) == "nobody answers"
        peer.sendall("pâté\nanswer\n".encode())
        assert CODE["try_to_order"](client, "soup") == "the answer makes no sense"
        assert CODE["try_to_order"](client, "soup") == "answer"
        peer.sendall(b"half an ans")
        peer.shutdown(socket.SHUT_WR)
        assert CODE["try_to_order"](client, "soup") == "the answer is cut off"

    with client_and_peer() as (client, peer):
        peer.shutdown(socket.SHUT_WR)
        assert CODE["try_to_order"](client, "soup") == "the kitchen has hung up"
        client.close()
        with pytest.raises(ClientClosedError):
            client.send_packet("soup")


@in_event_loop
async def test_connecting_fails_with_the_systems_error_and_may_be_tried_again() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            TCPNetworkClient(bound.getsockname(), line_protocol())
        client = AsyncTCPNetworkClient(bound.getsockname(), line_protocol())
        with pytest.raises(ConnectionRefusedError):
            await client.wait_connected()
        bound.listen()
        async with client:
            assert client.is_connected()


# Take all that comes


def test_an_iteration_takes_what_is_there() -> None:
    with client_and_peer() as (client, peer):
        assert CODE["served_so_far"](client) == []
        peer.sendall(b"soup\npie\nca")
        assert CODE["served_within"](client, 0.05) == ["soup", "pie"]
        with pytest.raises(TimeoutError):
            client.recv_packet(timeout=0)
        peer.sendall(b"ke\n")
        peer.shutdown(socket.SHUT_WR)
        assert CODE["served_within"](client, math.inf) == ["cake"]
        with pytest.raises(ConnectionAbortedError):
            client.recv_packet(timeout=0)


@in_event_loop
async def test_an_iteration_may_go_on_to_the_end() -> None:
    with silent_server() as listener:
        async with AsyncTCPNetworkClient(listener.getsockname(), line_protocol()) as client:
            with listener.accept()[0] as peer:
                peer.sendall(b"soup\npie\n")
                peer.shutdown(socket.SHUT_WR)

                assert await CODE["served_until_the_end"](client) == ["soup", "pie"]


# Several threads or tasks


@in_event_loop
async def test_one_thread_may_send_while_another_receives() -> None:
    async with kitchen() as port:
        assert await run_sync(CODE["order_all"], port, DISHES) == SERVED


@in_event_loop
@each_where_it_works(
    "order_all",
    anywhere=[CODE["order_all_anywhere"]],
    asyncio=[CODE["order_all_on_asyncio"]],
    trio=[CODE["order_all_on_trio"]],
)
async def test_one_task_may_send_while_another_receives(order_all: Any) -> None:
    many = DISHES * 100

    async with kitchen() as port:
        assert await order_all(port, many) == SERVED * 100


def test_closing_a_client_wakes_the_thread_that_waits_in_it() -> None:
    errors: list[Exception] = []

    def wait() -> None:
        begun.set()
        try:
            client.recv_packet(timeout=PATIENCE)
        except ClientClosedError as exc:
            errors.append(exc)

    begun = threading.Event()
    with client_and_peer() as (client, _):
        thread = threading.Thread(target=wait)
        thread.start()
        begun.wait(PATIENCE)
        client.close()
        thread.join(PATIENCE)

    assert len(errors) == 1


# The end


@in_event_loop
async def test_what_was_ordered_before_the_end_is_served() -> None:
    async with kitchen() as port:
        assert await run_sync(CODE["last_orders"], port, DISHES) == SERVED


def test_nothing_can_be_sent_after_the_end() -> None:
    with client_and_peer() as (client, _):
        client.send_eof()
        with pytest.raises(RuntimeError):
            client.send_packet("one more")


def test_a_client_that_is_not_closed_warns() -> None:
    with silent_server() as listener, pytest.warns(ResourceWarning, match="unclosed client"):
        TCPNetworkClient(listener.getsockname(), line_protocol())


# Addresses and sockets


def test_a_client_may_choose_where_it_connects_from() -> None:
    with silent_server() as listener:
        assert CODE["both_ends"](listener.getsockname()[1]) == ("127.0.0.2", "127.0.0.1")


@in_event_loop
async def test_a_client_takes_a_connected_socket_and_closes_it() -> None:
    async with kitchen() as port:
        connected = socket.create_connection(("127.0.0.1", port))

        assert await run_sync(CODE["order_through"], connected, "soup") == "soup is on its way"

    assert connected.fileno() == -1


def test_a_socket_is_closed_when_no_client_can_be_made_of_it() -> None:
    unconnected = socket.socket()

    with pytest.raises(OSError, match=NOT_CONNECTED):
        CODE["order_through"](unconnected, "soup")

    assert unconnected.fileno() == -1


@in_event_loop
async def test_there_is_no_address_before_the_connection() -> None:
    client = AsyncTCPNetworkClient(("127.0.0.1", 9), line_protocol())

    with pytest.raises(OSError, match=NOT_CONNECTED):
        client.get_local_address()
    await client.aclose()


def test_a_host_that_does_not_answer_names_its_addresses() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        host, port = bound.getsockname()
        with pytest.raises(ConnectionRefusedError, match=rf"{host}.*{port}"):
            TCPNetworkClient((host, port), line_protocol())


@in_event_loop
async def test_a_task_that_waits_is_woken_by_a_close() -> None:
    with silent_server() as listener:
        client = AsyncTCPNetworkClient(listener.getsockname(), line_protocol())
        async with client, anyio.create_task_group() as tasks:

            async def wait() -> None:
                begun.set()
                with pytest.raises(ClientClosedError):
                    await client.recv_packet()

            begun = anyio.Event()
            tasks.start_soon(wait)
            await begun.wait()
            await client.aclose()
