# SPDX-License-Identifier: Apache-2.0
"""How clients call the two ends of their connection: addresses on the internet, names for Unix
sockets.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import TYPE_CHECKING, cast

from easynetwork.lowlevel.socket import get_peer_credentials

if TYPE_CHECKING:
    from easynetwork.lowlevel.socket import (
        IPv4SocketAddress,
        IPv6SocketAddress,
        ISocket,
        SocketAddress,
        UnixCredentials,
        UnixSocketAddress,
    )

__all__ = ("HasInetAddresses", "HasPeerCredentials", "HasUnixNames")


class _HasTwoEnds(metaclass=ABCMeta):
    @abstractmethod
    def _sockname(self) -> SocketAddress:
        """This end."""

    @abstractmethod
    def _peername(self) -> SocketAddress:
        """The other end."""


class HasInetAddresses(_HasTwoEnds):
    """A client on the internet."""

    def get_local_address(self) -> IPv4SocketAddress | IPv6SocketAddress:
        """This side of the connection.

        Raises:
            OSError: the client is asynchronous, and has no connection yet (``ENOTCONN``), or not
                any more.
        """
        return cast("IPv4SocketAddress | IPv6SocketAddress", self._sockname())

    def get_remote_address(self) -> IPv4SocketAddress | IPv6SocketAddress:
        """The peer's side of the connection.

        Raises:
            OSError: as for `get_local_address`.
        """
        return cast("IPv4SocketAddress | IPv6SocketAddress", self._peername())


class HasUnixNames(_HasTwoEnds):
    """A client of a Unix socket."""

    def get_local_name(self) -> UnixSocketAddress:
        """What this side of the connection is bound to; unnamed if to nothing.

        Raises:
            OSError: the client is asynchronous, and has no connection yet (``ENOTCONN``), or not
                any more.
        """
        return cast("UnixSocketAddress", self._sockname())

    def get_peer_name(self) -> UnixSocketAddress:
        """What the peer is bound to; unnamed if to nothing.

        Raises:
            OSError: as for `get_local_name`.
        """
        return cast("UnixSocketAddress", self._peername())


class HasPeerCredentials(HasUnixNames):
    """A client of a Unix stream, of whose peer the kernel knows more."""

    _credentials: UnixCredentials | None = None

    @abstractmethod
    def _socket_view(self) -> ISocket:
        """The socket of the connection."""

    def get_peer_credentials(self) -> UnixCredentials:
        """Who listens at the other end (or made it, if it was given as a socket).

        The kernel is asked once.

        Raises:
            OSError: there is no connection yet (``ENOTCONN``), or not any more.
            UnsupportedOperation: this system does not tell.
        """
        if self._credentials is None:
            self._credentials = get_peer_credentials(self._socket_view())
        return self._credentials
