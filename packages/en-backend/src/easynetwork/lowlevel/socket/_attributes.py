# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ssl
from typing import Any

from ..typed_attr import TypedAttributeSet, typed_attribute
from ._addresses import IPv4SocketAddress, IPv6SocketAddress, SocketAddress
from ._proxy import ISocket
from ._unix import UnixSocketAddress

__all__ = ("INETSocketAttribute", "SocketAttribute", "TLSAttribute", "UNIXSocketAttribute")


class SocketAttribute(TypedAttributeSet):
    """What every socket has. The narrower classes share its keys and say more about the values."""

    socket: ISocket = typed_attribute()
    sockname: SocketAddress = typed_attribute()
    """The local address."""
    peername: SocketAddress = typed_attribute()
    """The address of the other end; missing on a socket that is not connected."""
    family: int = typed_attribute()


class INETSocketAttribute(SocketAttribute):
    """What IPv4 and IPv6 sockets have."""

    # They are read only, so the narrower types are safe, which pyright cannot know.
    socket: ISocket
    sockname: IPv4SocketAddress | IPv6SocketAddress  # pyright: ignore[reportIncompatibleVariableOverride]
    peername: IPv4SocketAddress | IPv6SocketAddress  # pyright: ignore[reportIncompatibleVariableOverride]
    family: int


class UNIXSocketAttribute(SocketAttribute):
    """What Unix sockets have."""

    # They are read only, so the narrower types are safe, which pyright cannot know.
    socket: ISocket
    sockname: UnixSocketAddress  # pyright: ignore[reportIncompatibleVariableOverride]
    peername: UnixSocketAddress  # pyright: ignore[reportIncompatibleVariableOverride]
    family: int


class TLSAttribute(TypedAttributeSet):
    """What an encrypted stream has."""

    sslcontext: ssl.SSLContext = typed_attribute()
    peercert: dict[str, Any] | None = typed_attribute()
    """The peer's certificate as `ssl.SSLSocket.getpeercert` gives it: empty if not verified, None
    if there is none."""
    cipher: tuple[str, str, int] = typed_attribute()
    """Name, protocol version and number of secret bits."""
    compression: str | None = typed_attribute()
    tls_version: str = typed_attribute()
    """For instance ``"TLSv1.3"``."""
    standard_compatible: bool = typed_attribute()
    """Whether an end without ``close_notify`` is an error."""
