# SPDX-License-Identifier: Apache-2.0
"""Peers are plain sockets, so that nothing but the client itself is under test."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import tempfile
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trustme

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.api_async.backend.utils import new_builtin_backend
from easynetwork.lowlevel.testing.event_loops import installed_event_loops
from easynetwork.protocol import AnyStreamProtocolType, BufferedStreamProtocol, DatagramProtocol, StreamProtocol
from easynetwork.serializers import StringLineSerializer

PATIENCE = 10  # seconds until a peer that waits in vain fails its test


LOOPS = installed_event_loops()


@pytest.fixture(params=list(LOOPS.values()), ids=list(LOOPS))
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def backend(anyio_backend: tuple[str, dict[str, Any]]) -> AsyncBackend:
    return new_builtin_backend(anyio_backend[0])


@pytest.fixture(params=[StreamProtocol, BufferedStreamProtocol])
def protocol(request: pytest.FixtureRequest) -> AnyStreamProtocolType[str, str]:
    """Lines of text, read in both ways."""
    return request.param(StringLineSerializer())  # type: ignore[no-any-return]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.settimeout(PATIENCE)
        yield sock


@pytest.fixture
def sockets(listener: socket.socket) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected TCP sockets: one to be given to a client, and its peer."""
    ours = socket.create_connection(listener.getsockname())
    theirs, _ = listener.accept()
    theirs.settimeout(PATIENCE)
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def ours(sockets: tuple[socket.socket, socket.socket]) -> socket.socket:
    return sockets[0]


@pytest.fixture
def peer(sockets: tuple[socket.socket, socket.socket]) -> socket.socket:
    return sockets[1]


@pytest.fixture
def datagrams() -> DatagramProtocol[str, str]:
    """Lines of text without their ends."""
    return DatagramProtocol(StringLineSerializer())


@pytest.fixture
def udp_sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two UDP sockets that are connected to each other: one to be given to a client, and its
    peer.
    """
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs,
    ):
        for sock in (ours, theirs):
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(PATIENCE)
        ours.connect(theirs.getsockname())
        theirs.connect(ours.getsockname())
        yield ours, theirs


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: that of a socket has 108 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="en-") as name:
        yield Path(name)


@pytest.fixture
def unix_streams() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected Unix stream sockets: one to be given to a client, and its peer."""
    yield from _unix_pair(socket.SOCK_STREAM)


@pytest.fixture
def unix_datagrams() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected Unix datagram sockets: one to be given to a client, and its peer."""
    yield from _unix_pair(socket.SOCK_DGRAM)


def _unix_pair(kind: int) -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    theirs.settimeout(PATIENCE)
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def count_descriptors() -> Callable[[], int]:
    """Counts the open descriptors of this process."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("this system does not list descriptors")
    return lambda: len(os.listdir("/proc/self/fd"))


@pytest.fixture
def one_descriptor_left() -> Callable[[], contextlib.AbstractContextManager[None]]:
    """So that the kernel has to cut off received descriptors.

    It gives the lowest free number to each.
    """
    resource = pytest.importorskip("resource")  # not every system has it

    @contextlib.contextmanager
    def one_descriptor_left() -> Generator[None, None, None]:
        free = [os.dup(0), os.dup(0)]
        for fd in free:
            os.close(fd)
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free[1], limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    return one_descriptor_left


@pytest.fixture
def wait_until_busy() -> Callable[[Callable[[], object]], None]:
    """Waits until ``operation``, which has no time, fails because another thread is doing the
    same.
    """

    def wait_until_busy(operation: Callable[[], object]) -> None:
        while True:
            try:
                operation()
            except TimeoutError as exc:
                if "another thread" in str(exc):
                    return

    return wait_until_busy


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as executor:
        yield executor


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def client_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context
