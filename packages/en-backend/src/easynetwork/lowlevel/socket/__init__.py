# SPDX-License-Identifier: Apache-2.0
"""Addresses, attributes and options of sockets, and a safe view of a socket that belongs to somebody else."""

from __future__ import annotations

from ._addresses import (
    IPv4SocketAddress,
    IPv6SocketAddress,
    RawUnixSocketAddress,
    SocketAddress,
    new_socket_address,
)
from ._attributes import INETSocketAttribute, SocketAttribute, TLSAttribute, UNIXSocketAttribute
from ._options import (
    disable_socket_linger,
    enable_socket_linger,
    get_socket_linger,
    get_socket_linger_struct,
    set_tcp_keepalive,
    set_tcp_nodelay,
    socket_linger,
)
from ._proxy import ISocket, SocketProxy, SupportsSocketOptions
from ._unix import UnixCredentials, UnixSocketAddress, get_peer_credentials

__all__ = (
    "INETSocketAttribute",
    "IPv4SocketAddress",
    "IPv6SocketAddress",
    "ISocket",
    "RawUnixSocketAddress",
    "SocketAddress",
    "SocketAttribute",
    "SocketProxy",
    "SupportsSocketOptions",
    "TLSAttribute",
    "UNIXSocketAttribute",
    "UnixCredentials",
    "UnixSocketAddress",
    "disable_socket_linger",
    "enable_socket_linger",
    "get_peer_credentials",
    "get_socket_linger",
    "get_socket_linger_struct",
    "new_socket_address",
    "set_tcp_keepalive",
    "set_tcp_nodelay",
    "socket_linger",
)
