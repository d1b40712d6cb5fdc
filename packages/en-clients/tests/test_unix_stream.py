# SPDX-License-Identifier: Apache-2.0
"""The blocking client of Unix streams: names, control data, and what closing leaves.

The rest is as for TCP (test_tcp.py).
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from easynetwork.ancillary import SCMCredentials, SocketAncillary, SocketCredential
from easynetwork.clients import _arguments
from easynetwork.clients.unix_stream import UnixStreamClient
from easynetwork.exceptions import (
    ClientClosedError,
    StreamProtocolParseError,
    TruncatedStreamError,
    UnsupportedOperation,
)
from easynetwork.lowlevel.socket import UnixCredentials, UnixSocketAddress
from easynetwork.protocol import AnyStreamProtocolType, StreamProtocol
from easynetwork.serializers import StringLineSerializer

linux_only = pytest.mark.skipif("sys.platform != 'linux'", reason="only Linux has it")

Client = UnixStreamClient[str, str]
Protocol = AnyStreamProtocolType[str, str]
CountDescriptors = Callable[[], int]
Wait = Callable[[Callable[[], object]], None]
Shortage = Callable[[], contextlib.AbstractContextManager[None]]


@pytest.fixture
def ours(unix_streams: tuple[socket.socket, socket.socket]) -> socket.socket:
    return unix_streams[0]


@pytest.fixture
def peer(unix_streams: tuple[socket.socket, socket.socket]) -> socket.socket:
    return unix_streams[1]


@pytest.fixture
def client(ours: socket.socket, protocol: Protocol) -> Iterator[Client]:
    with UnixStreamClient(ours, protocol) as client:
        yield client


@pytest.fixture
def server(folder: Path) -> Iterator[socket.socket]:
    """Listens, with room for one connection that was not accepted yet."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.bind(str(folder / "server"))
        sock.listen(0)
        yield sock


def close_all(ancillary: SocketAncillary) -> int:
    """How many descriptors there were."""
    fds = list(ancillary.iter_fds())
    for fd in fds:
        os.close(fd)
    return len(fds)


# construction


@pytest.mark.parametrize("form", [str, os.fsencode, Path, UnixSocketAddress.from_pathname])
def test_a_path_is_connected_to(form: Callable[[str], Any], server: socket.socket, protocol: Protocol) -> None:
    with UnixStreamClient(form(server.getsockname()), protocol) as client, server.accept()[0] as peer:
        client.send_packet("spam")
        peer.sendall(b"ham\n")

        assert peer.recv(100) == b"spam\n"
        assert client.recv_packet() == "ham"
        assert client.get_peer_name() == UnixSocketAddress.from_pathname(server.getsockname())
        assert client.get_local_name().is_unnamed()


@linux_only
def test_an_abstract_name_is_connected_to(protocol: Protocol) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("")
        server.listen()
        name = UnixSocketAddress.from_raw(server.getsockname())
        with UnixStreamClient(name, protocol, local_path="") as client:
            assert client.get_peer_name() == name
            assert client.get_local_name().as_abstract_name()


def test_a_given_socket_may_have_no_names(client: Client) -> None:
    assert client.get_peer_name().is_unnamed()
    assert client.get_local_name().is_unnamed()


def test_the_file_of_the_local_path_is_removed_by_closing(
    server: socket.socket, folder: Path, protocol: Protocol
) -> None:
    path = folder / "client"
    with UnixStreamClient(server.getsockname(), protocol, local_path=path) as client:
        assert path.is_socket()
        assert client.get_local_name().as_pathname() == path
        with server.accept()[0] as peer:
            assert peer.getpeername() == str(path)

    assert not path.exists()


def test_a_file_that_took_the_place_of_ours_is_left_alone(
    server: socket.socket, folder: Path, protocol: Protocol
) -> None:
    path = folder / "client"
    with UnixStreamClient(server.getsockname(), protocol, local_path=path):
        path.unlink()
        path.write_text("precious")

    assert path.read_text() == "precious"


def test_a_refused_connection_leaves_nothing_behind(
    folder: Path, protocol: Protocol, count_descriptors: CountDescriptors
) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(folder / "server"))
    before = count_descriptors()

    with pytest.raises(ConnectionRefusedError, match="server"):
        UnixStreamClient(folder / "server", protocol, local_path=folder / "client")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        UnixStreamClient(folder / "nowhere", protocol, local_path=folder / "client")
    with pytest.raises(OSError, match="too long"):
        UnixStreamClient(folder / ("x" * 200), protocol)

    assert count_descriptors() == before
    assert not (folder / "client").exists()


def test_a_connection_is_closed_if_the_construction_fails_after_it(server: socket.socket, folder: Path) -> None:
    class Broken(StreamProtocol[str, str]):
        @property
        def serializer(self) -> Any:
            raise LookupError("no serializer")

    with pytest.raises(LookupError) as caught:
        UnixStreamClient(server.getsockname(), Broken(StringLineSerializer()), local_path=folder / "client")

    assert caught.tb is not None  # which keeps every local variable alive
    assert not (folder / "client").exists()
    with server.accept()[0] as peer:
        assert peer.recv(1) == b""


@linux_only
def test_a_server_with_a_full_queue_is_waited_for(
    server: socket.socket, protocol: Protocol, threads: ThreadPoolExecutor
) -> None:
    path = server.getsockname()
    with socket.socket(socket.AF_UNIX) as filler:
        filler.connect(path)
        for timeout in (0, 0.01):
            with pytest.raises(TimeoutError):
                UnixStreamClient(path, protocol, connect_timeout=timeout)

        connecting = threads.submit(UnixStreamClient, path, protocol)
        server.accept()[0].close()
        server.accept()[0].close()
        connecting.result().close()


@pytest.mark.parametrize("given", [None, 1, ("localhost", 80)])
def test_anything_but_a_path_or_a_socket_is_refused(given: Any, protocol: Protocol) -> None:
    with pytest.raises(TypeError, match="address_or_socket"):
        UnixStreamClient(given, protocol)


@pytest.mark.parametrize("given", ["", UnixSocketAddress(), "a\0b"])
def test_a_path_that_leads_nowhere_is_refused(given: Any, protocol: Protocol) -> None:
    with pytest.raises(ValueError, match=r".+"):
        UnixStreamClient(given, protocol)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_recv_size": 0}, ValueError),
        ({"retry_interval": 0}, ValueError),
        ({"local_path": 1}, TypeError),
        ({"protocol": None}, TypeError),
    ],
)
def test_a_given_socket_is_closed_if_an_option_is_refused(
    options: dict[str, Any], error: type[Exception], ours: socket.socket, protocol: Protocol
) -> None:
    arguments: dict[str, Any] = {"protocol": protocol, **options}
    with pytest.raises(error, match=next(iter(options))):
        UnixStreamClient(ours, **arguments)

    assert ours.fileno() == -1


def test_sockets_of_other_kinds_are_refused_and_closed(protocol: Protocol, listener: socket.socket) -> None:
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with pair[1]:
        for sock in (pair[0], socket.create_connection(listener.getsockname())):
            with pytest.raises(ValueError, match="Unix stream"):
                UnixStreamClient(sock, protocol)
            assert sock.fileno() == -1


def test_without_unix_sockets_construction_is_an_error(
    monkeypatch: pytest.MonkeyPatch, ours: socket.socket, protocol: Protocol
) -> None:
    monkeypatch.setattr(_arguments, "_UNIX", None)

    with pytest.raises(UnsupportedOperation):
        UnixStreamClient(ours, protocol)
    assert ours.fileno() == -1


def test_without_unix_sockets_the_modules_can_be_imported() -> None:
    modules = ["unix_stream", "async_unix_stream", "unix_datagram", "async_unix_datagram"]
    imports = "; ".join(f"import easynetwork.clients.{module}" for module in modules)
    subprocess.run([sys.executable, "-c", f"import socket; del socket.AF_UNIX; {imports}"], check=True)


@linux_only
def test_the_kernel_tells_who_the_peer_is(client: Client) -> None:
    credentials = client.get_peer_credentials()

    assert credentials == UnixCredentials(os.getpid(), os.geteuid(), os.getegid())
    client.close()
    assert client.get_peer_credentials() is credentials


# sending


def test_descriptors_leave_with_their_packet(client: Client, peer: socket.socket) -> None:
    ancillary = SocketAncillary()
    ancillary.add_fds([peer.fileno()])
    for data in (ancillary, ancillary.as_raw(), iter(ancillary.as_raw())):
        client.send_packet("spam", ancillary_data=data)

        received, fds, _, _ = socket.recv_fds(peer, 100, 10)
        assert received == b"spam\n"
        assert os.path.sameopenfile(fds[0], peer.fileno())
        os.close(*fds)


@pytest.mark.parametrize("data", [1, [1], [(1, 2)], "x"])
def test_what_is_no_control_data_is_refused(client: Client, peer: socket.socket, data: Any) -> None:
    with pytest.raises(TypeError, match="ancillary_data"):
        client.send_packet("bad", ancillary_data=data)

    client.send_packet("good")
    assert peer.recv(100) == b"good\n"


def test_a_packet_that_cannot_leave_whole_with_its_control_data_breaks_the_connection(
    client: Client, peer: socket.socket
) -> None:
    with pytest.raises(OSError, match="too long") as caught:
        client.send_packet("x" * 5_000_000, ancillary_data=[])

    assert caught.value.errno == errno.EMSGSIZE
    with pytest.raises(ConnectionAbortedError):
        client.send_packet("y")
    with pytest.raises(ConnectionAbortedError):
        client.recv_packet()


def test_control_data_waits_for_room_too(client: Client, peer: socket.socket, threads: ThreadPoolExecutor) -> None:
    sent = 0
    with pytest.raises(TimeoutError):
        while True:
            client.send_packet("x", ancillary_data=[], timeout=0)
            sent += 1
    sending = threads.submit(client.send_packet, "y", ancillary_data=[])
    with peer.makefile("rb") as lines:
        assert [lines.readline() for _ in range(sent)] == [b"x\n"] * sent
        sending.result()
        assert lines.readline() == b"y\n"


def test_the_sending_side_can_end_alone(client: Client, peer: socket.socket) -> None:
    client.send_eof()

    with pytest.raises(RuntimeError, match="send_eof"):
        client.send_packet("too late", ancillary_data=[])
    assert peer.recv(100) == b""
    peer.sendall(b"answer\n")
    assert client.recv_packet() == "answer"


# receiving


def test_descriptors_come_with_their_packet(client: Client, peer: socket.socket) -> None:
    ancillary = SocketAncillary()
    socket.send_fds(peer, [b"spam\n"], [peer.fileno()] * 2)

    assert client.recv_packet(ancillary_data=ancillary) == "spam"
    for fd in ancillary.iter_fds():
        assert not os.get_inheritable(fd)
        assert os.path.sameopenfile(fd, peer.fileno())
    assert close_all(ancillary) == 2


@linux_only
def test_credentials_come_with_their_packet(ours: socket.socket, peer: socket.socket, protocol: Protocol) -> None:
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    ancillary = SocketAncillary()
    with UnixStreamClient(ours, protocol) as client:
        peer.sendall(b"spam\n")

        assert client.recv_packet(ancillary_data=ancillary) == "spam"
    assert list(ancillary.messages()) == [SCMCredentials([SocketCredential(os.getpid(), os.getuid(), os.getgid())])]


def test_a_plain_reception_closes_the_control_data_of_its_packet(
    client: Client, peer: socket.socket, count_descriptors: CountDescriptors
) -> None:
    before = count_descriptors()
    socket.send_fds(peer, [b"spam\n"], [peer.fileno()] * 3)

    assert client.recv_packet() == "spam"
    assert count_descriptors() == before


def test_control_data_waits_for_its_own_packet(
    client: Client, peer: socket.socket, count_descriptors: CountDescriptors
) -> None:
    before = count_descriptors()
    peer.sendall(b"first\n")
    socket.send_fds(peer, [b"second\n"], [peer.fileno()])
    socket.send_fds(peer, [b"third\n"], [peer.fileno()] * 2)
    peer.sendall(b"fourth\n")
    counts: list[int] = []

    assert client.recv_packet() == "first"
    for packet in ("second", "third", "fourth"):
        ancillary = SocketAncillary()
        assert client.recv_packet(ancillary_data=ancillary) == packet
        counts.append(close_all(ancillary))
    assert counts == [1, 2, 0]
    assert count_descriptors() == before


def test_half_a_packet_with_control_data_is_an_error_and_loses_no_bytes(
    client: Client, peer: socket.socket, count_descriptors: CountDescriptors
) -> None:
    before = count_descriptors()
    ancillary = SocketAncillary()
    socket.send_fds(peer, [b"ha"], [peer.fileno()])

    with pytest.raises(EOFError):
        client.recv_packet(ancillary_data=ancillary)
    assert not list(ancillary.iter_fds())
    assert count_descriptors() == before
    peer.sendall(b"m\n")
    assert client.recv_packet(ancillary_data=ancillary) == "ham"
    assert not list(ancillary.iter_fds())


def test_control_data_of_a_packet_in_pieces_is_kept_for_it(client: Client, peer: socket.socket) -> None:
    ancillary = SocketAncillary()
    socket.send_fds(peer, [b"ha"], [peer.fileno()])
    with pytest.raises(TimeoutError):
        client.recv_packet(timeout=0)
    peer.sendall(b"m\n")

    assert client.recv_packet(ancillary_data=ancillary) == "ham"
    assert close_all(ancillary) == 1


def test_control_data_of_a_bad_frame_is_closed(
    client: Client, peer: socket.socket, count_descriptors: CountDescriptors
) -> None:
    before = count_descriptors()
    ancillary = SocketAncillary()
    for _ in range(2):
        socket.send_fds(peer, [b"\xff\n"], [peer.fileno()])
    socket.send_fds(peer, [b"good\n"], [peer.fileno()])

    with pytest.raises(StreamProtocolParseError):
        client.recv_packet()
    with pytest.raises(StreamProtocolParseError):
        client.recv_packet(ancillary_data=ancillary)
    assert not list(ancillary.iter_fds())
    assert client.recv_packet(ancillary_data=ancillary) == "good"
    assert close_all(ancillary) == 1
    assert count_descriptors() == before


def test_control_data_that_was_cut_off_is_an_error_and_what_came_is_closed(
    client: Client, peer: socket.socket, count_descriptors: CountDescriptors, one_descriptor_left: Shortage
) -> None:
    before = count_descriptors()
    ancillary = SocketAncillary()
    socket.send_fds(peer, [b"spam\n"], [0, 1, 2])

    with one_descriptor_left(), pytest.raises(OSError, match="cut off") as caught:
        client.recv_packet(ancillary_data=ancillary)
    assert caught.value.errno == errno.EMSGSIZE
    assert not list(ancillary.iter_fds())
    assert count_descriptors() == before
    peer.sendall(b"next\n")
    assert client.recv_packet(ancillary_data=ancillary) == "next"


def test_a_plain_reception_does_not_care_about_cut_off_control_data(
    client: Client, peer: socket.socket, one_descriptor_left: Shortage
) -> None:
    socket.send_fds(peer, [b"spam\n"], [0, 1, 2])

    with one_descriptor_left():
        assert client.recv_packet() == "spam"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"ancillary_data": []}, TypeError),
        ({"ancillary_data": SocketAncillary(), "ancillary_bufsize": 0}, ValueError),
        ({"ancillary_data": SocketAncillary(), "ancillary_bufsize": 1.5}, TypeError),
        ({"ancillary_data": SocketAncillary(), "ancillary_bufsize": True}, TypeError),
        ({"ancillary_bufsize": 1024}, ValueError),
    ],
)
def test_what_cannot_be_received_into_is_refused(
    client: Client, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error, match=list(options)[-1]):
        client.recv_packet(**options)


def test_the_buffer_for_control_data_can_be_made_larger(client: Client, peer: socket.socket) -> None:
    ancillary = SocketAncillary()
    socket.send_fds(peer, [b"spam\n"], [0] * 253)

    assert client.recv_packet(ancillary_data=ancillary, ancillary_bufsize=100_000) == "spam"
    assert close_all(ancillary) == 253


# the end


def test_an_orderly_end_is_told_from_a_truncated_packet(client: Client, peer: socket.socket) -> None:
    peer.sendall(b"whole\nhal")
    peer.close()

    assert client.recv_packet() == "whole"
    with pytest.raises(TruncatedStreamError):
        client.recv_packet(ancillary_data=SocketAncillary())


def test_a_peer_that_reads_late_has_everything(client: Client, peer: socket.socket) -> None:
    """Closing does not wait for it, and unread input does not make the end a reset."""
    peer.sendall(b"unread\n")
    client.send_packet("x" * 50_000)
    client.close()
    with peer.makefile("rb") as lines:
        assert lines.read() == b"x" * 50_000 + b"\n"


def test_closing_closes_control_data_that_waits(ours: socket.socket, peer: socket.socket, protocol: Protocol) -> None:
    reader, writer = os.pipe()
    with open(reader, "rb") as pipe, UnixStreamClient(ours, protocol) as client:
        peer.sendall(b"first\n")
        socket.send_fds(peer, [b"second\n"], [writer])
        os.close(writer)
        assert client.recv_packet() == "first"
        client.close()

        assert pipe.read() == b""  # nobody has the other end


def test_threads_that_receive_are_woken_by_closing(
    ours: socket.socket, protocol: Protocol, threads: ThreadPoolExecutor, wait_until_busy: Wait
) -> None:
    client = UnixStreamClient(ours, protocol, retry_interval=1e6)
    receivers = [threads.submit(client.recv_packet, ancillary_data=SocketAncillary()) for _ in range(2)]
    wait_until_busy(lambda: client.recv_packet(timeout=0))
    client.close()

    assert {type(receiver.exception()) for receiver in receivers} == {ClientClosedError}
    with pytest.raises(ClientClosedError):
        client.recv_packet(ancillary_data=SocketAncillary())
    with pytest.raises(ClientClosedError):
        client.send_packet("x", ancillary_data=[])


def test_a_collected_client_warns_and_closes_everything(
    ours: socket.socket, peer: socket.socket, protocol: Protocol, count_descriptors: CountDescriptors
) -> None:
    before = count_descriptors()
    peer.sendall(b"first\n")
    socket.send_fds(peer, [b"second\n"], [peer.fileno()])

    def forget() -> None:
        UnixStreamClient(ours, protocol).recv_packet()
        gc.collect()

    with pytest.warns(ResourceWarning, match="unclosed client"):
        forget()

    assert ours.fileno() == -1
    assert count_descriptors() == before - 1
