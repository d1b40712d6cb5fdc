# SPDX-License-Identifier: Apache-2.0
"""Datagram sockets in the same process, and what impairs the way between them.

They keep as little as real ones: a full queue sheds what comes last.
"""

from __future__ import annotations

import contextlib
import errno
import socket as _socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from ..datagrams import DatagramEndpoint, DatagramListener
from ..socket import INETSocketAttribute, IPv4SocketAddress
from ._impair import ON_TIME, Transit, impair
from ._mailbox import Mailbox
from .impairments import Impairments
from .memory_sockets import AddressBook, InetAddress, MemorySocket, inet_address, is_wildcard, loopback

if TYPE_CHECKING:
    from ..api_async.backend.abc import AsyncBackend

__all__ = ("MemoryDatagramEndpoint", "MemoryDatagramListener", "MemoryDatagramNetwork", "memory_datagram_pair")

_CAPACITY: Final = 128
"""Datagrams that wait in one socket: enough for a few packets, and small enough that tests meet the
limit."""

_LARGEST: Final = 65507
"""Bytes in one datagram: what IPv4 and UDP leave of 65,535 (RFC 768)."""

_HERE: Final = IPv4SocketAddress("127.0.0.1", 1)
_THERE: Final = IPv4SocketAddress("127.0.0.1", 2)
_ANY_PORT: Final = IPv4SocketAddress("127.0.0.1", 0)
_NONE: Final = Impairments()


class _MemoryDatagramSocket:
    """What endpoints and listeners have in common."""

    def __init__(self, network: MemoryDatagramNetwork, address: InetAddress, peer: InetAddress | None = None) -> None:
        self._network = network
        self._address = address
        self._peer = peer
        self._socket = MemorySocket(_socket.SOCK_DGRAM, address, peer)
        self._mailbox = Mailbox(network.backend(), network.capacity)
        self._transits = impair(network.impairments, address)

    def backend(self) -> AsyncBackend:
        return self._network.backend()

    def is_closing(self) -> bool:
        return self._mailbox.closed

    async def aclose(self) -> None:
        self._mailbox.close()

    @property
    def address(self) -> InetAddress:
        """Where it is bound."""
        return self._address

    @property
    def dropped(self) -> int:
        """How many datagrams were shed because nobody received those before.

        What was lost on the way does not count.
        """
        return self._mailbox.dropped

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        attributes: dict[Any, Callable[[], Any]] = {
            INETSocketAttribute.socket: lambda: self._socket,
            INETSocketAttribute.family: lambda: self._socket.family,
            INETSocketAttribute.sockname: lambda: self._address,
        }
        if self._peer is not None:
            attributes[INETSocketAttribute.peername] = lambda: self._peer
        return attributes

    def post(self, data: bytes, sender: InetAddress, transit: Transit) -> None:
        """Puts a datagram where `receive` finds it.

        A connected socket takes those of its peer only.
        """
        if self._peer is None or sender == self._peer:
            self._mailbox.put((data, sender), transit)

    def _send(self, data: bytes | bytearray | memoryview, destination: InetAddress) -> None:
        self._mailbox.check_open()
        if len(data) > _LARGEST:
            raise OSError(errno.EMSGSIZE, f"a datagram has at most {_LARGEST} bytes")
        source = loopback(destination, self._address.port) if is_wildcard(self._address) else self._address
        for transit in next(self._transits):
            self._network.deliver(bytes(data), source, destination, transit)


class MemoryDatagramEndpoint(_MemoryDatagramSocket, DatagramEndpoint):
    """Made by `memory_datagram_pair`, or connected to a listener through their network."""

    async def receive(self, deadline: float | None = None) -> bytes:
        data, _ = await self._mailbox.take(deadline)
        return data

    async def send(self, data: bytes | bytearray | memoryview) -> None:
        assert self._peer is not None
        try:
            self._send(data, self._peer)
        except ConnectionRefusedError as exc:  # comes back over the network, as an ICMP message does
            self._mailbox.put(exc)


class MemoryDatagramListener(_MemoryDatagramSocket, DatagramListener):
    """Bound by `MemoryDatagramNetwork.open_listener`."""

    async def receive(self, deadline: float | None = None) -> tuple[bytes, InetAddress]:
        return await self._mailbox.take(deadline)

    def interrupt_receive(self, error: Exception) -> None:
        self._mailbox.interrupt(error)

    def send_nowait(self, data: bytes | bytearray | memoryview, address: tuple[Any, ...]) -> bool:
        with contextlib.suppress(ConnectionRefusedError):  # one peer's trouble is not the others'
            self._send(data, inet_address(*address[:2]))
        return True

    async def send(self, data: bytes | bytearray | memoryview, address: tuple[Any, ...]) -> None:
        self.send_nowait(data, address)


class MemoryDatagramNetwork:
    """Where datagrams travel, each copy of them through `deliver`.

    Args:
        capacity: datagrams that wait in one socket, or are on their way to it; the newest are shed
            beyond it.
        impairments: what happens to datagrams on their way.
    """

    def __init__(self, backend: AsyncBackend, *, capacity: int = _CAPACITY, impairments: Impairments = _NONE) -> None:
        self._backend = backend
        self._bound: AddressBook[_MemoryDatagramSocket] = AddressBook()
        self.capacity = capacity
        self.impairments = impairments

    def backend(self) -> AsyncBackend:
        return self._backend

    def open_listener(self, address: InetAddress = _ANY_PORT) -> MemoryDatagramListener:
        """Binds ``address``; port 0 is any free one.

        Raises:
            OSError: the address is in use.
        """
        listener = MemoryDatagramListener(self, self._bound.choose(address))
        self._bound.enter(listener.address, listener)
        return listener

    def open_endpoint(self, peer: InetAddress, local: InetAddress | None = None) -> MemoryDatagramEndpoint:
        """Connects to ``peer``, from ``local`` or from any free port of this host.

        Raises:
            OSError: the local address is in use.
        """
        endpoint = MemoryDatagramEndpoint(self, self._bound.choose(local or loopback(peer, 0)), peer)
        self._bound.enter(endpoint.address, endpoint)
        return endpoint

    def deliver(self, data: bytes, source: InetAddress, destination: InetAddress, transit: Transit = ON_TIME) -> None:
        """Takes a copy of a datagram to its destination.

        Raises:
            ConnectionRefusedError: nobody is there, which is found out at once.
        """
        receiver = self._bound.find(destination)
        if receiver is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"nobody is at {destination}")
        receiver.post(data, source, transit)


def memory_datagram_pair(
    backend: AsyncBackend, *, capacity: int = _CAPACITY, impairments: Impairments = _NONE
) -> tuple[MemoryDatagramEndpoint, MemoryDatagramEndpoint]:
    """Two endpoints that are connected to each other, in a network of their own.

    Args:
        capacity: datagrams that wait in each of them, or are on their way to it; the newest are
            shed beyond it.
        impairments: what happens to datagrams on their way.
    """
    network = MemoryDatagramNetwork(backend, capacity=capacity, impairments=impairments)
    return network.open_endpoint(_THERE, _HERE), network.open_endpoint(_HERE, _THERE)
