# SPDX-License-Identifier: Apache-2.0
"""The code in the documents that the project was asked to be true to, taken out of them and run on
live servers, each block of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import os
import re
import signal
import socket
import textwrap
import traceback
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from socket import SO_PASSCRED, SOL_SOCKET
from typing import Any, ClassVar, TypeVar

import anyio
import pytest
from datagram_peers import Pipe, SocketPeer, name_of, unix_peer, write_and_close
from loops import on_asyncio
from programs import serving_program
from running_server import running
from seed_blocks import numbered_blocks

from easynetwork.converter import AbstractPacketConverter
from easynetwork.exceptions import DatagramProtocolParseError, PacketConversionError
from easynetwork.lowlevel.request_handler import RecvAncillaryDataParams, RecvParams
from easynetwork.lowlevel.socket import SCMCredentials, SCMRights, SocketAncillary, UnixSocketAddress
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import JSONSerializer, StringLineSerializer
from easynetwork.servers.async_unix_datagram import AsyncUnixDatagramServer
from easynetwork.servers.handlers import AsyncDatagramClient, AsyncDatagramRequestHandler, UNIXClientAttribute

SEEDS = Path(__file__).parents[2] / "shared" / "seeds"

DOCUMENTS = {path.name[:3]: list(numbered_blocks(path.read_text())) for path in sorted(SEEDS.glob("*.txt"))}
"""The blocks of each document, by its number. Most documents include their code from files that did
not come with them."""

pytestmark = [
    pytest.mark.skipif(
        not DOCUMENTS, reason="the documents are not there: ../shared/seeds belongs to the project's own machines"
    ),
]

_Test = TypeVar("_Test", bound=Callable[..., Any])
_CLAIMED: set[str] = set()


def block_with(mark: str) -> Callable[[_Test], _Test]:
    """Parametrizes a test with the one block that has ``mark`` in it."""
    _CLAIMED.add(mark)
    found = [block for blocks in DOCUMENTS.values() for block in blocks if mark in block]
    assert len(found) == (1 if DOCUMENTS else 0), mark
    return pytest.mark.parametrize("source", found or [""], ids=[re.sub(r"\W+", "-", mark)])


# what the blocks leave out


class Request: ...


class Response: ...


class BadRequest(Response): ...


class InternalError(Response): ...


class TimedOut(Response): ...


class TextConverter(AbstractPacketConverter[Any, str]):
    """Packets are classes without content, so they travel by their names.

    One text is no request, and one makes the protocol crash.
    """

    def create_from_dto_packet(self, packet: str) -> Request:
        if packet == "bad":
            raise PacketConversionError("not a request")
        if packet == "crash":
            raise ZeroDivisionError
        return Request()

    def convert_to_dto_packet(self, obj: object) -> str:
        return type(obj).__name__


_OF_MODULES = {
    "asyncio": asyncio,
    "contextlib": contextlib,
    "contextvars": contextvars,
    "logging": logging,
    "traceback": traceback,
}
_OF_LIBRARY = {
    "AsyncGenerator": AsyncGenerator,
    "ClassVar": ClassVar,
    "SOL_SOCKET": SOL_SOCKET,
    "SO_PASSCRED": SO_PASSCRED,
}
_OF_OURS = (
    AsyncDatagramClient,
    AsyncDatagramRequestHandler,
    AsyncUnixDatagramServer,
    DatagramProtocol,
    DatagramProtocolParseError,
    JSONSerializer,
    RecvAncillaryDataParams,
    RecvParams,
    SCMCredentials,
    SCMRights,
    SocketAncillary,
    UNIXClientAttribute,
    UnixSocketAddress,
)
_OF_PAGE = (Request, Response, BadRequest, InternalError, TimedOut)

KNOWN: dict[str, object] = {**_OF_MODULES, **_OF_LIBRARY, **{kind.__name__: kind for kind in (*_OF_OURS, *_OF_PAGE)}}
"""What a reader of the pages has imported or defined before."""


def text_protocol() -> DatagramProtocol[Any, Any]:
    return DatagramProtocol(StringLineSerializer(), TextConverter())


def run(source: str, **names: object) -> dict[str, Any]:
    """Runs a block where everything is known that its page speaks of, and returns what it has
    defined.
    """
    known = {**KNOWN, **names}
    namespace = dict(known)
    exec(compile(source, "<block>", "exec"), namespace)  # written by the documents' authors, whom we trust
    return {name: value for name, value in namespace.items() if known.get(name) is not value}


def completed(source: str, **names: object) -> Any:
    """A request handler with the methods of a block."""
    members = {name: value for name, value in run(source, **names).items() if callable(value)}
    own = {name: value for name, value in names.items() if name in ("handle", "should_handle", "need_something_else")}
    return type("Completed", (AsyncDatagramRequestHandler,), {**own, **members})()


async def respond(self: Any, client: AsyncDatagramClient[Response]) -> AsyncGenerator[None, Request]:
    """A ``handle()`` for blocks that are about something else."""
    yield
    await client.send_packet(Response())


@asynccontextmanager
async def serving(folder: Path, handler: Any, **options: Any) -> AsyncGenerator[SocketPeer]:
    server: AsyncUnixDatagramServer[Any, Any] = AsyncUnixDatagramServer(
        folder / "app.sock", text_protocol(), handler, **options
    )
    async with running(server):
        with unix_peer(server) as peer:
            yield peer


def test_every_block_is_run() -> None:
    assert {number: len(blocks) for number, blocks in DOCUMENTS.items() if blocks} == {"002": 17}
    for blocks in DOCUMENTS.values():
        for block in blocks:
            assert sum(mark in block for mark in _CLAIMED) == 1, block


# one test for each block


@block_with('class MyRequestHandler(AsyncDatagramRequestHandler[Request, Response]):\n    """')
@pytest.mark.anyio
async def test_simple_handler(source: str, folder: Path) -> None:
    async with serving(folder, run(source)["MyRequestHandler"]()) as peer:
        assert await peer.ask("hello") == "Response"


@block_with("### Before 'yield'")
@pytest.mark.anyio
async def test_minimum_requirements(source: str, folder: Path) -> None:
    async with serving(folder, completed(source)) as peer:
        assert [await peer.ask("hello") for _ in range(3)] == ["Response"] * 3


@block_with("self.should_handle(client)")
@pytest.mark.parametrize("is_friend", [True, False])
@pytest.mark.anyio
async def test_refused_datagrams(source: str, folder: Path, is_friend: bool) -> None:
    asked: list[str] = []

    def should_handle(self: Any, client: AsyncDatagramClient[Response]) -> bool:
        asked.append(str(client.extra(UNIXClientAttribute.peer_name)))
        return is_friend

    handler = completed(source + "    await client.send_packet(Response())\n", should_handle=should_handle)
    async with serving(folder, handler) as peer:
        peer.send("hello")
        if is_friend:
            assert await peer.receive() == "Response"
        else:
            assert await peer.hears_nothing()
        assert asked == [name_of(peer)]


@block_with("except DatagramProtocolParseError:")
@pytest.mark.anyio
async def test_error_handling(source: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(folder, completed(source)) as peer:
        assert [await peer.ask(text) for text in ("good", "bad", "crash", "good")] == [
            "Response",
            "BadRequest",
            "InternalError",
            "Response",
        ]
    assert "ZeroDivisionError" in capsys.readouterr().err


@block_with("except Exception:\n    #")
@pytest.mark.anyio
async def test_errors_are_logged(source: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = "async def handle(self, client):\n    try:\n        yield\n        raise LookupError\n"
    async with serving(folder, completed(before + textwrap.indent(source, "    "))) as peer:
        assert await peer.ask("hello") == "InternalError"
    assert "LookupError" in capsys.readouterr().err


@block_with("self.need_something_else(request, client)")
@pytest.mark.anyio
async def test_more_than_one_yield(source: str, folder: Path) -> None:
    answers = iter([True, False])

    def need_something_else(self: Any, request: Request, client: AsyncDatagramClient[Response]) -> bool:
        return next(answers)

    handler = completed(source, need_something_else=need_something_else)
    async with serving(folder, handler) as peer:
        assert [await peer.ask("hello") for _ in range(3)] == ["Response"] * 3
    assert list(answers) == []


@block_with("yield RecvParams(timeout=30.0)")
@pytest.mark.anyio
async def test_yielded_timeout(source: str, folder: Path) -> None:
    async with serving(folder, completed(source)) as peer:
        assert [await peer.ask("hello") for _ in range(4)] == ["Response"] * 4


@block_with("yield RecvParams(timeout=30.0)")
@pytest.mark.anyio
async def test_yielded_timeout_that_is_over(source: str, folder: Path) -> None:
    async with serving(folder, completed(source.replace("30.0", "0.03"))) as peer:
        assert await peer.ask("hello") == "Response"
        assert await peer.receive() == "TimedOut"


@block_with("yield 30\n")
@pytest.mark.anyio
async def test_yielded_number(source: str, folder: Path) -> None:
    before = "async def handle(self, client):\n    yield None\n    await client.send_packet(Response())\n"
    handler = completed(before + textwrap.indent(source.replace("yield 30", "yield 0.03"), "    "))
    async with serving(folder, handler) as peer:
        with pytest.warns(DeprecationWarning, match="RecvParams"):
            assert await peer.ask("hello") == "Response"
        assert await peer.receive() == "TimedOut"


@block_with("ancillary.add_fds([4])")
@pytest.mark.anyio
async def test_sent_descriptor(source: str, folder: Path) -> None:
    with Pipe() as pipe:
        async with serving(folder, completed(source.replace("[4]", f"[{pipe.fd}]"))) as peer:
            peer.send("hello")
            packet, control = await peer.receive_with_control()
        write_and_close(next(control.iter_fds()), "it works")

        assert packet == "Response"
        assert await pipe.read() == "it works"


RECEIVING = "match message:"


def printing_to(printed: list[str]) -> Callable[[str], None]:
    """A `print` that closes the descriptors that it hears of: the document's handler owns them, and
    leaves that out.
    """

    def note(line: str) -> None:
        printed.append(line)
        what, _, value = line.partition(": ")
        if what == "Received file descriptor":
            os.close(int(value))

    return note


CONFIGURED = "    receive_ancillary_data=True,\n)\n"


async def received(folder: Path, configuration: str, descriptors: int) -> list[str]:
    """What the handler prints of a message with descriptors, and of its sender's credentials, on a
    server that was made by a block.
    """
    printed: list[str] = []
    (receiving,) = (block for blocks in DOCUMENTS.values() for block in blocks if RECEIVING in block)
    handler = completed(receiving, print=printing_to(printed))
    configuration = configuration.replace("/var/run/app.sock", str(folder / "app.sock"))
    made = run(configuration, SCMRecvRequestHandler=lambda: handler)
    server: AsyncUnixDatagramServer[Any, Any] = made["server"]
    async with running(server):
        for sock in server.get_sockets():
            sock.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)
        with unix_peer(server) as peer, Pipe() as pipe:
            peer.send_with_fds('"hello"', [pipe.fd] * descriptors)
            with anyio.fail_after(10):
                while len(printed) <= descriptors:
                    await anyio.lowlevel.checkpoint()
    return [re.sub(r"\d+", "N", line) for line in printed]


@block_with(CONFIGURED)
@pytest.mark.anyio
async def test_server_that_receives_control_messages(source: str, folder: Path) -> None:
    printed = await received(folder, source, 2)

    assert sorted(printed) == [
        *["Received file descriptor: N"] * 2,
        "Received unix credential: SocketCredential(pid=N, uid=N, gid=N)",
    ]


@block_with("ancillary_bufsize=CMSG_LEN(max_fds * 4)")
@pytest.mark.anyio
async def test_server_with_room_for_more_descriptors(source: str, folder: Path) -> None:
    source = source.replace("max_fds * 4", "max_fds * 4) + CMSG_LEN(12 + 8")  # and for the credentials
    printed = await received(folder, source, 128)

    assert printed.count("Received file descriptor: N") == 128


@block_with(RECEIVING)
@pytest.mark.anyio
async def test_received_control_messages(source: str, folder: Path) -> None:
    handler = completed(source + "    await client.send_packet(Response())\n", print=printing_to([]))
    async with serving(folder, handler, receive_ancillary_data=True) as peer:
        with Pipe() as pipe:
            peer.send_with_fds("hello", [pipe.fd])
            assert await peer.receive() == "Response"
        assert await peer.ask("without") == "Response"


@block_with("{client_address} sent {request}")
@pytest.mark.anyio
async def test_client_metadata(source: str, folder: Path) -> None:
    printed: list[str] = []
    async with serving(folder, completed(source, print=printed.append)) as peer:
        assert await peer.ask("hello") == "Response"
        (line,) = printed
        assert line.startswith(f"{name_of(peer)} sent <")


@on_asyncio
@block_with("asyncio.TaskGroup()")
@pytest.mark.anyio
async def test_service_initialization(source: str, folder: Path) -> None:
    printed: list[str] = []
    handler = completed(source, handle=respond, print=printed.append)
    async with serving(folder, handler) as peer:
        assert await peer.ask("hello") == "Response"
        assert len([task for task in asyncio.all_tasks() if "_service_actions" in repr(task)]) == 1
        assert printed == []
    assert printed == ["Service stopped"]


@block_with("sock.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)")
@pytest.mark.anyio
async def test_low_level_socket_operations(source: str, folder: Path) -> None:
    options: list[int] = []

    async def handle(self: Any, client: AsyncDatagramClient[Response]) -> AsyncGenerator[None, Request]:
        sock = client.extra(UNIXClientAttribute.socket)
        options.append(sock.getsockopt(SOL_SOCKET, SO_PASSCRED))
        yield
        await client.send_packet(Response())

    async with serving(folder, completed(source, handle=handle)) as peer:
        assert await peer.ask("hello") == "Response"
    assert options == [1]


@block_with("class ClientContextRequestHandler")
@pytest.mark.anyio
async def test_context_variables(source: str, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ClientContextRequestHandler")
    async with serving(folder, run(source)["ClientContextRequestHandler"]()) as peer:
        assert await peer.ask("hello") == "Response"
        (line,) = (record.getMessage() for record in caplog.records if record.name == "ClientContextRequestHandler")
        assert line.startswith(f"From {name_of(peer)}: Received request: <")


PROTOCOL = """
from easynetwork.converter import AbstractPacketConverter
from easynetwork.serializers import StringLineSerializer


class Texts(AbstractPacketConverter):
    def create_from_dto_packet(self, packet):
        return Request()

    def convert_to_dto_packet(self, obj):
        return type(obj).__name__


"""


@block_with('if __name__ == "__main__":')
def test_server_program(source: str, folder: Path) -> None:
    """Without its protocol, which the document leaves out."""
    source = source.replace("/var/run/app/app.sock", str(folder / "app.sock"))
    before, _, after = source.partition("class MyRequestHandler")
    source = f"{before}{PROTOCOL}class MyRequestHandler{after}"
    source = source.replace(
        "__init__(self) -> None: ...", "__init__(self): super().__init__(StringLineSerializer(), Texts())"
    )
    with (
        serving_program(folder / "program.py", source) as (process, _),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock,
    ):
        sock.settimeout(10)
        sock.bind("")
        sock.sendto(b"hello", str(folder / "app.sock"))
        assert sock.recv(100) == b"Response"
        process.send_signal(signal.SIGINT)
        process.wait(10)
    assert not (folder / "app.sock").exists()
