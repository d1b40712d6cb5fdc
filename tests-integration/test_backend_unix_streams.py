# SPDX-License-Identifier: Apache-2.0
"""What Unix streams promise beyond the rules of every backend, which the backends' own tests
examine (`backend_suite`).
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path

import pytest

from easynetwork.exceptions import UnsupportedOperation
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.socket import UnixSocketAddress, UNIXSocketAttribute
from easynetwork.lowlevel.streams import ByteStream
from easynetwork.lowlevel.testing import check_byte_stream
from easynetwork.lowlevel.testing.real_sockets import UnixStreams

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here"),
]

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="abstract names exist on Linux only")


@pytest.fixture
def place(backend: AsyncBackend, folder: Path) -> UnixStreams:
    return UnixStreams(backend, folder)


async def test_streams_with_a_sink_pass_the_examination(backend: AsyncBackend, place: UnixStreams) -> None:
    async def make_pair() -> tuple[ByteStream, ByteStream]:
        pair = await place.make_pair()
        for stream in pair:
            stream.deliver_control(lambda size, messages, truncated: True, 4096)
        return pair

    await check_byte_stream(backend, make_pair)


async def test_addresses_are_told(backend: AsyncBackend, place: UnixStreams) -> None:
    listener, local_path = await place.listen(), place.path()
    path = listener.extra(UNIXSocketAttribute.sockname)
    client = await backend.create_unix_stream_connection(path, local_path=local_path)
    server = await listener.accept()

    assert client.extra(UNIXSocketAttribute.peername) == server.extra(UNIXSocketAttribute.sockname) == path
    assert server.extra(UNIXSocketAttribute.peername) == UnixSocketAddress.from_pathname(local_path)
    for one in (client, server, listener):
        await one.aclose()


@pytest.mark.parametrize("forcefully", [True, False])
async def test_files_are_removed_with_their_sockets(
    backend: AsyncBackend, place: UnixStreams, folder: Path, forcefully: bool
) -> None:
    listener = await place.listen()
    path = listener.extra(UNIXSocketAttribute.sockname)
    client = await backend.create_unix_stream_connection(path, local_path=place.path())
    assert len(os.listdir(folder)) == 2

    if forcefully:
        client.abort()
    await client.aclose()
    await listener.aclose()
    assert not os.listdir(folder)


async def test_a_path_that_nobody_listens_to_is_named_and_leaves_no_file(
    backend: AsyncBackend, place: UnixStreams, folder: Path
) -> None:
    path = place.path()
    with pytest.raises(FileNotFoundError, match=f"cannot connect to '{path}'"):
        await backend.create_unix_stream_connection(path, local_path=place.path())

    assert not os.listdir(folder)


async def test_a_dead_servers_path_is_taken_and_a_living_ones_is_not(backend: AsyncBackend, place: UnixStreams) -> None:
    path = place.path()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    listener = await backend.create_unix_stream_listener(path, 10, mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600

    with pytest.raises(OSError, match=f"cannot bind to '{path}'") as caught:
        await backend.create_unix_stream_listener(path, 10)
    assert caught.value.errno == errno.EADDRINUSE
    await listener.aclose()


@on_linux
async def test_a_full_backlog_is_waited_for(backend: AsyncBackend, place: UnixStreams) -> None:
    listener = await place.listen(backlog=0)
    first = await place.connect(listener)

    async with backend.create_task_group() as tasks:
        given_up = await tasks.start(place.connect, listener)
        waiting = await tasks.start(place.connect, listener)
        await backend.sleep(0.01)
        given_up.cancel()
        await given_up.wait()
        (await listener.accept()).abort()
        second = await waiting.join()

    (await listener.accept()).abort()
    first.abort()
    second.abort()
    await listener.aclose()


@on_linux
async def test_abstract_and_chosen_names(backend: AsyncBackend) -> None:
    listener = await backend.create_unix_stream_listener("", 10)
    name = listener.extra(UNIXSocketAttribute.sockname)
    assert name.as_abstract_name()
    client = await backend.create_unix_stream_connection(name, local_path="")
    server = await listener.accept()

    assert server.extra(UNIXSocketAttribute.peername).as_abstract_name()
    for one in (client, server, listener):
        await one.aclose()


async def test_all_bytes_reach_a_late_reader_whose_own_were_not_read(place: UnixStreams) -> None:
    client, server = await place.make_pair()
    sent = server.send_nowait(bytes(1_000_000))
    await client.send(b"more requests that nobody reads")
    await server.aclose()  # waits for nobody

    received = 0
    while data := await client.receive(65536):
        received += len(data)
    assert received == sent > 0
    with pytest.raises(BrokenPipeError):
        await client.send(b"x")
    await client.aclose()


async def test_without_unix_sockets_the_error_says_so(backend: AsyncBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    for call in (
        backend.create_unix_stream_connection("/nowhere"),
        backend.create_unix_stream_listener("/nowhere", 1),
        backend.create_unix_datagram_endpoint("/nowhere"),
        backend.create_unix_datagram_listener("/nowhere"),
    ):
        with monkeypatch.context() as patch, pytest.raises(UnsupportedOperation, match="Unix sockets"):
            patch.delattr(socket, "AF_UNIX")
            await call
