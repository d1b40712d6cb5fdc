# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
from typing import Any, NamedTuple

from ._unix import RawUnixSocketAddress, UnixSocketAddress

__all__ = ("IPv4SocketAddress", "IPv6SocketAddress", "RawUnixSocketAddress", "SocketAddress", "new_socket_address")


class IPv4SocketAddress(NamedTuple):
    """An IPv4 address and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"({self.host!r}, {self.port})"

    def for_connection(self) -> tuple[str, int]:
        """Host and port, as connecting functions take them."""
        return self.host, self.port


class IPv6SocketAddress(NamedTuple):
    """An IPv6 address and a port. Flow information and scope are no part of its text."""

    host: str
    port: int
    flowinfo: int = 0
    scope_id: int = 0

    def __str__(self) -> str:
        return f"({self.host!r}, {self.port})"

    def for_connection(self) -> tuple[str, int]:
        """Host and port, as connecting functions take them."""
        return self.host, self.port


SocketAddress = IPv4SocketAddress | IPv6SocketAddress | UnixSocketAddress


def new_socket_address(addr: Any, family: int) -> SocketAddress:
    """The address that a socket of ``family`` gave.

    Raises:
        ValueError: the family is neither IPv4 nor IPv6 nor Unix.
    """
    if family == socket.AF_INET:
        return IPv4SocketAddress(*addr)
    if family == socket.AF_INET6:
        return IPv6SocketAddress(*addr)
    if family == getattr(socket, "AF_UNIX", None):
        # Linux gives None for the sender when a datagram comes from an unnamed socket.
        return UnixSocketAddress.from_raw(addr or "")
    raise ValueError(f"unsupported address family: {family!r}")
