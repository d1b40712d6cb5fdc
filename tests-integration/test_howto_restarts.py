# SPDX-License-Identifier: Apache-2.0
"""What the page "Restarts" says."""

from __future__ import annotations

import functools
import logging
import signal
import subprocess
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from datagram_peers import tcp_peer, udp_peer
from pages import Page
from programs import serving_program
from running_server import running, start, until
from stream_peers import Transport
from tcp_peers import connected, line_protocol, line_server, serving

from easynetwork.clients import TCPNetworkClient
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
from easynetwork.servers.statistics import CloseReason
from easynetwork.servers.threads_helper import NetworkServerThread

PAGE = Page("howto/restarts.md")
CODE = PAGE.run()

in_event_loop = pytest.mark.anyio


class Busy(AsyncStreamRequestHandler[str, str]):
    """Is busy with "wait" until it is allowed to answer."""

    def __init__(self) -> None:
        self.is_busy = anyio.Event()
        self.may_answer = anyio.Event()
        self.handled: list[str] = []

    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
        request = yield
        self.handled.append(request)
        if request == "wait":
            self.is_busy.set()
            await self.may_answer.wait()
        await client.send_packet(request)


# Draining


@in_event_loop
async def test_requests_that_were_begun_are_answered_and_all_others_see_the_end() -> None:
    handler = Busy()
    async with serving(handler) as (server, peer), connected(server) as idle, anyio.create_task_group() as tasks:
        address = server.get_addresses()[0]
        await idle.ask("before")
        await peer.send("wait", "not begun")
        await handler.is_busy.wait()
        tasks.start_soon(functools.partial(server.shutdown, drain=30))
        assert await idle.is_closed()
        with pytest.raises(OSError, match="connection attempts failed"):
            await anyio.connect_tcp(address.host, address.port)
        assert server.is_draining()
        handler.may_answer.set()
        assert await peer.receive() == "wait"
        assert await peer.is_closed()

    assert handler.handled == ["before", "wait"]
    assert server.statistics().closed == {CloseReason.DRAINING: 2}


@in_event_loop
async def test_who_is_not_done_in_time_is_cancelled() -> None:
    handler = Busy()
    async with serving(handler) as (server, peer):
        await peer.send("wait")
        await handler.is_busy.wait()
        await server.shutdown(drain=0.05)
        assert await peer.is_closed()


@in_event_loop
async def test_a_shutdown_without_drain_ends_one_with() -> None:
    handler = Busy()
    async with serving(handler) as (server, peer), anyio.create_task_group() as tasks:
        await peer.send("wait")
        await handler.is_busy.wait()
        tasks.start_soon(functools.partial(server.shutdown, drain=3600))
        await until(server.is_draining)
        await server.shutdown()
        assert await peer.is_closed()


@in_event_loop
async def test_connections_that_wait_to_be_accepted_are_closed_in_order() -> None:
    async with serving(Busy()) as (server, peer):
        await peer.ask("x")
        with tcp_peer(server) as waiting:  # the server has no turn before it drains
            waiting.send("too late")
            await server.shutdown(drain=30)
            with pytest.raises(EOFError):  # not a reset
                await waiting.receive()


@in_event_loop
async def test_after_the_drain_it_serves_again() -> None:
    server = line_server(Busy())
    async with running(server) as tasks:
        await server.shutdown(drain=30)
        assert not server.is_listening()
        await start(server, tasks)
        async with connected(server) as peer:
            assert await peer.ask("again") == "again"


@in_event_loop
async def test_a_unix_stream_server_that_drains_makes_room_for_the_next_one(folder: Path) -> None:
    handler, transport = Busy(), Transport("unix", folder)
    async with transport.serving(handler) as (server, peer), anyio.create_task_group() as tasks:
        peer.send("wait")
        await handler.is_busy.wait()
        tasks.start_soon(functools.partial(server.shutdown, drain=30))
        await until(lambda: not server.is_listening())
        async with transport.serving(Busy()) as (_, other):
            assert await other.ask("new") == "new"
            handler.may_answer.set()
            assert await peer.receive() == "wait"


class BusyWithDatagrams(AsyncDatagramRequestHandler[str, str]):
    def __init__(self) -> None:
        self.is_busy = anyio.Event()
        self.may_answer = anyio.Event()

    async def handle(self, client: AsyncDatagramClient[str]) -> AsyncGenerator[None, str]:
        request = yield
        self.is_busy.set()
        await self.may_answer.wait()
        await client.send_packet(request)


@in_event_loop
async def test_datagrams_that_were_received_are_answered_and_later_ones_are_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    handler = BusyWithDatagrams()
    server = AsyncUDPNetworkServer("127.0.0.1", 0, DatagramProtocol(StringLineSerializer()), handler)
    async with running(server) as tasks:
        with udp_peer(server) as peer, udp_peer(server) as other:
            peer.send("1", "2")
            await handler.is_busy.wait()
            await until(lambda: server.statistics().bytes_received == 2)
            tasks.start_soon(functools.partial(server.shutdown, drain=30))
            await until(lambda: any(line.startswith("Draining") for line in caplog.messages))
            assert server.is_listening()
            other.send("late")
            handler.may_answer.set()
            assert [await peer.receive(), await peer.receive()] == ["1", "2"]
            assert await other.hears_nothing()


# A handler with much to do


@in_event_loop
async def test_an_export_says_where_to_go_on() -> None:
    async with serving(CODE["Export"]()) as (server, peer), anyio.create_task_group() as tasks:
        await peer.send("0")
        assert await peer.receive() == "row 0"
        tasks.start_soon(functools.partial(server.shutdown, drain=30))
        last = 0
        while (line := await peer.receive()).startswith("row "):
            last = int(line.removeprefix("row "))
        number = int(line.removeprefix("go on with "))

        assert number == last + 1
        assert await peer.is_closed()


@in_event_loop
async def test_a_handler_that_awaits_the_drain_uses_its_time_up() -> None:
    class DrainsItself(Busy):
        async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
            yield
            await server.shutdown(drain=0.05)

    async with serving(DrainsItself()) as (server, peer):
        await peer.send("drain")
        assert await peer.is_closed()


def test_handlers_keep_their_time_when_the_call_from_a_thread_returns_before() -> None:
    class WaitsForAThread(AsyncStreamRequestHandler[str, str]):
        async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
            request = yield
            is_busy.set()
            await client.backend().run_in_thread(may_answer.wait)
            await client.send_packet(request)

    is_busy, may_answer = threading.Event(), threading.Event()
    with StandaloneTCPNetworkServer("127.0.0.1", 0, line_protocol(), WaitsForAThread()) as server:
        thread = NetworkServerThread(server)
        thread.start()
        with TCPNetworkClient(server.get_addresses()[0].for_connection(), line_protocol()) as client:
            client.send_packet("request", timeout=10)
            assert is_busy.wait(10)
            server.shutdown(timeout=0.05, drain=30)
            may_answer.set()
            assert client.recv_packet(timeout=10) == "request"
        threading.Thread.join(thread, 10)
        assert not thread.is_alive()


# Two servers on one port


class Quick(AsyncStreamRequestHandler[str, str]):
    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
        await client.send_packet((yield))


@contextmanager
def quick_server(port: int = 0) -> Generator[StandaloneTCPNetworkServer[str, str]]:
    with StandaloneTCPNetworkServer("127.0.0.1", port, line_protocol(), Quick(), reuse_port=True) as server:
        thread = NetworkServerThread(server)
        thread.start()
        try:
            yield server
        finally:
            thread.join()


def test_a_caller_has_all_its_answers_while_servers_are_replaced() -> None:
    with ExitStack() as servers:
        server = servers.enter_context(quick_server())
        address = server.get_addresses()[0].for_connection()
        caller = CODE["Caller"](address)
        try:
            for run in range(5):
                successor = servers.enter_context(quick_server(address[1]))
                stopping = threading.Thread(target=server.shutdown, kwargs={"drain": 30})
                stopping.start()
                for number in range(100):
                    assert caller.ask(f"{run}-{number}") == f"{run}-{number}"
                stopping.join()
                server = successor
        finally:
            caller.close()


def test_a_caller_gives_up_when_nobody_listens() -> None:
    with quick_server() as server:
        address = server.get_addresses()[0].for_connection()
    hurried = type("Hurried", (CODE["Caller"],), {"pause": 0.001})

    with pytest.raises(ConnectionRefusedError):
        hurried(address).ask("anybody there?")


# The programs


@contextmanager
def program(
    name: str, folder: Path, seconds: float
) -> Generator[tuple[subprocess.Popen[str], TCPNetworkClient[Any, Any]]]:
    """A program of the page, whose handler takes so many seconds, and a client."""
    for each, source in PAGE.programs().items():
        (folder / each).write_text(source.replace("9000", "0").replace("sleep(0.5)", f"sleep({seconds})"))
    with serving_program(folder / name, (folder / name).read_text()) as (process, address):
        port = int(address.rstrip(")").rpartition(" ")[2])
        with TCPNetworkClient(("127.0.0.1", port), line_protocol()) as client:
            yield process, client


def wait_for_line(process: subprocess.Popen[str], wanted: str) -> None:
    """Reads the log until a line has ``wanted``."""
    assert process.stderr is not None
    assert any(wanted in line for line in process.stderr)


def rest_of(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    rest = process.stderr.read()
    process.wait(10)
    return rest


@pytest.mark.parametrize(("name", "status"), [("words.py", 143), ("async_words.py", 0)])
def test_a_request_that_was_begun_is_answered_after_sigterm(
    name: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with program(name, tmp_path, 0.2) as (process, client):
        client.send_packet("to be or not to be")
        wait_for_line(process, "Accepted new connection")
        process.send_signal(signal.SIGTERM)
        assert client.recv_packet(timeout=10) == "6 words"
        with pytest.raises(ConnectionAbortedError):
            client.recv_packet(timeout=10)
        assert "Traceback" not in rest_of(process)
    assert process.returncode == status


@pytest.mark.parametrize(("name", "status"), [("words.py", 143), ("async_words.py", 0)])
def test_a_second_sigterm_does_not_wait(
    name: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with program(name, tmp_path, 3600) as (process, client):
        client.send_packet("to be or not to be")
        wait_for_line(process, "Accepted new connection")
        process.send_signal(signal.SIGTERM)
        wait_for_line(process, "Draining")
        process.send_signal(signal.SIGTERM)
        assert "Traceback" not in rest_of(process)
    assert process.returncode == status
