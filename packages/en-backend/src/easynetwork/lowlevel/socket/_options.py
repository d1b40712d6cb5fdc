# SPDX-License-Identifier: Apache-2.0
"""Socket options. All of these raise `OSError` if the socket does not take the option."""

from __future__ import annotations

import os
import socket
import struct
from typing import NamedTuple

from ._proxy import SupportsSocketOptions

__all__ = (
    "disable_socket_linger",
    "enable_socket_linger",
    "get_socket_linger",
    "get_socket_linger_struct",
    "set_tcp_keepalive",
    "set_tcp_nodelay",
    "socket_linger",
)

# `struct linger` has two ints, but two unsigned shorts on Windows.
_LINGER = struct.Struct("HH" if os.name == "nt" else "ii")


class socket_linger(NamedTuple):
    """The value of ``SO_LINGER``, named after the C structure."""

    enabled: bool
    timeout: int
    """Seconds that closing waits for what is unsent; 0 resets the connection."""


def get_socket_linger_struct() -> struct.Struct:
    """The layout of ``struct linger`` on this system: on or off, seconds."""
    return _LINGER


def get_socket_linger(sock: SupportsSocketOptions) -> socket_linger:
    """Reads ``SO_LINGER``."""
    enabled, timeout = _LINGER.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER.size))
    return socket_linger(bool(enabled), timeout)


def enable_socket_linger(sock: SupportsSocketOptions, timeout: int) -> None:
    """Makes closing wait up to ``timeout`` seconds for what is unsent; 0 makes it reset the
    connection.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER.pack(True, timeout))


def disable_socket_linger(sock: SupportsSocketOptions) -> None:
    """Makes closing return at once and send the rest in the background, as sockets do by
    default.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER.pack(False, 0))


def set_tcp_nodelay(sock: SupportsSocketOptions, state: bool) -> None:
    """Sends small segments at once (True), or collects them (False, Nagle's algorithm)."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, bool(state))


def set_tcp_keepalive(sock: SupportsSocketOptions, state: bool) -> None:
    """Lets the system probe silent connections, at its own intervals."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, bool(state))
