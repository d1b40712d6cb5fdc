# SPDX-License-Identifier: Apache-2.0
"""Which of this host's addresses a datagram was sent to: control messages of UDP sockets that are
bound to a wildcard.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

from ._records import RawControlMessage

__all__ = ("PACKET_INFO_BUFSIZE", "IPv4PacketInfo", "IPv6PacketInfo", "request_packet_info", "unpack_packet_info")

_IP_PKTINFO: Final[int] = getattr(socket, "IP_PKTINFO", 8)  # ip(7); Python 3.11 does not name it
_IPV6_PKTINFO: Final[int] = getattr(socket, "IPV6_PKTINFO", 50)  # ipv6(7)

_IN_PKTINFO: Final = struct.Struct("@i4s4s")
_IN6_PKTINFO: Final = struct.Struct("@16sI")

PACKET_INFO_BUFSIZE: Final[int] = socket.CMSG_SPACE(_IN6_PKTINFO.size) if hasattr(socket, "CMSG_SPACE") else 0
"""Bytes of control buffer that are enough for the packet information of either family."""


class IPv4PacketInfo(NamedTuple):
    """Of a datagram that was received, or for one to be sent: ``IPv4PacketInfo(0, local,
    "0.0.0.0")`` answers from ``local``.
    """

    interface: int
    """Index of the network interface; 0 leaves the choice to the system."""
    local: str
    """The address to answer from (``ipi_spec_dst``). Not that in the header if it was sent to a
    multicast group, for instance."""
    destination: str
    """The address in the header (``ipi_addr``)."""

    @classmethod
    def from_raw(cls, data: bytes) -> IPv4PacketInfo:
        """Reads a ``struct in_pktinfo``.

        Raises:
            ValueError: ``data`` is too short.
        """
        _check_length(data, _IN_PKTINFO)
        interface, local, destination = _IN_PKTINFO.unpack_from(data)
        return cls(interface, socket.inet_ntop(socket.AF_INET, local), socket.inet_ntop(socket.AF_INET, destination))

    def as_raw(self) -> RawControlMessage:
        """The message as `socket.socket.sendmsg` takes it."""
        local, destination = (socket.inet_pton(socket.AF_INET, host) for host in (self.local, self.destination))
        return socket.IPPROTO_IP, _IP_PKTINFO, _IN_PKTINFO.pack(self.interface, local, destination)


class IPv6PacketInfo(NamedTuple):
    """Of a datagram that was received, or for one to be sent: ``IPv6PacketInfo(destination, 0)``
    answers from ``destination``.

    On a dual-stack socket IPv4 datagrams have it too, with mapped addresses (``::ffff:127.0.0.1``),
    and are answered with it.
    """

    destination: str
    """The address in the header. A multicast group cannot be answered from."""
    interface: int
    """Index of the network interface; 0 leaves the choice to the system."""

    @classmethod
    def from_raw(cls, data: bytes) -> IPv6PacketInfo:
        """Reads a ``struct in6_pktinfo``.

        Raises:
            ValueError: ``data`` is too short.
        """
        _check_length(data, _IN6_PKTINFO)
        destination, interface = _IN6_PKTINFO.unpack_from(data)
        return cls(socket.inet_ntop(socket.AF_INET6, destination), interface)

    def as_raw(self) -> RawControlMessage:
        """The message as `socket.socket.sendmsg` takes it."""
        destination = socket.inet_pton(socket.AF_INET6, self.destination)
        return socket.IPPROTO_IPV6, _IPV6_PKTINFO, _IN6_PKTINFO.pack(destination, self.interface)


class _Socket(Protocol):
    @property
    def family(self) -> int: ...

    def setsockopt(self, level: int, option: int, value: int, /) -> object: ...


def request_packet_info(sock: _Socket) -> None:
    """Makes each datagram that ``sock`` receives from now on come with its packet information.

    Raises:
        ValueError: it is no socket of IPv4 or IPv6.
        NotImplementedError: not known how on this system.
    """
    if sys.platform != "linux":
        raise NotImplementedError("packet information is implemented for Linux only")
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    elif sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        raise ValueError(f"sock: expected a socket of IPv4 or IPv6, got family {sock.family!r}")


def unpack_packet_info(messages: Iterable[RawControlMessage]) -> IPv4PacketInfo | IPv6PacketInfo | None:
    """The first packet information among ``messages``, or None.

    Raises:
        ValueError: it is too short.
    """
    for level, kind, data in messages:
        if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
            return IPv4PacketInfo.from_raw(data)
        if (level, kind) == (socket.IPPROTO_IPV6, _IPV6_PKTINFO):
            return IPv6PacketInfo.from_raw(data)
    return None


def _check_length(data: bytes, layout: struct.Struct) -> None:
    if len(data) < layout.size:
        raise ValueError(f"data: packet information has {layout.size} bytes, got {len(data)}")
