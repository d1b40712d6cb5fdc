# SPDX-License-Identifier: Apache-2.0
"""Datagram sockets in the same process. They keep as little as real ones: a full queue sheds what comes last."""

from __future__ import annotations

import contextlib
import errno
import socket as _socket
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from ..datagrams import DatagramEndpoint, DatagramListener
from ..socket import INETSocketAttribute, IPv4SocketAddress
from ._signal import Signal
from .memory_sockets import AddressBook, InetAddress, MemorySocket, inet_address, is_wildcard, loopback

if TYPE_CHECKING:
    from ..api_async.backend.abc import AsyncBackend

__all__ = ("MemoryDatagramEndpoint", "MemoryDatagramListener", "MemoryDatagramNetwork", "memory_datagram_pair")

_CAPACITY: Final = 128
"""Datagrams that wait in one socket: enough for a few packets, and small enough that tests meet the limit."""

_LARGEST: Final = 65507
"""Bytes in one datagram: what IPv4 and UDP leave of 65,535 (RFC 768)."""

_HERE: Final = IPv4SocketAddress("127.0.0.1", 1)
_THERE: Final = IPv4SocketAddress("127.0.0.1", 2)
_ANY_PORT: Final = IPv4SocketAddress("127.0.0.1", 0)


class _Mailbox:
    """What has come for one socket and was not received yet."""

    def __init__(self, backend: AsyncBackend, capacity: int) -> None:
        self._capacity = capacity
        self._waiting: deque[tuple[bytes, InetAddress] | OSError] = deque()
        self._changed = Signal(backend)
        self.closed = False
        self.dropped = 0

    def put(self, arrival: tuple[bytes, InetAddress] | OSError) -> None:
        if len(self._waiting) >= self._capacity:
            self.dropped += 1
            return
        self._waiting.append(arrival)
        self._changed.fire()

    async def take(self, deadline: float | None) -> tuple[bytes, InetAddress]:
        await self._changed.wait_until(self._can_take, deadline)
        arrival = self._waiting.popleft()
        if isinstance(arrival, OSError):
            raise arrival
        return arrival

    def _can_take(self) -> bool:
        self.check_open()
        return bool(self._waiting)

    def check_open(self) -> None:
        if self.closed:
            raise OSError(errno.EBADF, "the socket is closed")

    def close(self) -> None:
        self.closed = True
        self._waiting.clear()
        self._changed.fire()


class _MemoryDatagramSocket:
    """What endpoints and listeners have in common."""

    def __init__(self, network: MemoryDatagramNetwork, address: InetAddress, peer: InetAddress | None = None) -> None:
        self._network = network
        self._address = address
        self._peer = peer
        self._socket = MemorySocket(_socket.SOCK_DGRAM, address, peer)
        self._mailbox = _Mailbox(network.backend(), network.capacity)

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
        """How many datagrams were shed because nobody received those before."""
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

    def post(self, data: bytes, sender: InetAddress) -> None:
        """Puts a datagram where `receive` finds it. A connected socket takes those of its peer only."""
        if self._peer is None or sender == self._peer:
            self._mailbox.put((data, sender))

    def _send(self, data: bytes | bytearray | memoryview, destination: InetAddress) -> None:
        self._mailbox.check_open()
        if len(data) > _LARGEST:
            raise OSError(errno.EMSGSIZE, f"a datagram has at most {_LARGEST} bytes")
        source = loopback(destination, self._address.port) if is_wildcard(self._address) else self._address
        self._network.deliver(bytes(data), source, destination)


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

    def send_nowait(self, data: bytes | bytearray | memoryview, address: tuple[Any, ...]) -> bool:
        with contextlib.suppress(ConnectionRefusedError):  # one peer's trouble is not the others'
            self._send(data, inet_address(*address[:2]))
        return True

    async def send(self, data: bytes | bytearray | memoryview, address: tuple[Any, ...]) -> None:
        self.send_nowait(data, address)


class MemoryDatagramNetwork:
    """Where datagrams travel, each of them through `deliver`.

    Args:
        capacity: datagrams that wait in one socket; the newest are shed beyond it.
    """

    def __init__(self, backend: AsyncBackend, *, capacity: int = _CAPACITY) -> None:
        self._backend = backend
        self._bound: AddressBook[_MemoryDatagramSocket] = AddressBook()
        self.capacity = capacity

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

    def deliver(self, data: bytes, source: InetAddress, destination: InetAddress) -> None:
        """Takes a datagram to its destination.

        Raises:
            ConnectionRefusedError: nobody is there.
        """
        receiver = self._bound.find(destination)
        if receiver is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"nobody is at {destination}")
        receiver.post(data, source)


def memory_datagram_pair(
    backend: AsyncBackend, *, capacity: int = _CAPACITY
) -> tuple[MemoryDatagramEndpoint, MemoryDatagramEndpoint]:
    """Two endpoints that are connected to each other, in a network of their own.

    Args:
        capacity: datagrams that wait in each of them; the newest are shed beyond it.
    """
    network = MemoryDatagramNetwork(backend, capacity=capacity)
    return network.open_endpoint(_THERE, _HERE), network.open_endpoint(_HERE, _THERE)
