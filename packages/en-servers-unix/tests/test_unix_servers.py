# SPDX-License-Identifier: Apache-2.0
"""All servers answer plain sockets, and hand descriptors on in both directions.

What else holds of them needs clients, and is in ``tests-integration``.
"""

from __future__ import annotations

import functools
import os
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from easynetwork.ancillary import SocketAncillary
from easynetwork.lowlevel.request_handler import RecvAncillaryDataParams, RecvParams
from easynetwork.protocol import DatagramProtocol, StreamProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers.abc import AbstractAsyncNetworkServer as AsyncServer
from easynetwork.servers.abc import AbstractNetworkServer as StandaloneServer
from easynetwork.servers.async_unix_datagram import AsyncUnixDatagramServer
from easynetwork.servers.async_unix_stream import AsyncUnixStreamServer
from easynetwork.servers.handlers import (
    AsyncBaseClientInterface,
    AsyncDatagramRequestHandler,
    AsyncStreamRequestHandler,
)
from easynetwork.servers.standalone_unix_datagram import StandaloneUnixDatagramServer
from easynetwork.servers.standalone_unix_stream import StandaloneUnixStreamServer
from easynetwork.servers.threads_helper import NetworkServerThread

PATIENCE = 10.0

KINDS = {"stream": socket.SOCK_STREAM, "datagram": socket.SOCK_DGRAM}

ASYNCHRONOUS: dict[str, Any] = {"stream": AsyncUnixStreamServer, "datagram": AsyncUnixDatagramServer}

STANDALONE: dict[str, Any] = {"stream": StandaloneUnixStreamServer, "datagram": StandaloneUnixDatagramServer}

each_kind = pytest.mark.parametrize("kind", list(KINDS))


class Shouting(AsyncStreamRequestHandler[str, str], AsyncDatagramRequestHandler[str, str]):
    """Answers with the descriptors that it was given, if any."""

    async def handle(self, client: AsyncBaseClientInterface[str]) -> AsyncGenerator[RecvParams, str]:
        received, answer = SocketAncillary(), SocketAncillary()
        request = yield RecvParams(recv_with_ancillary=RecvAncillaryDataParams(received.update_from_raw))
        fds = list(received.iter_fds())
        answer.add_fds(fds)
        await client.send_packet_with_ancillary(request.upper(), answer)
        for fd in fds:
            os.close(fd)


def arguments(kind: str, folder: Path) -> dict[str, Any]:
    common = {"path": folder / "server.sock", "request_handler": Shouting()}
    if kind == "stream":
        return {**common, "protocol": StreamProtocol(StringLineSerializer())}
    return {**common, "protocol": DatagramProtocol(StringLineSerializer()), "receive_ancillary_data": True}


def ask(kind: str, folder: Path, request: str, *fds: int) -> tuple[str, list[int]]:
    """Asks the server in ``folder``, and returns its answer and the descriptors that came along."""
    with socket.socket(socket.AF_UNIX, KINDS[kind]) as sock:
        sock.settimeout(PATIENCE)
        sock.bind(os.fspath(folder / "peer.sock"))
        sock.connect(os.fspath(folder / "server.sock"))
        socket.send_fds(sock, [f"{request}\n".encode()], fds)
        answer, returned, _, _ = socket.recv_fds(sock, 100, len(fds))
        return answer.decode().rstrip(), returned


@asynccontextmanager
async def running(server: AsyncServer) -> AsyncGenerator[None, None]:
    """Serves while the block runs."""
    async with server, anyio.create_task_group() as tasks:
        is_up = anyio.Event()
        tasks.start_soon(functools.partial(server.serve_forever, is_up_event=is_up))
        await is_up.wait()
        yield
        await server.shutdown()


@contextmanager
def running_in_a_thread(server: StandaloneServer) -> Generator[None, None, None]:
    """The same for a server that runs its event loop itself."""
    with server:
        thread = NetworkServerThread(server)
        thread.start()
        try:
            yield
        finally:
            thread.join(PATIENCE)


@pytest.mark.anyio
@each_kind
async def test_asynchronous_server_answers(kind: str, folder: Path) -> None:
    async with running(ASYNCHRONOUS[kind](**arguments(kind, folder))):
        assert await anyio.to_thread.run_sync(ask, kind, folder, "hello") == ("HELLO", [])


@each_kind
def test_standalone_server_answers(kind: str, folder: Path, anyio_backend: tuple[str, dict[str, Any]]) -> None:
    backend, options = anyio_backend
    with running_in_a_thread(STANDALONE[kind](**arguments(kind, folder), backend=backend, runner_options=options)):
        assert ask(kind, folder, "hello") == ("HELLO", [])


@pytest.mark.anyio
@each_kind
async def test_descriptors_reach_the_handler_and_the_peer(kind: str, folder: Path) -> None:
    reading_end, writing_end = os.pipe()
    try:
        async with running(ASYNCHRONOUS[kind](**arguments(kind, folder))):
            answer, (returned,) = await anyio.to_thread.run_sync(ask, kind, folder, "hello", writing_end)

        assert answer == "HELLO"
        assert returned != writing_end
        os.write(returned, b"through both")
        os.close(returned)
        assert os.read(reading_end, 100) == b"through both"
    finally:
        os.close(reading_end)
        os.close(writing_end)
