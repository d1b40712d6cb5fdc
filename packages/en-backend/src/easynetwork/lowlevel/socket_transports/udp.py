# SPDX-License-Identifier: Apache-2.0
"""Where datagram sockets of the Internet families come from."""

from __future__ import annotations

import socket as _socket
from collections.abc import Sequence
from typing import Any

from ..api_async.backend._sockets import DatagramSockets, NameResolution
from .binding import bind_all
from .datagrams import SocketDatagramEndpoint, SocketDatagramListener
from .watch import SocketWatcher

__all__ = ("UDPSockets",)


class UDPSockets(SocketWatcher, NameResolution, DatagramSockets):
    """UDP for backends that can watch sockets."""

    async def create_udp_endpoint(
        self,
        remote_host: str,
        remote_port: int,
        *,
        local_address: tuple[str, int] | None = None,
        family: int = _socket.AF_UNSPEC,
    ) -> SocketDatagramEndpoint:
        self.check_sockets_can_be_watched()
        remote = await self.getaddrinfo(remote_host, remote_port, family=family, type=_socket.SOCK_DGRAM)
        local: dict[int, tuple[Any, ...]] = {}
        if local_address is not None:
            for info in await self.getaddrinfo(
                *local_address, family=family, type=_socket.SOCK_DGRAM, flags=_socket.AI_PASSIVE
            ):
                local.setdefault(info[0], info[4])
            remote = [info for info in remote if info[0] in local]
            if not remote:
                raise OSError(f"no address of {remote_host!r} is of the same family as local_address")
        errors: list[OSError] = []
        for one_family, _, proto, _, address in remote:
            try:
                sock = _connected(one_family, proto, address, local.get(one_family))
            except OSError as exc:
                errors.append(exc)
            else:
                return SocketDatagramEndpoint(self, sock)
        if len(errors) == 1:
            raise errors[0]
        raise OSError(errors[0].errno, "; ".join(map(str, errors)))

    async def create_udp_listeners(
        self,
        host: str | Sequence[str] | None,
        port: int,
        *,
        reuse_port: bool = False,
    ) -> list[SocketDatagramListener]:
        self.check_sockets_can_be_watched()
        sockets = await bind_all(self, host, port, _socket.SOCK_DGRAM, reuse_port=reuse_port)
        return [SocketDatagramListener(self, sock) for sock in sockets]

    async def wrap_connected_datagram_socket(self, socket: _socket.socket) -> SocketDatagramEndpoint:
        self.check_sockets_can_be_watched()
        families = (_socket.AF_INET, _socket.AF_INET6, getattr(_socket, "AF_UNIX", None))
        if socket.type != _socket.SOCK_DGRAM or socket.family not in families:
            raise ValueError("socket: expected a UDP or Unix datagram socket")
        socket.getpeername()
        socket.setblocking(False)
        return SocketDatagramEndpoint(self, socket)


def _connected(family: int, proto: int, address: tuple[Any, ...], local: tuple[Any, ...] | None) -> _socket.socket:
    sock = _socket.socket(family, _socket.SOCK_DGRAM, proto)
    try:
        sock.setblocking(False)
        if local is not None:
            sock.bind(local)
        sock.connect(address)  # asks the routing table and nobody else, so it does not block
    except OSError as exc:
        sock.close()
        raise OSError(exc.errno, f"cannot connect to {address[:2]}: {exc.strerror}") from None
    return sock
