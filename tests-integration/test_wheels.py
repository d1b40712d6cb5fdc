# SPDX-License-Identifier: Apache-2.0
"""The distributions as strangers get them: built, then installed into an empty environment with
only what they declare.
"""

from __future__ import annotations

import functools
import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from clean_environments import CleanEnvironment, Wheels, build_wheels, closure, serving

pytestmark = pytest.mark.timeout(300)  # builds the wheels, and asks the package index for what they need

ALONE = ("en-protocol", "en-ancillary", "en-servers-tcp", "en-servers-udp", "en-servers-unix")

IMPORT_EVERYTHING = """
import importlib, importlib.metadata, json
needs_pytest = {"easynetwork.lowlevel.testing.backend_suite"}
ours = [d for d in importlib.metadata.distributions() if d.name.startswith("en-")]
modules = [file.with_suffix("") for d in ours for file in d.files if file.suffix == ".py"]
names = [".".join(m.parent.parts if m.name == "__init__" else m.parts) for m in modules]
print(json.dumps([importlib.import_module(name).__file__ for name in names if name not in needs_pytest]))
"""

PARSE = """
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import JSONSerializer

parser = StreamProtocol(JSONSerializer()).build_packet_from_chunks()
next(parser)
try:
    parser.send(b'{"spam": [1, 2]}\\n{"rest"')
except StopIteration as result:
    print(*result.value)
"""

CONTROL = """
import os, socket
from easynetwork.ancillary import SCMRights, SocketAncillary

ours, theirs = socket.socketpair()
sent, received = SocketAncillary(), SocketAncillary()
sent.add_fds([0, 1])
ours.sendmsg([b"x"], sent.as_raw())
received.update_from_raw(theirs.recvmsg(1, 1000)[1])
match list(received.messages()):
    case [SCMRights(fds)]:
        print(len(fds))
"""

SERVE = """
import asyncio, contextlib
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import JSONSerializer
from easynetwork.servers import AsyncTCPNetworkServer
from easynetwork.servers.handlers import AsyncStreamRequestHandler

class Doubler(AsyncStreamRequestHandler):
    async def handle(self, client):
        number = yield
        await client.send_packet(number * 2)

async def main():
    async with AsyncTCPNetworkServer("127.0.0.1", 0, StreamProtocol(JSONSerializer()), Doubler()) as server:
        print(server.get_addresses()[0].port, flush=True)
        await server.serve_forever()

with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())
"""

SERVE_DATAGRAMS = """
import asyncio, contextlib, sys
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import JSONSerializer
from easynetwork.servers.handlers import AsyncDatagramRequestHandler

class Doubler(AsyncDatagramRequestHandler):
    async def handle(self, client):
        number = yield
        await client.send_packet(number * 2)

async def main():
    async with SERVER as server:
        is_up = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve_forever(is_up_event=is_up))
            await is_up.wait()
            unwanted = {"easynetwork.lowlevel.tls", "trio", "easynetwork.clients", "easynetwork.servers.async_tcp"} & set(sys.modules)
            print(WHERE, *unwanted, flush=True)

with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())
"""

SERVE_UDP = "from easynetwork.servers import AsyncUDPNetworkServer\n" + SERVE_DATAGRAMS.replace(
    "SERVER", "AsyncUDPNetworkServer(None, 0, DatagramProtocol(JSONSerializer()), Doubler())"
).replace("WHERE", "server.get_addresses()[0].port")

SERVE_UNIX = (
    "from easynetwork.servers.async_unix_datagram import AsyncUnixDatagramServer\n"
    "from easynetwork.servers.async_unix_stream import AsyncUnixStreamServer\n"
    + SERVE_DATAGRAMS.replace(
        "SERVER", 'AsyncUnixDatagramServer("", DatagramProtocol(JSONSerializer()), Doubler())'
    ).replace("WHERE", "server.get_addresses()[0].as_abstract_name().decode()")
)


SERVE_ON_TRIO = """
import sys, trio
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import JSONSerializer
from easynetwork.servers import AsyncUDPNetworkServer
from easynetwork.servers.handlers import AsyncDatagramRequestHandler

class Echo(AsyncDatagramRequestHandler):
    async def handle(self, client):
        await client.send_packet([(yield), type(client.backend()).__name__])

async def main():
    async with AsyncUDPNetworkServer("127.0.0.1", 0, DatagramProtocol(JSONSerializer()), Echo()) as server:
        async with trio.open_nursery() as tasks:
            is_up = trio.Event()
            tasks.start_soon(lambda: server.serve_forever(is_up_event=is_up))
            await is_up.wait()
            unwanted = {"easynetwork.lowlevel.tls", "easynetwork.backends.asyncio"} & set(sys.modules)
            print(server.get_addresses()[0].port, *unwanted, flush=True)

try:
    trio.run(main)
except* KeyboardInterrupt:
    pass
"""


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    return build_wheels(tmp_path_factory.getbasetemp() / "wheels")


@pytest.fixture(scope="session")
def alone(wheels: Wheels, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], CleanEnvironment]:
    """Gives the environment in which one distribution was installed, with only what it declares."""

    @functools.cache
    def install(name: str) -> CleanEnvironment:
        return wheels.install(tmp_path_factory.mktemp(name), name)

    return install


@pytest.mark.parametrize("name", ["en-protocol", "en-ancillary"])
def test_the_sans_io_distributions_come_alone(name: str, alone: Callable[[str], CleanEnvironment]) -> None:
    assert alone(name).installed() == {name, "typing-extensions"}


def test_protocol_alone_parses(alone: Callable[[str], CleanEnvironment]) -> None:
    assert alone("en-protocol").run(PARSE) == "{'spam': [1, 2]} b'{\"rest\"'\n"


def test_ancillary_alone_passes_descriptors(alone: Callable[[str], CleanEnvironment]) -> None:
    assert alone("en-ancillary").run(CONTROL) == "2\n"


@pytest.mark.parametrize("name", ["en-servers-tcp", "en-servers-udp", "en-servers-unix"])
def test_a_transport_brings_what_it_declares_and_no_more(name: str, alone: Callable[[str], CleanEnvironment]) -> None:
    third_parties = {"anyio", "idna", "sniffio", "typing-extensions"}  # sniffio: with older releases of anyio

    assert closure(name) <= alone(name).installed() <= closure(name) | third_parties


@pytest.mark.parametrize("name", ALONE)
def test_every_module_is_importable_with_only_what_is_declared(
    name: str, alone: Callable[[str], CleanEnvironment]
) -> None:
    environment = alone(name)

    files: list[str] = json.loads(environment.run(IMPORT_EVERYTHING))

    assert len(files) > 5
    assert all(Path(file).is_relative_to(environment.python.parents[1]) for file in files)


def test_installed_servers_tcp_serves_a_plain_socket(alone: Callable[[str], CleanEnvironment]) -> None:
    with (
        serving(alone("en-servers-tcp"), SERVE) as port,
        socket.create_connection(("127.0.0.1", int(port)), timeout=10) as client,
        client.makefile("rb") as lines,
    ):
        client.sendall(b"21\n4\n")

        assert (lines.readline(), lines.readline()) == (b"42\n", b"8\n")


def test_installed_servers_udp_answers_from_the_address_that_was_asked(
    alone: Callable[[str], CleanEnvironment],
) -> None:
    with (
        serving(alone("en-servers-udp"), SERVE_UDP) as port,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(10)
        client.connect(("127.0.0.9", int(port)))
        client.send(b"21")

        assert client.recv(100) == b"42"


def test_installed_servers_unix_answer_datagrams(alone: Callable[[str], CleanEnvironment]) -> None:
    with (
        serving(alone("en-servers-unix"), SERVE_UNIX) as name,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(10)
        client.bind("")
        client.connect(f"\0{name}")
        client.send(b"21")

        assert client.recv(100) == b"42"


def test_the_extra_trio_brings_its_backend(alone: Callable[[str], CleanEnvironment]) -> None:
    installed = alone("en-servers-udp[trio]").installed()

    assert {name for name in installed if name.startswith("en-")} == closure("en-servers-udp") | {"en-backend-trio"}
    assert "trio" in installed


def test_installed_servers_udp_serve_where_trio_is_running(alone: Callable[[str], CleanEnvironment]) -> None:
    with (
        serving(alone("en-servers-udp[trio]"), SERVE_ON_TRIO) as port,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(10)
        client.connect(("127.0.0.1", int(port)))
        client.send(b'"echo"')

        assert client.recv(100) == b'["echo","TrioBackend"]'
