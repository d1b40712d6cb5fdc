# SPDX-License-Identifier: Apache-2.0
"""Peers that are plain sockets of the kernel."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

import anyio

from easynetwork.ancillary import SocketAncillary
from easynetwork.lowlevel.socket import UnixSocketAddress

PATIENCE = 10.0
"""Seconds after which what should come counts as lost."""

QUIET = 0.05
"""Seconds without anything after which nothing comes."""


class SocketPeer:
    """The other end: a connected datagram socket.

    What is sent has arrived when `send` returns, so a server finds several datagrams together.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock

    def send(self, *packets: str) -> None:
        for packet in packets:
            self.sock.send(packet.encode())

    def send_with_fds(self, packet: str, fds: Iterable[int]) -> None:
        socket.send_fds(self.sock, [packet.encode()], list(fds))

    async def receive(self) -> str:
        data: bytes = await self._received(socket.socket.recv, 1 << 20)
        return data.decode()

    async def receive_with_control(self) -> tuple[str, SocketAncillary]:
        data, messages, _, _ = await self._received(socket.socket.recvmsg, 1 << 16, 1 << 12)
        control = SocketAncillary()
        control.update_from_raw(messages)
        return data.decode(), control

    async def _received(self, receive: Any, *sizes: int) -> Any:
        with anyio.fail_after(PATIENCE):
            await anyio.wait_readable(self.sock)
        return receive(self.sock, *sizes)

    async def ask(self, packet: str) -> str:
        self.send(packet)
        return await self.receive()

    async def hears_nothing(self) -> bool:
        with anyio.move_on_after(QUIET):
            await anyio.wait_readable(self.sock)
            return False
        return True


class LineSocketPeer(SocketPeer):
    """The same over a stream, where packets are lines."""

    _buffer = b""

    def send(self, *packets: str) -> None:
        super().send(*(f"{packet}\n" for packet in packets))

    def send_with_fds(self, packet: str, fds: Iterable[int]) -> None:
        super().send_with_fds(f"{packet}\n", fds)

    async def receive(self) -> str:
        while b"\n" not in self._buffer:
            data: bytes = await self._received(socket.socket.recv, 1 << 16)
            if not data:
                raise EOFError(self._buffer)
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode()

    async def is_closed(self) -> bool:
        """Waits for the end of the connection; what comes before is an error."""
        try:
            unexpected = await self.receive()
        except (EOFError, ConnectionResetError):
            return True
        raise AssertionError(f"received {unexpected!r} instead of the end")


@contextmanager
def udp_peer(server: Any, *, to: str | None = None, bound_to: str = "") -> Generator[SocketPeer]:
    """A socket connected to one address of a UDP server, on the server's port: it hears answers
    that leave from there only.
    """
    address = server.get_addresses()[0]
    host = to or address.host
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        if bound_to:
            sock.bind((bound_to, 0))
        sock.connect((host, address.port))
        yield SocketPeer(sock)


@contextmanager
def unix_peer(server: Any, *, bound_to: str | bytes | None = "") -> Generator[SocketPeer]:
    """A socket connected to a Unix datagram server.

    It has an abstract name that the system chooses, the one given, or none at all (None).
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        if bound_to is not None:
            sock.bind(bound_to)
        sock.connect(server.get_addresses()[0].as_raw())
        yield SocketPeer(sock)


@contextmanager
def tcp_peer(server: Any) -> Generator[LineSocketPeer]:
    with socket.create_connection(server.get_addresses()[0].for_connection()) as sock:
        yield LineSocketPeer(sock)


@contextmanager
def unix_stream_peer(server: Any, *, bound_to: str | bytes | None = None) -> Generator[LineSocketPeer]:
    """A connection to a Unix stream server."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        if bound_to is not None:
            sock.bind(bound_to)
        sock.connect(server.get_addresses()[0].as_raw())
        yield LineSocketPeer(sock)


def name_of(peer: SocketPeer) -> str:
    """What the log calls a peer of a Unix server."""
    return str(UnixSocketAddress.from_raw(peer.sock.getsockname()))


class Pipe:
    """A descriptor to send, its writing end, and what happens to the copies that arrive
    elsewhere.
    """

    def __init__(self) -> None:
        self._reading_end, self.fd = os.pipe()

    def __enter__(self) -> Pipe:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()
        os.close(self._reading_end)

    def drop(self) -> None:
        """Closes our own copy of the writing end."""
        with contextlib.suppress(OSError):
            os.close(self.fd)
        self.fd = -1

    async def read(self) -> str:
        """What was written into any copy; an empty string if all of them are closed.

        Ours is dropped first.
        """
        self.drop()
        with anyio.fail_after(PATIENCE):
            await anyio.wait_readable(self._reading_end)
        return os.read(self._reading_end, 1 << 16).decode()


def write_and_close(fd: int, text: str) -> None:
    """What a handler does with a descriptor that it was given."""
    os.write(fd, text.encode())
    os.close(fd)
