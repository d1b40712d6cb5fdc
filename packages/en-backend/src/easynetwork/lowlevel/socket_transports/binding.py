# SPDX-License-Identifier: Apache-2.0
"""Sockets bound to every address of a host."""

from __future__ import annotations

import contextlib
import errno
import os
import socket as _socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ..api_async.backend._sockets import NameResolution

__all__ = ("bind_all",)

_Address = tuple[int, tuple[Any, ...]]
"""Family and socket address."""

_SAME_PORT_ATTEMPTS: Final = 10
"""How often a free port of one address is looked for on the others before giving up."""


async def bind_all(
    names: NameResolution,
    host: str | Sequence[str] | None,
    port: int,
    kind: _socket.SocketKind,
    *,
    backlog: int = 0,
    reuse_port: bool = False,
) -> list[_socket.socket]:
    """Binds a non-blocking socket to every address of ``host`` (None or an empty string: all
    interfaces). Port 0 is one free port for all.

    Args:
        kind: ``SOCK_STREAM`` for TCP sockets that listen, ``SOCK_DGRAM`` for UDP.
        backlog: length of the queue of connections (TCP).

    Raises:
        OSError: an address is unknown, in use, or not allowed; nothing stays open.
    """
    if reuse_port and not hasattr(_socket, "SO_REUSEPORT"):
        raise ValueError("reuse_port: this platform has no SO_REUSEPORT")
    addresses = await _resolve(names, host, port, kind)
    for attempt in range(_SAME_PORT_ATTEMPTS):
        try:
            return _bind_each(addresses, kind, backlog, reuse_port)
        except OSError as exc:
            port_was_chosen_for_us = port == 0 and len(addresses) > 1
            if not port_was_chosen_for_us or exc.errno != errno.EADDRINUSE or attempt == _SAME_PORT_ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


async def _resolve(
    names: NameResolution, host: str | Sequence[str] | None, port: int, kind: _socket.SocketKind
) -> list[_Address]:
    hosts: Sequence[str | None] = [host or None] if host is None or isinstance(host, str) else host
    found: dict[_Address, None] = {}  # a set that keeps the order
    for one in hosts:
        infos = await names.getaddrinfo(one, port, family=_socket.AF_UNSPEC, type=kind, flags=_socket.AI_PASSIVE)
        found.update(dict.fromkeys((int(family), address) for family, _, _, _, address in infos))
    return list(found)


def _bind_each(
    addresses: Sequence[_Address], kind: _socket.SocketKind, backlog: int, reuse_port: bool
) -> list[_socket.socket]:
    sockets: list[_socket.socket] = []
    port = addresses[0][1][1]
    # TCP keeps the families apart in any case, so that addresses are always written in their own.
    v6_only = kind == _socket.SOCK_STREAM or any(family == _socket.AF_INET for family, _ in addresses)
    try:
        for family, (host, _, *rest) in addresses:
            try:
                sock = _socket.socket(family, kind)
            except OSError as exc:
                if exc.errno == errno.EAFNOSUPPORT and len(addresses) > 1:
                    continue  # a resolver may know IPv6 where the kernel does not
                raise
            sockets.append(sock)
            sock.setblocking(False)
            _set_options(sock, reuse_port, v6_only)
            _bind(sock, (host, port, *rest))
            if kind == _socket.SOCK_STREAM:
                sock.listen(backlog)
            port = sock.getsockname()[1]
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _set_options(sock: _socket.socket, reuse_port: bool, v6_only: bool) -> None:
    if sock.type == _socket.SOCK_STREAM and os.name == "posix" and sys.platform != "cygwin":
        # A restart must not wait for old connections in TIME_WAIT. On Windows, and on UDP sockets,
        # the option would let others take the port.
        sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    if reuse_port:
        sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEPORT, 1)
    if sock.family == _socket.AF_INET6:
        with contextlib.nullcontext() if v6_only else contextlib.suppress(OSError):  # OpenBSD has no dual stack
            sock.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, v6_only)


def _bind(sock: _socket.socket, address: tuple[Any, ...]) -> None:
    try:
        sock.bind(address)
    except OSError as exc:
        raise OSError(exc.errno, f"cannot bind to {address[:2]}: {exc.strerror}") from None
