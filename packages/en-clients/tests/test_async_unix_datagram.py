# SPDX-License-Identifier: Apache-2.0
"""The asynchronous client of Unix datagrams: names, full queues, control data.

The rest is as for UDP (test_async_udp.py).
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
from easynetwork.clients.async_unix_datagram import AsyncUnixDatagramClient
from easynetwork.exceptions import ClientClosedError, DatagramProtocolParseError, UnsupportedOperation
from easynetwork.lowlevel.socket import UnixSocketAddress
from easynetwork.protocol import DatagramProtocol

pytestmark = pytest.mark.anyio

linux_only = pytest.mark.skipif("sys.platform != 'linux'", reason="only Linux has it")

Client = AsyncUnixDatagramClient[str, str]
Datagrams = DatagramProtocol[str, str]
CountDescriptors = Callable[[], int]


@pytest.fixture
def ours(unix_datagrams: tuple[socket.socket, socket.socket]) -> socket.socket:
    return unix_datagrams[0]


@pytest.fixture
def peer(unix_datagrams: tuple[socket.socket, socket.socket]) -> socket.socket:
    return unix_datagrams[1]


@pytest.fixture
async def client(ours: socket.socket, datagrams: Datagrams) -> AsyncIterator[Client]:
    async with AsyncUnixDatagramClient(ours, datagrams) as client:
        yield client


@pytest.fixture
def server(folder: Path) -> Iterator[socket.socket]:
    """Bound to a path, and not connected."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.bind(str(folder / "server"))
        yield sock


async def error_of(operation: Callable[[], Any], errors: list[BaseException]) -> None:
    try:
        await operation()
    except Exception as exc:
        errors.append(exc)


async def let_others_run() -> None:
    """Until they wait for something that needs another event of the loop."""
    for _ in range(10):
        await checkpoint()


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
@linux_only
async def test_a_path_is_sent_to_from_an_address_that_can_be_answered(
    form: Callable[[str], Any], server: socket.socket, datagrams: Datagrams
) -> None:
    client: Client = AsyncUnixDatagramClient(form(server.getsockname()), datagrams)
    for get_name in (client.get_local_name, client.get_peer_name):
        with pytest.raises(OSError, match="not connected") as caught:
            get_name()
        assert caught.value.errno == errno.ENOTCONN

    await client.send_packet("ping")

    data, address = server.recvfrom(100)
    server.sendto(b"pong", address)
    assert data == b"ping"
    assert await client.recv_packet() == "pong"
    assert client.get_peer_name() == UnixSocketAddress.from_pathname(server.getsockname())
    assert client.get_local_name() == UnixSocketAddress.from_raw(address)
    assert client.get_local_name().as_abstract_name()
    await client.aclose()


async def test_where_the_system_cannot_choose_a_name_a_path_is_required(
    monkeypatch: pytest.MonkeyPatch, server: socket.socket, ours: socket.socket, datagrams: Datagrams
) -> None:
    monkeypatch.setattr("sys.platform", "other")

    with pytest.raises(ValueError, match="local_path"):
        AsyncUnixDatagramClient(server.getsockname(), datagrams)
    await AsyncUnixDatagramClient(ours, datagrams).aclose()


async def test_the_file_of_the_local_path_is_removed_by_closing(
    server: socket.socket, folder: Path, datagrams: Datagrams
) -> None:
    path = folder / "client"
    async with AsyncUnixDatagramClient(server.getsockname(), datagrams, local_path=path) as client:
        assert client.get_local_name().as_pathname() == path
        await client.send_packet("ping")
        assert server.recvfrom(100) == (b"ping", str(path))

    assert not path.exists()


async def test_a_peer_that_is_not_there_may_be_tried_again(folder: Path, datagrams: Datagrams) -> None:
    client = AsyncUnixDatagramClient(folder / "server", datagrams, local_path=folder / "client")
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            await client.wait_connected()
    assert not (folder / "client").exists()

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(folder / "server"))
        await client.wait_connected()
        assert client.is_connected()
        await client.aclose()


@pytest.mark.parametrize("given", [None, 1, ("localhost", 80)])
async def test_anything_but_a_path_or_a_socket_is_refused(given: Any, datagrams: Datagrams) -> None:
    with pytest.raises(TypeError, match="address_or_socket"):
        AsyncUnixDatagramClient(given, datagrams)


async def test_a_given_socket_is_closed_if_the_protocol_is_refused(ours: socket.socket) -> None:
    with pytest.raises(TypeError, match="protocol"):
        AsyncUnixDatagramClient(ours, None)  # type: ignore[arg-type]  # what is tested

    assert ours.fileno() == -1


async def test_without_unix_sockets_construction_is_an_error(
    monkeypatch: pytest.MonkeyPatch, ours: socket.socket, datagrams: Datagrams
) -> None:
    monkeypatch.setattr(_arguments, "_UNIX", None)

    with pytest.raises(UnsupportedOperation):
        AsyncUnixDatagramClient(ours, datagrams)


# packets


async def test_one_packet_is_one_datagram(client: Client, peer: socket.socket) -> None:
    await client.send_packet("spam")
    await client.send_packet("")
    peer.send(b"ham")
    peer.send(b"")

    assert [peer.recv(100), peer.recv(100)] == [b"spam", b""]
    assert [await client.recv_packet() for _ in range(2)] == ["ham", ""]


@linux_only
async def test_a_peer_with_a_full_queue_is_waited_for(server: socket.socket, datagrams: Datagrams) -> None:
    async with AsyncUnixDatagramClient(server.getsockname(), datagrams) as client:
        sent = 0
        received: list[bytes] = []
        with anyio.move_on_after(0.05):
            while True:
                await client.send_packet(str(sent))
                sent += 1
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.send_packet, "last")
            await let_others_run()
            received += [server.recv(100) for _ in range(sent)]

        assert received == [str(number).encode() for number in range(sent)]
        assert server.recv(100) == b"last"


@linux_only
async def test_tasks_that_send_are_woken_by_closing(server: socket.socket, datagrams: Datagrams) -> None:
    errors: list[BaseException] = []
    client = AsyncUnixDatagramClient(server.getsockname(), datagrams)
    with anyio.move_on_after(0.05):
        while True:
            await client.send_packet("")
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(error_of, lambda: client.send_packet(""), errors)
        await let_others_run()
        await client.aclose()

    assert [type(error) for error in errors] == [ClientClosedError] * 2


# control data


async def test_descriptors_leave_with_their_packet(client: Client, peer: socket.socket) -> None:
    ancillary = SocketAncillary()
    ancillary.add_fds([peer.fileno()])
    for data in (ancillary, ancillary.as_raw()):
        await client.send_packet("spam", ancillary_data=data)

        received, fds, _, _ = socket.recv_fds(peer, 100, 10)
        assert received == b"spam"
        assert is_same_file(fds[0], peer)
        os.close(*fds)
    with pytest.raises(TypeError, match="ancillary_data"):
        await client.send_packet("bad", ancillary_data=[1])  # type: ignore[list-item]  # what is tested


async def test_descriptors_come_with_their_packet(client: Client, peer: socket.socket) -> None:
    socket.send_fds(peer, [b"spam"], [peer.fileno()] * 2)
    ancillary = SocketAncillary()

    assert await client.recv_packet(ancillary_data=ancillary) == "spam"
    for fd in ancillary.iter_fds():
        assert not os.get_inheritable(fd)
        assert is_same_file(fd, peer)
    assert close_all(ancillary) == 2


async def test_control_data_that_nobody_gets_is_closed(
    client: Client, peer: socket.socket, count_descriptors: CountDescriptors
) -> None:
    before = count_descriptors()
    ancillary = SocketAncillary()
    socket.send_fds(peer, [b"spam"], [peer.fileno()] * 2)
    socket.send_fds(peer, [b"\xff"], [peer.fileno()] * 2)
    socket.send_fds(peer, [b"cut off"], [peer.fileno()] * 3)

    assert await client.recv_packet() == "spam"
    with pytest.raises(DatagramProtocolParseError):
        await client.recv_packet(ancillary_data=ancillary)
    with pytest.raises(OSError, match="cut off") as caught:
        await client.recv_packet(ancillary_data=ancillary, ancillary_bufsize=socket.CMSG_LEN(4))
    assert caught.value.errno == errno.EMSGSIZE
    assert not list(ancillary.iter_fds())
    assert count_descriptors() == before


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"ancillary_data": []}, TypeError),
        ({"ancillary_data": SocketAncillary(), "ancillary_bufsize": 0}, ValueError),
        ({"ancillary_bufsize": 1024}, ValueError),
    ],
)
async def test_what_cannot_be_received_into_is_refused(
    client: Client, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error, match=list(options)[-1]):
        await client.recv_packet(**options)


# closing


async def test_tasks_that_receive_are_woken_by_closing(client: Client) -> None:
    errors: list[BaseException] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(error_of, client.recv_packet, errors)
        tasks.start_soon(error_of, lambda: client.recv_packet(ancillary_data=SocketAncillary()), errors)
        await let_others_run()
        await client.aclose()

    assert [type(error) for error in errors] == [ClientClosedError] * 2


async def test_a_collected_client_warns_and_leaves_nothing_behind(
    server: socket.socket, folder: Path, datagrams: Datagrams
) -> None:
    async def forget() -> None:
        path = folder / "client"
        await AsyncUnixDatagramClient(server.getsockname(), datagrams, local_path=path).wait_connected()
        gc.collect()

    with pytest.warns(ResourceWarning, match="unclosed client"):
        await forget()

    assert not (folder / "client").exists()
