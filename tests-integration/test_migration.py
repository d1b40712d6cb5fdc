# SPDX-License-Identifier: Apache-2.0
"""What the page "From easynetwork 1.2" says of this easynetwork.

What it says of attacks and endings in general is proven by the tests of those.
"""

from __future__ import annotations

import importlib
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import metadata, version
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread
from datagram_peers import SocketPeer, udp_peer, unix_stream_peer
from pages import DOCS, Page
from programs import serving_program
from running_server import running
from tcp_peers import serving

from easynetwork.clients import AsyncTCPNetworkClient, TCPNetworkClient
from easynetwork.exceptions import DeserializeError, StreamProtocolParseError, TruncatedStreamError
from easynetwork.lowlevel.datagrams import SEND_TIMEOUT
from easynetwork.protocol import DatagramProtocol, StreamProtocol
from easynetwork.serializers import CBORSerializer, JSONSerializer, PickleSerializer, StringLineSerializer
from easynetwork.serializers.wrapper import ZlibCompressorSerializer
from easynetwork.servers.async_udp import AsyncUDPNetworkServer
from easynetwork.servers.async_unix_stream import AsyncUnixStreamServer
from easynetwork.servers.handlers import (
    AsyncDatagramClient,
    AsyncDatagramRequestHandler,
    AsyncStreamClient,
    AsyncStreamRequestHandler,
)
from easynetwork.servers.options import ServerLimits, ServerTimeouts
from easynetwork.warnings import EasyNetworkWarning

PAGE = Page("migration.md")
TEXT = (DOCS / "migration.md").read_text()
CODE = PAGE.run()

ROOT = DOCS.parent
SURFACE = ROOT.parent / "shared" / "spec" / "check_surface.py"

in_event_loop = pytest.mark.anyio


class Echo(AsyncStreamRequestHandler[str, str]):
    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
        packet = yield
        await client.send_packet(packet)


def address_of(server: Any) -> Any:
    return server.get_addresses()[0].for_connection()


# Install


def test_each_module_is_in_the_distribution_that_the_table_names() -> None:
    rows = re.findall(r"^\| (`easynetwork\..*?`) \| `(en-[\w-]+)`", TEXT, re.MULTILINE)
    assert len(rows) == 7
    for modules, distribution in rows:
        source = ROOT / "packages" / distribution / "src"
        parent, *others = re.findall(r"`([\w.]+)`", modules)
        for module in (parent, *(parent.rpartition(".")[0] + other for other in others)):
            path = source / module.replace(".", "/")
            assert path.is_dir() or path.with_suffix(".py").is_file(), module


def test_no_older_python_will_do() -> None:
    assert all(
        metadata(name)["Requires-Python"] == ">=3.11" for name in ("easynetwork", "en-protocol", "en-servers-tcp")
    )


def test_a_requirement_on_the_old_version_does_not_take_this_one() -> None:
    assert tuple(map(int, version("easynetwork").split("."))) < (1, 2)


# What stays


def promised_modules() -> list[str]:
    (block,) = re.findall(r"^```text\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    return str(block).split()


@pytest.mark.parametrize("module", promised_modules())
def test_promised_modules_are_there(module: str) -> None:
    importlib.import_module(module)


@pytest.mark.skipif(not SURFACE.exists(), reason="the list of names belongs to the project's own machines")
def test_promised_modules_have_the_names_and_parameters_of_the_published_ones() -> None:
    published = json.loads(SURFACE.with_name("surface.json").read_text())
    assert sorted(promised_modules()) == sorted(published)
    result = subprocess.run([sys.executable, str(SURFACE)], capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stdout


# What may break


@in_event_loop
async def test_a_bare_number_works_and_warns() -> None:
    with pytest.warns(DeprecationWarning, match="RecvParams") as caught:
        async with serving(CODE["OldThermostat"]()) as (_, peer):
            assert await peer.ask("21") == "set to 21"

    assert f"`DeprecationWarning: {caught[0].message}`" in TEXT


@in_event_loop
async def test_receive_parameters_do_the_same_without_a_warning() -> None:
    async with serving(CODE["Thermostat"]()) as (_, peer):
        assert await peer.ask("21") == "set to 21"


def test_compressed_packets_have_limits_that_can_be_raised() -> None:
    large = CODE["large"]
    packet = "x" * 1024 * 1024
    with pytest.raises(DeserializeError, match="1048576"):
        ZlibCompressorSerializer(JSONSerializer()).deserialize(large.serialize(packet))

    assert large.deserialize(large.serialize(packet)) == packet


@in_event_loop
async def test_limits_of_servers_are_those_of_the_table_and_can_be_changed() -> None:
    rows = dict(re.findall(r"^\| ((?:connections|datagram|descriptors)[^|]*) \| ([\d,]+)", TEXT, re.MULTILINE))
    limits = ServerLimits()

    assert [int(value.replace(",", "")) for value in rows.values()] == [
        limits.max_connections,
        limits.max_connections_per_address,
        limits.max_pending_datagrams,
        limits.max_peers,
        limits.max_descriptors,
        limits.max_pending_descriptors,
    ]
    assert limits.max_pending_bytes == 1 << 20
    server: AsyncUDPNetworkServer[str, str] = CODE["burst_server"](DatagramEcho())
    assert server.limits == ServerLimits(max_pending_datagrams=1000, max_peers=50_000)


def test_shared_values_are_refused_unless_they_are_wanted() -> None:
    data = CODE["sharing"].serialize([CODE["row"], CODE["row"]])
    with pytest.raises(DeserializeError):
        CBORSerializer().deserialize(data)


@in_event_loop
async def test_empty_lines_and_datagrams_are_packets() -> None:
    async with serving(Echo()) as (_, peer):
        assert [await peer.ask(""), await peer.ask("x")] == ["", "x"]
    async with datagram_peer() as (_, other):
        assert [await other.ask(""), await other.ask("x")] == ["", "x"]


class DatagramEcho(AsyncDatagramRequestHandler[str, str]):
    def __init__(self) -> None:
        self.tasks: list[int] = []

    async def handle(self, client: AsyncDatagramClient[str]) -> AsyncGenerator[None, str]:
        packet = yield
        self.tasks.append(client.backend().get_current_task().id)
        await client.send_packet(packet)


@asynccontextmanager
async def datagram_peer(handler: DatagramEcho | None = None) -> AsyncGenerator[tuple[Any, SocketPeer]]:
    protocol = DatagramProtocol(StringLineSerializer())
    server: Any = AsyncUDPNetworkServer("127.0.0.1", 0, protocol, handler or DatagramEcho())
    async with running(server):
        with udp_peer(server) as peer:
            yield server, peer


@in_event_loop
async def test_datagram_handlers_that_do_not_wait_run_in_one_task() -> None:
    handler = DatagramEcho()
    async with datagram_peer(handler) as (server, peer):
        with udp_peer(server) as other:
            await peer.ask("a")
            await other.ask("b")

    assert len(set(handler.tasks)) == 1


def test_pickles_warn() -> None:
    with pytest.warns(EasyNetworkWarning):
        PickleSerializer()


@in_event_loop
async def test_errors_do_not_carry_what_is_read_on() -> None:
    class Curious(Echo):
        async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
            with pytest.raises(StreamProtocolParseError) as caught:
                yield
            await client.send_packet(repr(caught.value.remaining_data))
            await client.send_packet((yield))

    async with serving(Curious()) as (_, peer):
        await peer.send("\N{SNOWMAN}", "next")
        assert [await peer.receive(), await peer.receive()] == ["b''", "next"]


@in_event_loop
async def test_a_send_that_was_cut_aborts_the_connection() -> None:
    class Sends(Echo):
        async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
            yield
            with client.backend().move_on_after(0.05):
                await client.send_packet("x" * 50_000_000)
            with pytest.raises(ConnectionError):
                await client.send_packet("more")
            raised.set()

    raised = anyio.Event()
    async with serving(Sends()) as (_, peer):
        await peer.send("go")
        with anyio.fail_after(10):
            await raised.wait()


def test_a_datagram_peer_that_does_not_read_is_given_up_in_the_stated_time() -> None:
    assert (ServerTimeouts().send_stall, SEND_TIMEOUT) == (30, 5)
    assert "raise `OSError` after 30 seconds on a server, 5 on a client" in TEXT


@in_event_loop
async def test_unknown_keyword_arguments_of_clients_are_refused() -> None:
    unknown: Any = {"ttl": 3}
    with pytest.raises(TypeError, match="ttl"):
        AsyncTCPNetworkClient(("127.0.0.1", 9), StreamProtocol(StringLineSerializer()), **unknown)


STANDALONE = """
import sys
from collections.abc import AsyncGenerator

from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers import StandaloneTCPNetworkServer
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler


class Echo(AsyncStreamRequestHandler[str, str]):
    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
        await client.send_packet((yield))

    async def on_disconnection(self, client: AsyncStreamClient[str]) -> None:
        print("disconnected", file=sys.stderr)


if __name__ == "__main__":
    with StandaloneTCPNetworkServer("127.0.0.1", 0, StreamProtocol(StringLineSerializer()), Echo(), BACKEND) as server:
        server.serve_forever()
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_sigterm_ends_a_standalone_server_in_order(backend: str, tmp_path: Path) -> None:
    source = STANDALONE.replace("BACKEND", repr(backend))
    with serving_program(tmp_path / "program.py", source) as (process, address):
        port = int(re.findall(r"\d+", address)[-1])
        with TCPNetworkClient(("127.0.0.1", port), StreamProtocol(StringLineSerializer())) as client:
            client.send_packet("hello")
            assert client.recv_packet(timeout=10) == "hello"
            process.send_signal(signal.SIGTERM)
            assert process.stderr is not None
            said = process.stderr.read()
            process.wait(10)

    assert "disconnected" in said
    assert "Traceback" not in said
    assert process.returncode == 143


# What is better


@in_event_loop
@pytest.mark.parametrize("cut", [False, True])
async def test_clients_tell_a_cut_stream_from_one_that_has_ended(cut: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = TCPNetworkClient(listener.getsockname(), StreamProtocol(StringLineSerializer()))
        with client, listener.accept()[0] as peer:
            peer.sendall(b"a\nb\n" + b"c" * cut)
            peer.shutdown(socket.SHUT_WR)
            if cut:
                with pytest.raises(TruncatedStreamError):
                    await to_thread.run_sync(CODE["read_all"], client)
            else:
                assert await to_thread.run_sync(CODE["read_all"], client) == ["a", "b"]


@in_event_loop
async def test_a_socket_file_that_was_left_is_replaced(folder: Path) -> None:
    path = folder / "server.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    server: Any = AsyncUnixStreamServer(path, StreamProtocol(StringLineSerializer()), Echo())
    async with running(server):
        with unix_stream_peer(server) as peer:
            assert await peer.ask("hello") == "hello"
