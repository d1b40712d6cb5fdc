# SPDX-License-Identifier: Apache-2.0
"""The blocking client of Unix datagrams: names, full queues, control data.

The rest is as for UDP (test_udp.py).
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from easynetwork.ancillary import SocketAncillary
from easynetwork.clients import _arguments
from easynetwork.clients.unix_datagram import UnixDatagramClient
from easynetwork.exceptions import ClientClosedError, DatagramProtocolParseError, UnsupportedOperation
from easynetwork.lowlevel.socket import UnixSocketAddress
from easynetwork.protocol import DatagramProtocol

linux_only = pytest.mark.skipif("sys.platform != 'linux'", reason="only Linux has it")

Client = UnixDatagramClient[str, str]
Datagrams = DatagramProtocol[str, str]
CountDescriptors = Callable[[], int]
Wait = Callable[[Callable[[], object]], None]
Shortage = Callable[[], contextlib.AbstractContextManager[None]]

ONE_DESCRIPTOR = socket.CMSG_LEN(4)  # bytes of control data


@pytest.fixture
def ours(unix_datagrams: tuple[socket.socket, socket.socket]) -> socket.socket:
    return unix_datagrams[0]


@pytest.fixture
def peer(unix_datagrams: tuple[socket.socket, socket.socket]) -> socket.socket:
    return unix_datagrams[1]


@pytest.fixture
def client(ours: socket.socket, datagrams: Datagrams) -> Iterator[Client]:
    with UnixDatagramClient(ours, datagrams) as client:
        yield client


@pytest.fixture
def server(folder: Path) -> Iterator[socket.socket]:
    """Bound to a path, and not connected."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.bind(str(folder / "server"))
        yield sock


def close_all(ancillary: SocketAncillary) -> int:
    """How many descriptors there were."""
    fds = list(ancillary.iter_fds())
    for fd in fds:
        os.close(fd)
    return len(fds)


# construction


@pytest.mark.parametrize("form", [str, os.fsencode, Path, UnixSocketAddress.from_pathname])
@linux_only
def test_a_path_is_sent_to_from_an_address_that_can_be_answered(
    form: Callable[[str], Any], server: socket.socket, datagrams: Datagrams
) -> None:
    with UnixDatagramClient(form(server.getsockname()), datagrams) as client:
        client.send_packet("ping")
        data, address = server.recvfrom(100)
        server.sendto(b"pong", address)

        assert data == b"ping"
        assert client.recv_packet() == "pong"
        assert client.get_peer_name() == UnixSocketAddress.from_pathname(server.getsockname())
        assert client.get_local_name() == UnixSocketAddress.from_raw(address)
        assert client.get_local_name().as_abstract_name()


@linux_only
def test_an_abstract_name_is_sent_to(datagrams: Datagrams) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind("")
        name = UnixSocketAddress.from_raw(server.getsockname())
        with UnixDatagramClient(name, datagrams) as client:
            client.send_packet("hello")
            assert server.recv(100) == b"hello"


def test_where_the_system_cannot_choose_a_name_a_path_is_required(
    monkeypatch: pytest.MonkeyPatch, server: socket.socket, datagrams: Datagrams
) -> None:
    monkeypatch.setattr("sys.platform", "other")

    with pytest.raises(ValueError, match="local_path"):
        UnixDatagramClient(server.getsockname(), datagrams)


def test_the_file_of_the_local_path_is_removed_by_closing(
    server: socket.socket, folder: Path, datagrams: Datagrams
) -> None:
    path = folder / "client"
    with UnixDatagramClient(server.getsockname(), datagrams, local_path=path) as client:
        assert path.is_socket()
        assert client.get_local_name().as_pathname() == path
        client.send_packet("ping")
        assert server.recvfrom(100) == (b"ping", str(path))

    assert not path.exists()


def test_a_file_that_took_the_place_of_ours_is_left_alone(
    server: socket.socket, folder: Path, datagrams: Datagrams
) -> None:
    path = folder / "client"
    with UnixDatagramClient(server.getsockname(), datagrams, local_path=path):
        path.unlink()
        path.write_text("precious")

    assert path.read_text() == "precious"


def test_a_peer_that_is_not_there_leaves_nothing_behind(
    folder: Path, datagrams: Datagrams, count_descriptors: CountDescriptors
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(folder / "server"))
    before = count_descriptors()

    with pytest.raises(ConnectionRefusedError, match="server"):
        UnixDatagramClient(folder / "server", datagrams, local_path=folder / "client")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        UnixDatagramClient(folder / "nowhere", datagrams, local_path=folder / "client")

    assert count_descriptors() == before
    assert not (folder / "client").exists()


@pytest.mark.parametrize("given", [None, 1, ("localhost", 80)])
def test_anything_but_a_path_or_a_socket_is_refused(given: Any, datagrams: Datagrams) -> None:
    with pytest.raises(TypeError, match="address_or_socket"):
        UnixDatagramClient(given, datagrams)


@pytest.mark.parametrize(("options", "error"), [({"retry_interval": 0}, ValueError), ({"protocol": None}, TypeError)])
def test_a_given_socket_is_closed_if_an_option_is_refused(
    options: dict[str, Any], error: type[Exception], ours: socket.socket, datagrams: Datagrams
) -> None:
    arguments: dict[str, Any] = {"protocol": datagrams, **options}
    with pytest.raises(error, match=next(iter(options))):
        UnixDatagramClient(ours, **arguments)

    assert ours.fileno() == -1


def test_sockets_without_peer_or_of_other_kinds_are_refused_and_closed(
    ours: socket.socket, datagrams: Datagrams
) -> None:
    sockets = [socket.socket(*kind) for kind in ((socket.AF_UNIX, socket.SOCK_DGRAM), (socket.AF_UNIX,), ())]
    for sock in sockets:
        with pytest.raises((OSError, ValueError)):
            UnixDatagramClient(sock, datagrams)
        assert sock.fileno() == -1


def test_without_unix_sockets_construction_is_an_error(
    monkeypatch: pytest.MonkeyPatch, ours: socket.socket, datagrams: Datagrams
) -> None:
    monkeypatch.setattr(_arguments, "_UNIX", None)

    with pytest.raises(UnsupportedOperation):
        UnixDatagramClient(ours, datagrams)
    assert ours.fileno() == -1


# packets


def test_one_packet_is_one_datagram(client: Client, peer: socket.socket) -> None:
    client.send_packet("spam")
    client.send_packet("")
    peer.send(b"ham")
    peer.send(b"")
    peer.send(b"eggs")

    assert [peer.recv(100), peer.recv(100)] == [b"spam", b""]
    assert [client.recv_packet() for _ in range(3)] == ["ham", "", "eggs"]


def test_a_datagram_may_be_longer_than_any_of_udp(client: Client, peer: socket.socket) -> None:
    client.send_packet("x" * 150_000)
    peer.send(b"y" * 150_000)

    assert peer.recv(1_000_000) == b"x" * 150_000
    assert client.recv_packet() == "y" * 150_000
    with pytest.raises(OSError, match="too long") as caught:
        client.send_packet("x" * 10_000_000)
    assert caught.value.errno == errno.EMSGSIZE


def test_a_datagram_that_was_cut_off_is_an_error(
    monkeypatch: pytest.MonkeyPatch, datagrams: Datagrams, count_descriptors: CountDescriptors
) -> None:
    monkeypatch.setattr("easynetwork.lowlevel.unix_messages._LARGEST", 4096)  # the system may not let us send more
    ours, peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with UnixDatagramClient(ours, datagrams) as client, peer:
        before = count_descriptors()
        ancillary = SocketAncillary()
        for wanted in (None, ancillary):
            socket.send_fds(peer, [b"x" * 5000], [0])
            with pytest.raises(OSError, match="cut off") as caught:
                client.recv_packet(ancillary_data=wanted)
            assert caught.value.errno == errno.EMSGSIZE

        assert count_descriptors() == before
        assert not list(ancillary.iter_fds())
        peer.send(b"x" * 4096)
        assert client.recv_packet() == "x" * 4096


@linux_only
def test_a_peer_with_a_full_queue_is_waited_for(
    server: socket.socket, datagrams: Datagrams, threads: ThreadPoolExecutor
) -> None:
    with UnixDatagramClient(server.getsockname(), datagrams) as client:
        sent = 0
        with pytest.raises(TimeoutError):
            while True:
                client.send_packet(str(sent), timeout=0.01)
                sent += 1
        sending = [
            threads.submit(client.send_packet, "last"),
            threads.submit(client.send_packet, "last", ancillary_data=[]),
        ]

        assert [server.recv(100) for _ in range(sent)] == [str(number).encode() for number in range(sent)]
        assert [server.recv(100), server.recv(100)] == [b"last"] * 2
        for future in sending:
            future.result()


@linux_only
def test_threads_that_send_are_woken_by_closing(
    server: socket.socket, datagrams: Datagrams, threads: ThreadPoolExecutor, wait_until_busy: Wait
) -> None:
    client = UnixDatagramClient(server.getsockname(), datagrams, retry_interval=1e6)
    with pytest.raises(TimeoutError):
        while True:
            client.send_packet("", timeout=0)
    sending = threads.submit(client.send_packet, "")
    wait_until_busy(lambda: client.send_packet("", timeout=0))
    client.close()

    assert isinstance(sending.exception(), ClientClosedError)


def test_a_peer_that_is_gone_is_an_error(client: Client, peer: socket.socket) -> None:
    peer.close()

    for _ in range(2):
        with pytest.raises(OSError, match=r".+"):
            client.send_packet("to nobody")


# control data


def test_descriptors_leave_with_their_packet(client: Client, peer: socket.socket) -> None:
    ancillary = SocketAncillary()
    ancillary.add_fds([peer.fileno()])
    for data in (ancillary, ancillary.as_raw()):
        client.send_packet("", ancillary_data=data)

        received, fds, _, _ = socket.recv_fds(peer, 100, 10)
        assert received == b""
        assert os.path.sameopenfile(fds[0], peer.fileno())
        os.close(*fds)


@pytest.mark.parametrize("data", [1, [1], [(1, 2)]])
def test_what_is_no_control_data_is_refused(client: Client, data: Any) -> None:
    with pytest.raises(TypeError, match="ancillary_data"):
        client.send_packet("bad", ancillary_data=data)


def test_descriptors_come_with_their_packet(client: Client, peer: socket.socket) -> None:
    socket.send_fds(peer, [b"spam"], [peer.fileno()] * 2)
    peer.send(b"plain")
    ancillary = SocketAncillary()

    assert client.recv_packet(ancillary_data=ancillary) == "spam"
    for fd in ancillary.iter_fds():
        assert not os.get_inheritable(fd)
        assert os.path.sameopenfile(fd, peer.fileno())
    assert close_all(ancillary) == 2
    ancillary.clear()
    assert client.recv_packet(ancillary_data=ancillary) == "plain"
    assert not list(ancillary.iter_fds())


def test_nobody_gets_control_data_that_was_not_asked_for(
    client: Client, peer: socket.socket, count_descriptors: CountDescriptors
) -> None:
    before = count_descriptors()
    socket.send_fds(peer, [b"spam"], [peer.fileno()] * 2)

    assert client.recv_packet() == "spam"
    assert count_descriptors() == before


def test_control_data_of_a_bad_datagram_is_closed(
    client: Client, peer: socket.socket, count_descriptors: CountDescriptors
) -> None:
    before = count_descriptors()
    ancillary = SocketAncillary()
    socket.send_fds(peer, [b"\xff"], [peer.fileno()] * 2)

    with pytest.raises(DatagramProtocolParseError):
        client.recv_packet(ancillary_data=ancillary)
    assert count_descriptors() == before
    assert not list(ancillary.iter_fds())


def test_control_data_that_was_cut_off_is_an_error_and_what_came_is_closed(
    client: Client, peer: socket.socket, count_descriptors: CountDescriptors, one_descriptor_left: Shortage
) -> None:
    before = count_descriptors()
    ancillary = SocketAncillary()
    for bufsize, shortage in ((ONE_DESCRIPTOR, contextlib.nullcontext), (None, one_descriptor_left)):
        socket.send_fds(peer, [b"spam"], [0, 1, 2])
        with shortage(), pytest.raises(OSError, match="cut off") as caught:
            client.recv_packet(ancillary_data=ancillary, ancillary_bufsize=bufsize)
        assert caught.value.errno == errno.EMSGSIZE

    assert count_descriptors() == before
    assert not list(ancillary.iter_fds())
    peer.send(b"next")
    assert client.recv_packet(ancillary_data=ancillary, ancillary_bufsize=ONE_DESCRIPTOR) == "next"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"ancillary_data": []}, TypeError),
        ({"ancillary_data": SocketAncillary(), "ancillary_bufsize": 0}, ValueError),
        ({"ancillary_bufsize": 1024}, ValueError),
    ],
)
def test_what_cannot_be_received_into_is_refused(
    client: Client, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error, match=list(options)[-1]):
        client.recv_packet(**options)


# closing


def test_threads_that_receive_are_woken_by_closing(
    ours: socket.socket, datagrams: Datagrams, threads: ThreadPoolExecutor, wait_until_busy: Wait
) -> None:
    client = UnixDatagramClient(ours, datagrams, retry_interval=1e6)
    receivers = [threads.submit(client.recv_packet, ancillary_data=data) for data in (None, SocketAncillary())]
    wait_until_busy(lambda: client.recv_packet(timeout=0))
    client.close()

    assert {type(receiver.exception()) for receiver in receivers} == {ClientClosedError}
    with pytest.raises(ClientClosedError):
        client.send_packet("x", ancillary_data=[])


def test_a_collected_client_warns_and_leaves_nothing_behind(
    server: socket.socket, folder: Path, datagrams: Datagrams, count_descriptors: CountDescriptors
) -> None:
    before = count_descriptors()

    def forget() -> None:
        UnixDatagramClient(server.getsockname(), datagrams, local_path=folder / "client")
        gc.collect()

    with pytest.warns(ResourceWarning, match="unclosed client"):
        forget()

    assert count_descriptors() == before
    assert not (folder / "client").exists()
