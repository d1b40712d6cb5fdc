# SPDX-License-Identifier: Apache-2.0
"""Where datagram sockets of the Internet families come from."""

from __future__ import annotations

import socket as _socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .binding import bind_all
from .datagrams import SocketDatagramEndpoint, SocketDatagramListener

if TYPE_CHECKING:
    from .backend import SocketBackend

__all__ = ("connect_udp", "open_udp_listeners", "wrap_datagram_socket")


async def open_udp_listeners(
    backend: SocketBackend, host: str | Sequence[str] | None, port: int, *, reuse_port: bool = False
) -> list[SocketDatagramListener]:
    """Binds every address of ``host`` (None or an empty string: all interfaces). Port 0 is one free port for all.

    Raises:
        OSError: an address is unknown, in use, or not allowed; nothing stays open.
    """
    sockets = await bind_all(backend, host, port, _socket.SOCK_DGRAM, reuse_port=reuse_port)
    return [SocketDatagramListener(backend, sock) for sock in sockets]


async def connect_udp(
    backend: SocketBackend,
    host: str,
    port: int,
    *,
    local_address: tuple[str, int] | None = None,
    family: int = _socket.AF_UNSPEC,
) -> SocketDatagramEndpoint:
    """Connects to the first address of ``host`` to which there is a way, from ``local_address`` if given.

    Raises:
        OSError: the host is unknown, or there is a way to none of its addresses.
    """
    remote = await backend.getaddrinfo(host, port, family=family, type=_socket.SOCK_DGRAM)
    local: dict[int, tuple[Any, ...]] = {}
    if local_address is not None:
        for info in await backend.getaddrinfo(
            *local_address, family=family, type=_socket.SOCK_DGRAM, flags=_socket.AI_PASSIVE
        ):
            local.setdefault(info[0], info[4])
        remote = [info for info in remote if info[0] in local]
        if not remote:
            raise OSError(f"no address of {host!r} is of the same family as local_address")
    errors: list[OSError] = []
    for one_family, _, proto, _, address in remote:
        try:
            sock = _connected(one_family, proto, address, local.get(one_family))
        except OSError as exc:
            errors.append(exc)
        else:
            return SocketDatagramEndpoint(backend, sock)
    if len(errors) == 1:
        raise errors[0]
    raise OSError(errors[0].errno, "; ".join(map(str, errors)))


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


def wrap_datagram_socket(backend: SocketBackend, sock: _socket.socket) -> SocketDatagramEndpoint:
    """Makes an endpoint of a connected UDP or Unix socket; the endpoint owns it from now on.

    Raises:
        OSError: the socket is not connected.
        ValueError: it is not a datagram socket.
    """
    families = (_socket.AF_INET, _socket.AF_INET6, getattr(_socket, "AF_UNIX", None))
    if sock.type != _socket.SOCK_DGRAM or sock.family not in families:
        raise ValueError("socket: expected a UDP or Unix datagram socket")
    sock.getpeername()
    sock.setblocking(False)
    return SocketDatagramEndpoint(backend, sock)
