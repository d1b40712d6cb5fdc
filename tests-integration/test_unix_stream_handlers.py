# SPDX-License-Identifier: Apache-2.0
"""What a connection over a Unix socket has beyond TCP: names, credentials, and descriptors that
stay with their packets.
"""

from __future__ import annotations

import array
import contextlib
import contextvars
import itertools
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from socket import SCM_RIGHTS, SO_PASSCRED, SOL_SOCKET
from typing import Any

import anyio
import pytest
from datagram_peers import LineSocketPeer, Pipe, unix_stream_peer, write_and_close
from running_server import running

from easynetwork.exceptions import StreamProtocolParseError, TypedAttributeLookupError
from easynetwork.lowlevel.request_handler import RecvAncillaryDataParams, RecvParams
from easynetwork.lowlevel.socket import (
    SCMCredentials,
    SCMRights,
    SocketAncillary,
    SocketCredential,
    UnixCredentials,
    UnixSocketAddress,
)
from easynetwork.protocol import AnyStreamProtocolType, BufferedStreamProtocol, StreamProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers.async_unix_stream import AsyncUnixStreamServer
from easynetwork.servers.handlers import (
    AsyncStreamClient,
    AsyncStreamRequestHandler,
    INETClientAttribute,
    UNIXClientAttribute,
)

in_event_loop = pytest.mark.anyio

Server = AsyncUnixStreamServer[str, str]
Handler = AsyncStreamRequestHandler[str, str]
Client = AsyncStreamClient[str]
Protocol = AnyStreamProtocolType[str, str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.sock"


@pytest.fixture(params=[StreamProtocol, BufferedStreamProtocol])
def protocol(request: pytest.FixtureRequest) -> Protocol:
    return request.param(StringLineSerializer())  # type: ignore[no-any-return]  # what a request's parameter is


@asynccontextmanager
async def serving(
    path: Any, handler: Handler, protocol: Protocol | None = None, **options: Any
) -> AsyncGenerator[tuple[Server, LineSocketPeer]]:
    """A running server with one peer."""
    server: Server = AsyncUnixStreamServer(path, protocol or StreamProtocol(StringLineSerializer()), handler, **options)
    async with running(server):
        with unix_stream_peer(server) as peer:
            yield server, peer


class Echo(Handler):
    async def handle(self, client: Client) -> AsyncGenerator[Any, str]:
        request = yield
        await client.send_packet(request)


# Using handle() Generator


@in_event_loop
async def test_requests_are_answered_one_after_another(path: Path, protocol: Protocol) -> None:
    async with serving(path, Echo(), protocol) as (_, peer):
        assert await peer.ask("hello") == "hello"
        peer.send("a", "", "b")
        assert [await peer.receive() for _ in range(3)] == ["a", "", "b"]


@in_event_loop
async def test_hooks_are_called_around_the_conversation(path: Path) -> None:
    calls: list[str] = []
    gone = anyio.Event()

    class Hooked(Echo):
        async def on_connection(self, client: Client) -> AsyncGenerator[None, str]:
            name = yield
            calls.append("on_connection")
            await client.send_packet(f"hello {name}")

        async def on_disconnection(self, client: Client) -> None:
            calls.append("on_disconnection")
            gone.set()

    async with serving(path, Hooked()) as (_, peer):
        assert await peer.ask("me") == "hello me"
        assert await peer.ask("x") == "x"
        peer.sock.close()
        await gone.wait()

    assert calls == ["on_connection", "on_disconnection"]


@in_event_loop
async def test_closing_the_client_and_refusing_it(path: Path) -> None:
    class Closing(Handler):
        async def handle(self, client: Client) -> AsyncGenerator[None, str]:
            async with contextlib.aclosing(client):
                request = yield
                await client.send_packet(request)

    class Refusing(Handler):
        async def handle(self, client: Client) -> AsyncGenerator[None, str]:
            if client.is_closing():  # never: but it makes this a generator
                yield

    async with serving(path, Closing()) as (_, peer):
        assert await peer.ask("once") == "once"
        assert await peer.is_closed()
    async with serving(path, Refusing()) as (_, peer):
        assert await peer.is_closed()


@in_event_loop
async def test_a_bad_frame_is_thrown_in_and_reading_goes_on(path: Path, protocol: Protocol) -> None:
    class Careful(Handler):
        async def handle(self, client: Client) -> AsyncGenerator[None, str]:
            try:
                request = yield
            except StreamProtocolParseError:
                request = "bad request"
            await client.send_packet(request)

    async with serving(path, Careful(), protocol) as (_, peer):
        peer.send("a", "\N{SNOWMAN}", "b")  # the second is not ASCII
        assert [await peer.receive() for _ in range(3)] == ["a", "bad request", "b"]


@in_event_loop
async def test_a_packet_that_does_not_come_in_time_is_a_timeout_at_the_yield(path: Path) -> None:
    class Impatient(Handler):
        async def handle(self, client: Client) -> AsyncGenerator[Any, str]:
            try:
                yield RecvParams(timeout=0.02)
            except TimeoutError:
                await client.send_packet("timed out")
            request = yield
            await client.send_packet(request)

    async with serving(path, Impatient()) as (_, peer):
        assert await peer.receive() == "timed out"
        assert await peer.ask("x") == "x"


who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


@in_event_loop
async def test_context_variables_belong_to_the_connection(path: Path) -> None:
    class Remembering(Handler):
        async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Any) -> None:
            who.set("service")

        async def handle(self, client: Client) -> AsyncGenerator[None, str]:
            request = yield
            await client.send_packet(who.get())
            who.set(request)

    async with serving(path, Remembering()) as (server, first):
        with unix_stream_peer(server) as second:
            assert [await first.ask("one"), await first.ask("two")] == ["service", "one"]
            assert await second.ask("three") == "service"


# Client Metadata


@in_event_loop
async def test_client_metadata(path: Path, tmp_path: Path) -> None:
    class Telling(Handler):
        async def handle(self, client: Client) -> AsyncGenerator[None, str]:
            yield
            assert client.extra(UNIXClientAttribute.local_name) == UnixSocketAddress.from_pathname(path)
            assert client.extra(UNIXClientAttribute.socket).getsockname() == str(path)
            with pytest.raises(TypedAttributeLookupError):
                client.extra(INETClientAttribute.remote_address)
            await client.send_packet(str(client.extra(UNIXClientAttribute.peer_name)))

    async with serving(path, Telling()) as (server, unnamed):
        assert await unnamed.ask("x") == "<unnamed>"
        with unix_stream_peer(server, bound_to=str(tmp_path / "peer.sock")) as peer:
            assert await peer.ask("x") == str(tmp_path / "peer.sock")
        with unix_stream_peer(server, bound_to="\0easynetwork peer") as peer:
            assert await peer.ask("x") == "@easynetwork peer"


@in_event_loop
async def test_peer_credentials_are_known_also_when_the_peer_is_gone(path: Path) -> None:
    told: list[UnixCredentials] = []
    gone = anyio.Event()

    class Asking(Echo):
        async def on_disconnection(self, client: Client) -> None:
            told.append(client.extra(UNIXClientAttribute.peer_credentials))
            told.append(client.extra(UNIXClientAttribute.peer_credentials))
            gone.set()

    async with serving(path, Asking()) as (_, peer):
        await peer.ask("x")
        peer.sock.close()
        await gone.wait()

    assert told == [UnixCredentials(os.getpid(), os.getuid(), os.getgid())] * 2
    assert told[0] is told[1]


@in_event_loop
async def test_abstract_names_and_automatic_binding() -> None:
    name = UnixSocketAddress.from_abstract_name(f"easynetwork test {os.getpid()}")
    async with serving(name, Echo()) as (server, peer):
        assert server.get_addresses() == (name,)
        assert await peer.ask("x") == "x"

    async with serving("", Echo()) as (server, peer):
        assert server.get_addresses()[0].as_abstract_name()
        assert await peer.ask("x") == "x"


@in_event_loop
async def test_mode_gives_the_socket_file_its_permissions(path: Path) -> None:
    async with serving(path, Echo(), mode=0o660):
        assert os.stat(path).st_mode & 0o777 == 0o660


# Sending Packets with socket control messages


@in_event_loop
@pytest.mark.parametrize("form", ["record", "raw"])
async def test_sending_packets_with_socket_control_messages(path: Path, form: str) -> None:
    class SCMSendRequestHandler(Handler):
        async def handle(self, client: Client) -> AsyncGenerator[None, str]:
            request = yield

            ancillary = SocketAncillary()
            ancillary.add_fds([pipe.fd])
            raw = [(SOL_SOCKET, SCM_RIGHTS, array.array("i", [pipe.fd]).tobytes())]
            await client.send_packet("before")
            await client.send_packet_with_ancillary(request, ancillary if form == "record" else raw)
            await client.send_packet("after")

    with Pipe() as pipe:
        async with serving(path, SCMSendRequestHandler()) as (_, peer):
            peer.send("with a descriptor")
            received, control = await peer.receive_with_control()
            while not received.endswith("after\n"):
                more, other = await peer.receive_with_control()
                received += more
                control.update_from_raw(other.as_raw())

        assert received == "before\nwith a descriptor\nafter\n"
        (fd,) = control.iter_fds()
        write_and_close(fd, "it works")
        assert await pipe.read() == "it works"


@in_event_loop
async def test_control_messages_do_not_overtake_answers_that_are_held_back(path: Path) -> None:
    """Those to requests that came together leave together, but for this one."""

    class OneWithDescriptor(Handler):
        async def handle(self, client: Client) -> AsyncGenerator[None, str]:
            request = yield
            if request == "descriptor":
                ancillary = SocketAncillary()
                ancillary.add_fds([pipe.fd])
                await client.send_packet_with_ancillary(request, ancillary)
            else:
                await client.send_packet(request)

    with Pipe() as pipe:
        async with serving(path, OneWithDescriptor()) as (_, peer):
            peer.sock.send(b"one\ntwo\ndescriptor\nthree\nfour\n")
            received, control = await peer.receive_with_control()
            while not received.endswith("four\n"):
                more, other = await peer.receive_with_control()
                received += more
                control.update_from_raw(other.as_raw())

        assert received == "one\ntwo\ndescriptor\nthree\nfour\n"
        (fd,) = control.iter_fds()
        write_and_close(fd, "it works")
        assert await pipe.read() == "it works"


@in_event_loop
async def test_a_packet_with_control_messages_leaves_in_one_call_or_is_an_oserror(path: Path) -> None:
    """What has left of it is a fragment, so nothing may follow."""
    errors: list[BaseException] = []
    tried = anyio.Event()

    class Large(Handler):
        async def handle(self, client: Client) -> AsyncGenerator[None, str]:
            yield
            try:
                await client.send_packet_with_ancillary("x" * 10_000_000, [])
            except OSError as exc:
                errors.append(exc)
            assert client.is_closing()

        async def on_disconnection(self, client: Client) -> None:
            tried.set()

    async with serving(path, Large()) as (_, peer):
        peer.send("much, please")
        await tried.wait()

    assert "could leave together with control messages" in str(errors[0])


# Receiving Packets with socket control messages


class Receiving(Handler):
    """Asks for control messages before each packet, or not, as ``pattern`` says; writes into what
    it gets.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = itertools.cycle(pattern)

    async def handle(self, client: Client) -> AsyncGenerator[RecvParams | None, str]:
        for kind in self._pattern:
            ancillary = SocketAncillary()
            with_control = RecvParams(recv_with_ancillary=RecvAncillaryDataParams(ancillary.update_from_raw))
            try:
                request = yield with_control if kind == "c" else None
            except (OSError, StreamProtocolParseError) as exc:
                request = f"{type(exc).__name__}: {exc}"
            got = 0
            for fd in ancillary.iter_fds():
                assert not os.get_inheritable(fd)
                write_and_close(fd, request)
                got += 1
            await client.send_packet(f"{request} {got}")


@in_event_loop
async def test_receiving_packets_with_socket_control_messages(path: Path, protocol: Protocol) -> None:
    async with serving(path, Receiving("c"), protocol) as (_, peer):
        with Pipe() as pipe:
            peer.send_with_fds("one", [pipe.fd])
            assert await peer.receive() == "one 1"
            assert await pipe.read() == "one"
        assert await peer.ask("none") == "none 0"


@in_event_loop
@pytest.mark.parametrize("pattern", ["cc", "pc", "cp", "pp"])
async def test_descriptors_of_two_packets_that_arrive_together(path: Path, protocol: Protocol, pattern: str) -> None:
    """Each goes to who asked for its packet; those nobody asked for are closed."""
    async with serving(path, Receiving(pattern), protocol) as (_, peer):
        with Pipe() as one, Pipe() as two:
            peer.send_with_fds("one", [one.fd])
            peer.send_with_fds("two", [two.fd])
            answers = [await peer.receive(), await peer.receive()]

            assert answers == [f"one {pattern[0].count('c')}", f"two {pattern[1].count('c')}"]
            assert await one.read() == ("one" if pattern[0] == "c" else "")
            assert await two.read() == ("two" if pattern[1] == "c" else "")


@in_event_loop
@pytest.mark.parametrize("pattern", ["pc", "cp", "cc"])
@pytest.mark.parametrize("with_descriptors", [0, 1])
async def test_descriptors_of_one_of_two_packets_that_arrive_together(
    path: Path, protocol: Protocol, pattern: str, with_descriptors: int
) -> None:
    async with serving(path, Receiving(pattern), protocol) as (_, peer):
        with Pipe() as pipe:
            for number, word in enumerate(("one", "two")):
                if number == with_descriptors:
                    peer.send_with_fds(word, [pipe.fd, pipe.fd])
                else:
                    peer.send(word)
            wanted = [2 * (number == with_descriptors and pattern[number] == "c") for number in range(2)]

            assert [await peer.receive(), await peer.receive()] == [f"one {wanted[0]}", f"two {wanted[1]}"]
            assert await pipe.read() == "one" * wanted[0] + "two" * wanted[1]


@in_event_loop
@pytest.mark.parametrize("pattern", ["ppp", "cpp", "pcp", "ppc", "ccc"])
async def test_descriptors_of_the_middle_one_of_three_packets(path: Path, protocol: Protocol, pattern: str) -> None:
    async with serving(path, Receiving(pattern), protocol) as (_, peer):
        with Pipe() as pipe:
            peer.send("one")
            peer.send_with_fds("two", [pipe.fd])
            peer.send("three")
            wanted = int(pattern[1] == "c")

            assert [await peer.receive() for _ in range(3)] == ["one 0", f"two {wanted}", "three 0"]
            assert await pipe.read() == "two" * wanted


@in_event_loop
async def test_descriptors_of_packets_in_one_call_are_the_first_packet_s_or_the_last_s(
    path: Path, protocol: Protocol
) -> None:
    """A sender that puts several packets into one call leaves open which of them is meant; nothing
    is lost.
    """
    async with serving(path, Receiving("c"), protocol) as (_, peer):
        with Pipe() as pipe:
            peer.send_with_fds("one\ntwo", [pipe.fd])
            answers = [await peer.receive(), await peer.receive()]

            assert sorted(answer[-1] for answer in answers) == ["0", "1"]
            assert await pipe.read() in ("one", "two")


@in_event_loop
async def test_descriptors_of_a_packet_in_pieces_wait_for_its_end(path: Path, protocol: Protocol) -> None:
    async with serving(path, Receiving("c"), protocol) as (_, peer):
        with Pipe() as first, Pipe() as second:
            socket.send_fds(peer.sock, [b"in "], [first.fd])
            assert await peer.hears_nothing()
            socket.send_fds(peer.sock, [b"pieces\n"], [second.fd])
            assert await peer.receive() == "in pieces 2"
            assert await first.read() == "in pieces"
            assert await second.read() == "in pieces"


@in_event_loop
@pytest.mark.parametrize("end", ["peer", "server"])
async def test_descriptors_of_half_a_packet_are_closed_with_the_connection(
    path: Path, protocol: Protocol, end: str
) -> None:
    async with serving(path, Receiving("c"), protocol) as (server, peer):
        with Pipe() as pipe:
            assert await peer.ask("x") == "x 0"
            socket.send_fds(peer.sock, [b"half"], [pipe.fd])
            assert await peer.hears_nothing()
            if end == "peer":
                peer.sock.close()
            else:
                await server.shutdown()
            assert await pipe.read() == ""


@in_event_loop
async def test_descriptors_that_wait_are_closed_when_the_handler_gives_up(path: Path, protocol: Protocol) -> None:
    class Raising(Handler):
        async def handle(self, client: Client) -> AsyncGenerator[None, str]:
            yield
            raise LookupError

    async with serving(path, Raising(), protocol) as (_, peer):
        with Pipe() as first, Pipe() as second:
            peer.send_with_fds("one", [first.fd])
            peer.send_with_fds("two", [second.fd])
            assert [await first.read(), await second.read()] == ["", ""]


@in_event_loop
async def test_descriptors_of_a_bad_frame_are_closed_and_the_next_packet_has_its_own(
    path: Path, protocol: Protocol
) -> None:
    async with serving(path, Receiving("c"), protocol) as (_, peer):
        with Pipe() as first, Pipe() as second:
            peer.send_with_fds("\N{SNOWMAN}", [first.fd])
            peer.send_with_fds("good", [second.fd])
            assert (await peer.receive()).startswith("StreamProtocolParseError")
            assert await peer.receive() == "good 1"
            assert [await first.read(), await second.read()] == ["", "good"]


@in_event_loop
async def test_a_timeout_leaves_descriptors_with_their_packet(path: Path, protocol: Protocol) -> None:
    class Impatient(Handler):
        async def handle(self, client: Client) -> AsyncGenerator[RecvParams, str]:
            ancillary = SocketAncillary()
            params = RecvAncillaryDataParams(ancillary.update_from_raw)
            with pytest.raises(TimeoutError):
                yield RecvParams(timeout=0.02, recv_with_ancillary=params)
            assert not list(ancillary.iter_fds())
            await client.send_packet("timed out")
            request = yield RecvParams(recv_with_ancillary=params)
            for fd in ancillary.iter_fds():
                write_and_close(fd, request)
            await client.send_packet(request)

    async with serving(path, Impatient(), protocol) as (_, peer):
        with Pipe() as pipe:
            socket.send_fds(peer.sock, [b"in "], [pipe.fd])
            assert await peer.receive() == "timed out"
            peer.send("time")
            assert await peer.receive() == "in time"
            assert await pipe.read() == "in time"


@in_event_loop
async def test_a_control_callback_that_raises_is_a_runtime_error_and_owns_nothing(
    path: Path, protocol: Protocol
) -> None:
    class Raising(Handler):
        async def handle(self, client: Client) -> AsyncGenerator[RecvParams | None, str]:
            def fail(_: object) -> None:
                raise ZeroDivisionError

            with pytest.raises(RuntimeError) as caught:
                yield RecvParams(recv_with_ancillary=RecvAncillaryDataParams(fail))
            assert isinstance(caught.value.__cause__, ZeroDivisionError)
            await client.send_packet(str(caught.value))
            request = yield None
            await client.send_packet(request)

    async with serving(path, Raising(), protocol) as (_, peer):
        with Pipe() as pipe:
            peer.send_with_fds("x", [pipe.fd])
            assert await peer.receive() == "RecvAncillaryDataParams.data_received() crashed"
            assert await pipe.read() == ""
            assert await peer.ask("y") == "y"


@in_event_loop
async def test_control_messages_that_are_cut_off_are_an_error_and_the_connection_goes_on(
    path: Path, protocol: Protocol
) -> None:
    """``MSG_CTRUNC``: what did arrive is closed."""
    async with serving(path, Receiving("c"), protocol, ancillary_bufsize=socket.CMSG_LEN(4)) as (_, peer):
        with Pipe() as pipe, Pipe() as other:
            peer.send_with_fds("too many", [pipe.fd] * 3)
            peer.send_with_fds("one", [other.fd])
            answer = await peer.receive()
            assert answer.startswith("OSError: [Errno 90]")
            assert "ancillary_bufsize is too small" in answer
            assert await peer.receive() == "one 1"
            assert await pipe.read() == ""
            assert await other.read() == "one"


# Low-Level Socket Operations


@in_event_loop
async def test_credentials_of_each_packet(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class PassCredentials(Handler):
        async def service_init(self, exit_stack: contextlib.AsyncExitStack, server: Server) -> None:
            for sock in server.get_sockets():
                # Enable SO_PASSCRED in order to use SCMCredentials
                sock.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)

        async def handle(self, client: Client) -> AsyncGenerator[RecvParams, str]:
            ancillary = SocketAncillary()
            request = yield RecvParams(recv_with_ancillary=RecvAncillaryDataParams(ancillary.update_from_raw))

            for message in ancillary.messages():
                match message:
                    case SCMRights(fds):
                        raise AssertionError(f"nobody has sent {fds}")
                    case SCMCredentials(credentials):
                        for ucred in credentials:
                            print(f"Received unix credential: {ucred}")
            await client.send_packet(request)

    async with serving(path, PassCredentials()) as (_, peer):
        peer.send("one", "two")
        assert [await peer.receive(), await peer.receive()] == ["one", "two"]

    credential = SocketCredential(os.getpid(), os.getuid(), os.getgid())
    assert capsys.readouterr().out == f"Received unix credential: {credential}\n" * 2
