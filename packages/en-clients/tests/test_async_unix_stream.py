# SPDX-License-Identifier: Apache-2.0
"""The asynchronous client of Unix streams: names, control data, and what closing leaves.

The rest is as for TCP (test_async_tcp.py).
"""

from __future__ import annotations

import errno
import gc
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from easynetwork.ancillary import SocketAncillary
from easynetwork.clients import _arguments
from easynetwork.clients.async_unix_stream import AsyncUnixStreamClient
from easynetwork.exceptions import (
    ClientClosedError,
    StreamProtocolParseError,
    TruncatedStreamError,
    UnsupportedOperation,
)
from easynetwork.lowlevel.socket import UnixCredentials, UnixSocketAddress
from easynetwork.protocol import AnyStreamProtocolType

pytestmark = pytest.mark.anyio

linux_only = pytest.mark.skipif("sys.platform != 'linux'", reason="only Linux has it")

Client = AsyncUnixStreamClient[str, str]
Protocol = AnyStreamProtocolType[str, str]
CountDescriptors = Callable[[], int]


@pytest.fixture
def ours(unix_streams: tuple[socket.socket, socket.socket]) -> socket.socket:
    return unix_streams[0]


@pytest.fixture
def peer(unix_streams: tuple[socket.socket, socket.socket]) -> socket.socket:
    return unix_streams[1]


@pytest.fixture
async def client(ours: socket.socket, protocol: Protocol) -> AsyncIterator[Client]:
    async with AsyncUnixStreamClient(ours, protocol) as client:
        yield client


@pytest.fixture
def server(folder: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.bind(str(folder / "server"))
        sock.listen()
        yield sock


async def let_others_run() -> None:
    """Until they wait for something that needs another event of the loop."""
    for _ in range(10):
        await checkpoint()


async def error_of(operation: Callable[[], Any], errors: list[BaseException]) -> None:
    try:
        await operation()
    except Exception as exc:
        errors.append(exc)


def is_same_file(fd: int, sock: socket.socket) -> bool:
    return os.path.sameopenfile(fd, sock.fileno())


def close_all(ancillary: SocketAncillary) -> int:
    """How many descriptors there were."""
    fds = list(ancillary.iter_fds())
    for fd in fds:
        os.close(fd)
    return len(fds)


# construction and connecting


@pytest.mark.parametrize("form", [str, os.fsencode, Path, UnixSocketAddress.from_pathname])
async def test_a_path_is_connected_to_on_demand(
    form: Callable[[str], Any], server: socket.socket, protocol: Protocol
) -> None:
    client: Client = AsyncUnixStreamClient(form(server.getsockname()), protocol)
    with pytest.raises(AttributeError):
        _ = client.socket
    for get in (client.get_local_name, client.get_peer_name, client.get_peer_credentials):
        with pytest.raises(OSError, match="not connected") as caught:
            get()
        assert caught.value.errno == errno.ENOTCONN

    await client.send_packet("spam")

    with server.accept()[0] as peer:
        peer.sendall(b"ham\n")
        assert peer.recv(100) == b"spam\n"
        assert await client.recv_packet() == "ham"
        assert client.get_peer_name() == UnixSocketAddress.from_pathname(server.getsockname())
        assert client.get_local_name().is_unnamed()
        assert client.socket.family == socket.AF_UNIX
        await client.aclose()


async def test_the_file_of_the_local_path_is_removed_by_closing(
    server: socket.socket, folder: Path, protocol: Protocol
) -> None:
    path = folder / "client"
    async with AsyncUnixStreamClient(server.getsockname(), protocol, local_path=path) as client:
        assert path.is_socket()
        assert client.get_local_name().as_pathname() == path

    assert not path.exists()


@pytest.mark.parametrize("given", [None, 1, ("localhost", 80)])
async def test_anything_but_a_path_or_a_socket_is_refused(given: Any, protocol: Protocol) -> None:
    with pytest.raises(TypeError, match="address_or_socket"):
        AsyncUnixStreamClient(given, protocol)


@pytest.mark.parametrize("options", [{"max_recv_size": 0}, {"local_path": 1}, {"backend": "nonsense"}])
async def test_a_given_socket_is_closed_if_an_option_is_refused(
    options: dict[str, Any], ours: socket.socket, protocol: Protocol
) -> None:
    with pytest.raises(Exception, match=next(iter(options))):
        AsyncUnixStreamClient(ours, protocol, **options)

    assert ours.fileno() == -1


async def test_without_unix_sockets_construction_is_an_error(
    monkeypatch: pytest.MonkeyPatch, ours: socket.socket, protocol: Protocol
) -> None:
    monkeypatch.setattr(_arguments, "_UNIX", None)

    with pytest.raises(UnsupportedOperation):
        AsyncUnixStreamClient(ours, protocol)


@linux_only
async def test_the_kernel_tells_who_the_peer_is(client: Client) -> None:
    credentials = client.get_peer_credentials()

    assert credentials == UnixCredentials(os.getpid(), os.geteuid(), os.getegid())
    await client.aclose()
    assert client.get_peer_credentials() is credentials


# sending


async def test_descriptors_leave_with_their_packet(client: Client, peer: socket.socket) -> None:
    ancillary = SocketAncillary()
    ancillary.add_fds([peer.fileno()])
    for data in (ancillary, ancillary.as_raw()):
        await client.send_packet("spam", ancillary_data=data)

        received, fds, _, _ = socket.recv_fds(peer, 100, 10)
        assert received == b"spam\n"
        assert is_same_file(fds[0], peer)
        os.close(*fds)
    with pytest.raises(TypeError, match="ancillary_data"):
        await client.send_packet("bad", ancillary_data=[1])  # type: ignore[list-item]  # what is tested


async def test_a_packet_that_cannot_leave_whole_with_its_control_data_breaks_the_connection(client: Client) -> None:
    with pytest.raises(OSError, match=r".+") as caught:
        await client.send_packet("x" * 5_000_000, ancillary_data=[])

    assert caught.value.errno == errno.EMSGSIZE
    with pytest.raises(ConnectionAbortedError):
        await client.send_packet("y")
    with pytest.raises(ConnectionAbortedError):
        await client.recv_packet()


async def test_the_sending_side_can_end_alone(client: Client, peer: socket.socket) -> None:
    await client.send_eof()

    with pytest.raises(RuntimeError, match="send_eof"):
        await client.send_packet("too late", ancillary_data=[])
    assert peer.recv(100) == b""
    peer.sendall(b"answer\n")
    assert await client.recv_packet() == "answer"


# receiving


async def test_descriptors_come_with_their_packet(client: Client, peer: socket.socket) -> None:
    ancillary = SocketAncillary()
    socket.send_fds(peer, [b"spam\n"], [peer.fileno()] * 2)

    assert await client.recv_packet(ancillary_data=ancillary) == "spam"
    for fd in ancillary.iter_fds():
        assert not os.get_inheritable(fd)
        assert is_same_file(fd, peer)
    assert close_all(ancillary) == 2


async def test_a_plain_reception_closes_the_control_data_of_its_packet(
    client: Client, peer: socket.socket, count_descriptors: CountDescriptors
) -> None:
    before = count_descriptors()
    for _ in range(2):
        socket.send_fds(peer, [b"spam\n"], [peer.fileno()] * 3)

    assert await client.recv_packet() == "spam"
    assert [packet async for packet in client.iter_received_packets()] == ["spam"]
    assert count_descriptors() == before


async def test_control_data_waits_for_its_own_packet(
    client: Client, peer: socket.socket, count_descriptors: CountDescriptors
) -> None:
    before = count_descriptors()
    peer.sendall(b"first\n")
    socket.send_fds(peer, [b"second\n"], [peer.fileno()])
    socket.send_fds(peer, [b"third\n"], [peer.fileno()] * 2)
    peer.sendall(b"fourth\n")
    counts: list[int] = []

    assert await client.recv_packet() == "first"
    for packet in ("second", "third", "fourth"):
        ancillary = SocketAncillary()
        assert await client.recv_packet(ancillary_data=ancillary) == packet
        counts.append(close_all(ancillary))
    assert counts == [1, 2, 0]
    assert count_descriptors() == before


async def test_half_a_packet_with_control_data_is_an_error_and_loses_no_bytes(
    client: Client, peer: socket.socket, count_descriptors: CountDescriptors
) -> None:
    before = count_descriptors()
    ancillary = SocketAncillary()
    socket.send_fds(peer, [b"ha"], [peer.fileno()])

    with pytest.raises(EOFError):
        await client.recv_packet(ancillary_data=ancillary)
    assert count_descriptors() == before
    peer.sendall(b"m\n")
    assert await client.recv_packet(ancillary_data=ancillary) == "ham"
    assert not list(ancillary.iter_fds())


async def test_a_cancelled_reception_has_lost_nothing(client: Client, peer: socket.socket) -> None:
    ancillary = SocketAncillary()
    socket.send_fds(peer, [b"ha"], [peer.fileno()])
    with anyio.move_on_after(0.01):
        await client.recv_packet()
    peer.sendall(b"m\n")

    assert await client.recv_packet(ancillary_data=ancillary) == "ham"
    assert close_all(ancillary) == 1


async def test_control_data_of_a_bad_frame_is_closed(
    client: Client, peer: socket.socket, count_descriptors: CountDescriptors
) -> None:
    before = count_descriptors()
    ancillary = SocketAncillary()
    for _ in range(2):
        socket.send_fds(peer, [b"\xff\n"], [peer.fileno()])
    socket.send_fds(peer, [b"good\n"], [peer.fileno()])

    with pytest.raises(StreamProtocolParseError):
        await client.recv_packet()
    with pytest.raises(StreamProtocolParseError):
        await client.recv_packet(ancillary_data=ancillary)
    assert await client.recv_packet(ancillary_data=ancillary) == "good"
    assert close_all(ancillary) == 1
    assert count_descriptors() == before


async def test_control_data_that_was_cut_off_is_an_error_and_what_came_is_closed(
    client: Client, peer: socket.socket, count_descriptors: CountDescriptors, one_descriptor_left: Callable[[], Any]
) -> None:
    before = count_descriptors()
    ancillary = SocketAncillary()
    socket.send_fds(peer, [b"spam\n"], [0, 1, 2])

    with one_descriptor_left(), pytest.raises(OSError, match="cut off") as caught:
        await client.recv_packet(ancillary_data=ancillary)
    assert caught.value.errno == errno.EMSGSIZE
    assert not list(ancillary.iter_fds())
    assert count_descriptors() == before
    peer.sendall(b"next\n")
    assert await client.recv_packet(ancillary_data=ancillary) == "next"


async def test_the_buffer_for_control_data_can_be_made_larger(client: Client, peer: socket.socket) -> None:
    ancillary = SocketAncillary()
    socket.send_fds(peer, [b"spam\n"], [0] * 253)

    assert await client.recv_packet(ancillary_data=ancillary, ancillary_bufsize=100_000) == "spam"
    assert close_all(ancillary) == 253
    with pytest.raises(ValueError, match="ancillary_bufsize"):
        await client.recv_packet(ancillary_bufsize=100_000)


# the end


async def test_an_orderly_end_is_told_from_a_truncated_packet(client: Client, peer: socket.socket) -> None:
    peer.sendall(b"whole\nhal")
    peer.close()

    assert await client.recv_packet() == "whole"
    with pytest.raises(TruncatedStreamError):
        await client.recv_packet(ancillary_data=SocketAncillary())


async def test_a_peer_that_reads_late_has_everything(client: Client, peer: socket.socket) -> None:
    """Closing does not wait for it, and unread input does not make the end a reset."""
    peer.sendall(b"unread\n")
    await client.send_packet("x" * 50_000)
    await client.aclose()
    with peer.makefile("rb") as lines:
        assert lines.read() == b"x" * 50_000 + b"\n"


@pytest.mark.parametrize("cancelled", [False, True])
async def test_closing_closes_control_data_that_waits(client: Client, peer: socket.socket, cancelled: bool) -> None:
    reader, writer = socket.socketpair()
    with reader, writer:
        peer.sendall(b"first\n")
        socket.send_fds(peer, [b"second\n"], [writer.fileno()])
        writer.close()
        assert await client.recv_packet() == "first"
        with anyio.CancelScope() as scope:
            if cancelled:
                scope.cancel()
            await client.aclose()

        assert reader.recv(1) == b""  # nobody has the other end


async def test_tasks_that_receive_are_woken_by_closing(client: Client) -> None:
    errors: list[BaseException] = []
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(error_of, lambda: client.recv_packet(ancillary_data=SocketAncillary()), errors)
        await let_others_run()
        await client.aclose()

    assert [type(error) for error in errors] == [ClientClosedError] * 2
    with pytest.raises(ClientClosedError):
        await client.send_packet("x", ancillary_data=[])


async def test_a_collected_client_warns_and_closes_everything(
    ours: socket.socket, peer: socket.socket, protocol: Protocol
) -> None:
    reader, writer = socket.socketpair()

    async def forget() -> None:
        peer.sendall(b"first\n")
        socket.send_fds(peer, [b"second\n"], [writer.fileno()])
        writer.close()
        await AsyncUnixStreamClient(ours, protocol).recv_packet()
        gc.collect()

    with reader, writer:
        with pytest.warns(ResourceWarning, match="unclosed client"):
            await forget()

        assert ours.fileno() == -1
        assert reader.recv(1) == b""
