# SPDX-License-Identifier: Apache-2.0
"""Answers that leave from the address that was asked.

A socket that is bound to all addresses of the host would let the routing table choose the source of
each answer, and a client that has connected its socket to one of them would never see it. So the
kernel is asked for each datagram where it was sent to (``IP_PKTINFO``, ip(7); ``IPV6_PKTINFO``, RFC
3542), and told with each answer where to send it from. It costs a ``recvmsg`` instead of a
``recvfrom``: only wildcard sockets pay for it.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Final, NamedTuple

from easynetwork.ancillary import (
    PACKET_INFO_BUFSIZE,
    IPv4PacketInfo,
    IPv6PacketInfo,
    request_packet_info,
    unpack_packet_info,
)
from easynetwork.lowlevel.datagrams import ControlDatagramListener, DatagramListener
from easynetwork.lowlevel.socket import INETSocketAttribute
from easynetwork.lowlevel.streams import RawControlMessage
from easynetwork.servers.engine.datagram_source import DatagramSource, WrappedListener

__all__ = ("Flow", "PacketInfoListener", "answering_from_local_address")

_REMEMBERED: Final = 256
"""Local addresses whose control messages are kept ready. Most hosts have a handful; 127.0.0.0/8
alone has 16 million."""


class Flow(NamedTuple):
    """A remote address, and the local one that its datagrams were sent to: the name of a client on
    a wildcard socket.
    """

    remote: Any
    """As the socket gives it."""

    local: str | None
    """None if the datagram was sent to an address that nobody can answer from (multicast)."""


class PacketInfoListener(WrappedListener[ControlDatagramListener]):
    """The datagrams of a wildcard socket. Its addresses are of the class `Flow`."""

    def __init__(self, listener: ControlDatagramListener) -> None:
        request_packet_info(listener.extra(INETSocketAttribute.socket))
        super().__init__(listener)
        self._known_locals: dict[bytes, str | None] = {}  # by the kernel's own words
        self._sources: dict[str, list[RawControlMessage]] = {}

    async def receive(self) -> tuple[bytes, Flow]:
        data, messages, _, remote = await self._listener.receive_message(PACKET_INFO_BUFSIZE)
        return data, Flow(remote, self._local_of(messages))

    def _local_of(self, messages: list[RawControlMessage]) -> str | None:
        if len(messages) != 1:  # somebody has asked for more (`get_sockets`)
            return _answerable(unpack_packet_info(messages))
        key = messages[0][2]
        if key not in self._known_locals:
            if len(self._known_locals) >= _REMEMBERED:
                self._known_locals.clear()
            self._known_locals[key] = _answerable(unpack_packet_info(messages))
        return self._known_locals[key]

    def send_nowait(self, data: bytes, address: Flow) -> bool:
        return self._listener.send_message_nowait(data, self._source(address.local), address.remote)

    async def send(self, data: bytes, address: Flow) -> None:
        await self._listener.send_message(data, self._source(address.local), address.remote)

    def _source(self, local: str | None) -> list[RawControlMessage]:
        if local is None:
            return []
        if local not in self._sources:
            if len(self._sources) >= _REMEMBERED:
                self._sources.clear()
            info = IPv6PacketInfo(local, 0) if ":" in local else IPv4PacketInfo(0, local, "0.0.0.0")
            self._sources[local] = [info.as_raw()]
        return self._sources[local]


def answering_from_local_address(listener: DatagramListener) -> DatagramSource[bytes]:
    """``listener`` itself, or, if it is bound to all addresses and the system can tell them apart,
    an `PacketInfoListener`.
    """
    host = listener.extra(INETSocketAttribute.sockname).host
    if not isinstance(listener, ControlDatagramListener) or not ipaddress.ip_address(host).is_unspecified:
        return listener
    try:
        return PacketInfoListener(listener)
    except NotImplementedError:
        return listener


def _answerable(info: IPv4PacketInfo | IPv6PacketInfo | None) -> str | None:
    if isinstance(info, IPv4PacketInfo):
        return info.local  # one of ours, also when the datagram was sent to a group
    if info is None or ipaddress.ip_address(info.destination).is_multicast:
        return None
    return info.destination
