# SPDX-License-Identifier: Apache-2.0
"""Addresses, attributes and options of sockets, and a safe view of a socket that belongs to
somebody else.

The records of control messages live in a distribution of their own, en-ancillary. They are offered
here too, and imported when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from easynetwork.ancillary import (
        SCMCredentials,
        SCMRights,
        SocketAncillary,
        SocketAncillaryMessages,
        SocketCredential,
    )

__all__ = (
    "INETSocketAttribute",
    "IPv4SocketAddress",
    "IPv6SocketAddress",
    "ISocket",
    "RawUnixSocketAddress",
    "SCMCredentials",
    "SCMRights",
    "SocketAddress",
    "SocketAncillary",
    "SocketAncillaryMessages",
    "SocketAttribute",
    "SocketCredential",
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

if not TYPE_CHECKING:
    _ANCILLARY = "easynetwork.ancillary"
    _OF_ANCILLARY = {"SCMCredentials", "SCMRights", "SocketAncillary", "SocketAncillaryMessages", "SocketCredential"}

    if find_spec(_ANCILLARY) is None:
        __all__ = tuple(name for name in __all__ if name not in _OF_ANCILLARY)

    def __getattr__(name):
        if name not in _OF_ANCILLARY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            value = getattr(import_module(_ANCILLARY), name)
        except ModuleNotFoundError as exc:
            if exc.name != _ANCILLARY:
                raise  # it is there and broken: its own error tells more
            raise ImportError(
                f"{__name__}.{name} needs the distribution 'en-ancillary', which is not installed", name=_ANCILLARY
            ) from exc
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *__all__})
