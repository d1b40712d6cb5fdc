# SPDX-License-Identifier: Apache-2.0
"""What Unix datagrams promise beyond the rules of every backend, which the backends' own tests
examine (`backend_suite`).
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from pathlib import Path

import pytest

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.socket import UnixSocketAddress, UNIXSocketAttribute
from easynetwork.lowlevel.socket_transports import SocketBackend
from easynetwork.lowlevel.socket_transports.datagrams import SocketDatagramEndpoint, SocketDatagramListener
from easynetwork.lowlevel.testing.real_sockets import UnixDatagrams

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here"),
]

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="abstract names exist on Linux only")


@pytest.fixture
def place(backend: AsyncBackend, folder: Path) -> UnixDatagrams:
    return UnixDatagrams(backend, folder)


async def test_addresses_are_told(place: UnixDatagrams) -> None:
    listener = await place.listen()
    endpoint = await place.connect(listener)
    await endpoint.send(b"x")

    _, address = await listener.receive()
    assert endpoint.extra(UNIXSocketAttribute.sockname).as_raw() == address
    assert endpoint.extra(UNIXSocketAttribute.peername) == listener.extra(UNIXSocketAttribute.sockname)
    assert listener.extra(UNIXSocketAttribute.family) == socket.AF_UNIX
    await endpoint.aclose()
    await listener.aclose()


async def test_files_are_removed_with_their_sockets(place: UnixDatagrams, folder: Path) -> None:
    listener = await place.listen()
    endpoint = await place.connect(listener)
    assert len(os.listdir(folder)) == 2

    await endpoint.aclose()
    await listener.aclose()
    assert not os.listdir(folder)


async def test_closing_again_leaves_the_next_owner_of_the_path_alone(
    backend: AsyncBackend, place: UnixDatagrams, folder: Path
) -> None:
    path = place.path()
    closed = await backend.create_unix_datagram_listener(path)
    await closed.aclose()
    listener = await backend.create_unix_datagram_listener(path)  # probably with the same inode

    await closed.aclose()

    assert path.is_socket()
    await listener.aclose()
    assert not os.listdir(folder)


async def test_closing_closes_even_if_the_file_cannot_be_removed(
    place: UnixDatagrams, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    for sock in (listener := await place.listen(), await place.connect(listener)):
        with monkeypatch.context() as patch, pytest.raises(OSError, match="Unable to clean up listening Unix socket"):
            patch.setattr(os, "unlink", refuse)  # the superuser's permissions cannot be taken away
            await sock.aclose()
        assert sock.extra(UNIXSocketAttribute.socket).fileno() == -1
        await sock.aclose()


async def test_a_path_that_nobody_is_bound_to_is_named_and_leaves_no_file(
    backend: AsyncBackend, place: UnixDatagrams, folder: Path
) -> None:
    path = place.path()
    with pytest.raises(FileNotFoundError, match=f"cannot connect to '{path}'"):
        await backend.create_unix_datagram_endpoint(path, local_path=place.path())

    assert not os.listdir(folder)


async def test_an_unnamed_peer_cannot_be_answered(backend: AsyncBackend, place: UnixDatagrams) -> None:
    listener = await place.listen()
    endpoint = await backend.create_unix_datagram_endpoint(listener.extra(UNIXSocketAttribute.sockname))
    await endpoint.send(b"x")

    assert not (await listener.receive())[1]
    await endpoint.aclose()
    await listener.aclose()


@on_linux
async def test_abstract_and_chosen_names(backend: AsyncBackend, folder: Path) -> None:
    listener = await backend.create_unix_datagram_listener("")
    name = listener.extra(UNIXSocketAttribute.sockname)
    assert name.as_abstract_name()
    endpoint = await backend.create_unix_datagram_endpoint(name, local_path=UnixSocketAddress())
    await endpoint.send(b"question")
    _, address = await listener.receive()

    assert isinstance(address, bytes)
    assert listener.send_nowait(b"answer", address)
    assert await endpoint.receive() == b"answer"
    await endpoint.aclose()
    await listener.aclose()


async def test_mode_is_that_of_the_file(backend: AsyncBackend, place: UnixDatagrams) -> None:
    path = place.path()
    listener = await backend.create_unix_datagram_listener(path, mode=0o622)

    assert path.stat().st_mode & 0o777 == 0o622
    await listener.aclose()


async def test_a_peer_that_takes_nothing_costs_nothing_and_is_given_up(
    backend: SocketBackend, place: UnixDatagrams
) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    endpoint = SocketDatagramEndpoint(backend, ours)
    endpoint.send_timeout = 0.1
    cpu = time.process_time()

    with pytest.raises(OSError, match=r"taken nothing for 0\.1 seconds") as caught:
        while True:
            await endpoint.send(b"x")

    assert caught.value.errno == errno.ENOBUFS
    assert time.process_time() - cpu < 0.05
    theirs.close()
    await endpoint.aclose()


async def test_a_full_peer_holds_up_nobody_else(backend: AsyncBackend, place: UnixDatagrams) -> None:
    listener = await place.listen()
    full, good = await place.connect(listener), await place.connect(listener)
    full_address, good_address = (peer.extra(UNIXSocketAttribute.sockname).as_raw() for peer in (full, good))
    while listener.send_nowait(b"x", full_address):
        pass

    async with backend.create_task_group() as tasks:
        waiting = await tasks.start(listener.send, b"x", full_address)
        for _ in range(20):
            await listener.send(b"y", good_address)
            assert await good.receive() == b"y"
        waiting.cancel()
    for sock in (full, good, listener):
        await sock.aclose()


async def test_closing_ends_a_send_that_waits(place: UnixDatagrams, backend: AsyncBackend) -> None:
    listener = await place.listen()
    peer = await place.connect(listener)
    address = peer.extra(UNIXSocketAttribute.sockname).as_raw()
    while listener.send_nowait(b"x", address):
        pass

    async with backend.create_task_group() as tasks:

        async def send() -> None:
            with pytest.raises(OSError, match="closed"):
                await listener.send(b"x", address)

        await tasks.start(send)
        await backend.coro_yield()
        await listener.aclose()
    await peer.aclose()


async def test_a_peer_that_is_gone_is_an_error_for_who_sends_to_it(place: UnixDatagrams) -> None:
    listener = await place.listen()
    peer, stays = await place.connect(listener), await place.connect(listener)
    await peer.send(b"x")
    _, address = await listener.receive()
    await peer.aclose()

    with pytest.raises(FileNotFoundError):
        listener.send_nowait(b"x", address)
    await stays.aclose()
    await listener.aclose()


async def test_a_datagram_larger_than_any_buffer_of_udp_arrives_whole(place: UnixDatagrams) -> None:
    listener = await place.listen()
    peer = await place.connect(listener)
    data = bytes(range(250)) * 600  # 150 kB; the system's default allows 200
    await peer.send(data)
    assert (await listener.receive())[0] == data

    await peer.send(data)
    assert (await listener.receive_message(100))[0] == data
    await peer.aclose()
    await listener.aclose()


async def test_a_datagram_that_was_cut_off_is_an_error_or_nothing(
    backend: AsyncBackend, place: UnixDatagrams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("easynetwork.lowlevel.unix_messages._LARGEST", 1000)
    listener = await place.listen()
    peer = await place.connect(listener)
    assert isinstance(listener, SocketDatagramListener)
    address = peer.extra(UNIXSocketAttribute.sockname).as_raw()
    for data in (bytes(2000), b"y"):
        await peer.send(data)
        await listener.send(data, address)

    with pytest.raises(OSError, match="cut off") as caught:
        await peer.receive()
    assert caught.value.errno == errno.EMSGSIZE
    assert await peer.receive() == b"y"
    assert (await listener.receive())[0] == b"y"
    await peer.send(bytes(2000))
    data, _, flags, _ = await listener.receive_message(0)
    assert flags & socket.MSG_TRUNC
    assert 1000 <= len(data) < 2000
    await peer.aclose()
    await listener.aclose()
