# SPDX-License-Identifier: Apache-2.0
"""Outgoing TCP connections without an event loop: Happy Eyeballs (RFC 8305) over one selector.

For UDP the first address will do.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import selectors
import socket as _socket
import time
from collections import deque
from typing import Any, Final

from easynetwork.lowlevel.happy_eyeballs import (
    CONNECTION_ATTEMPT_DELAY,
    AddressInfo,
    failure_of_all,
    interleave_families,
)

from ._arguments import closed_on_error
from ._time_limits import LONGEST_POLL, deadline_after

__all__ = ("connect_tcp", "connect_udp")

_IN_PROGRESS: Final = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY})


def connect_tcp(
    host: str,
    port: int,
    *,
    timeout: float | None,
    local_address: tuple[str, int] | None = None,
    happy_eyeballs_delay: float | None = None,
) -> _socket.socket:
    """Connects to the first address of ``host`` that answers; the socket does not block.

    Raises:
        TimeoutError: no address has answered within ``timeout`` seconds (the resolution of the name
            is not counted).
        OSError: the host is unknown, or no address of it could be connected to.
    """
    remote, local = _resolve(host, port, _socket.SOCK_STREAM, local_address)
    delay = CONNECTION_ATTEMPT_DELAY if happy_eyeballs_delay is None else happy_eyeballs_delay
    with _Race(local, delay) as race:
        return race.run(interleave_families(remote), deadline_after(timeout))


def connect_udp(
    host: str,
    port: int,
    *,
    local_address: tuple[str, int] | None = None,
    family: int = _socket.AF_UNSPEC,
) -> _socket.socket:
    """Makes a socket that exchanges datagrams with the first address of ``host`` that this host can
    send to.

    Raises:
        OSError: the host is unknown, or there is no such address.
    """
    remote, local = _resolve(host, port, _socket.SOCK_DGRAM, local_address, family)
    failures: list[tuple[AddressInfo, OSError]] = []
    for info in remote:
        try:
            sock = _bound_socket(info, local)
            with closed_on_error(sock):
                sock.connect(info[4])
        except OSError as exc:
            failures.append((info, exc))
        else:
            return sock
    raise failure_of_all(failures)


def _resolve(
    host: str, port: int, kind: int, local_address: tuple[str, int] | None, family: int = _socket.AF_UNSPEC
) -> tuple[list[AddressInfo], dict[int, Any]]:
    """Where to connect to, and for each family from where, if that was asked for."""
    remote: list[AddressInfo] = list(_socket.getaddrinfo(host, port, type=kind, family=family))
    if local_address is None:
        return remote, {}
    infos = _socket.getaddrinfo(*local_address, type=kind, family=family, flags=_socket.AI_PASSIVE)
    local: dict[int, Any] = {info[0]: info[4] for info in reversed(infos)}
    return [info for info in remote if info[0] in local], local


def _bound_socket(info: AddressInfo, local: dict[int, Any]) -> _socket.socket:
    family, kind, proto, _, _ = info
    sock = _socket.socket(family, kind, proto)
    with closed_on_error(sock):
        if family in local:
            sock.bind(local[family])
    return sock


class _Race:
    """Attempts side by side; the first connection wins, and the others are closed."""

    def __init__(self, local: dict[int, Any], delay: float) -> None:
        self._local = local
        self._delay = delay
        self._selector = selectors.DefaultSelector()
        self._failures: list[tuple[AddressInfo, OSError]] = []
        self._next_start = -math.inf

    def __enter__(self) -> _Race:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for key in self._selector.get_map().values():
            assert isinstance(key.fileobj, _socket.socket)
            key.fileobj.close()
        self._selector.close()

    def run(self, addresses: list[AddressInfo], deadline: float) -> _socket.socket:
        waiting = deque(addresses)
        while waiting or self._selector.get_map():
            if waiting and time.monotonic() >= self._next_start:
                self._start(waiting.popleft())
                continue  # it may have failed already, and be the last
            until = min(deadline, self._next_start) if waiting else deadline
            for key, _ in self._selector.select(min(max(0.0, until - time.monotonic()), LONGEST_POLL)):
                if (winner := self._finish(key)) is not None:
                    return winner
            if time.monotonic() >= deadline:
                raise TimeoutError(errno.ETIMEDOUT, "no address has answered in time")
        raise failure_of_all(self._failures)

    def _start(self, info: AddressInfo) -> None:
        self._next_start = time.monotonic() + self._delay
        with contextlib.ExitStack() as stack:
            try:
                sock = stack.enter_context(_bound_socket(info, self._local))
                sock.setblocking(False)
                _raise_for(sock.connect_ex(info[4]))
            except OSError as exc:
                self._fail(info, exc)
                return
            self._selector.register(sock, selectors.EVENT_WRITE, info)
            stack.pop_all()

    def _finish(self, key: selectors.SelectorKey) -> _socket.socket | None:
        sock = key.fileobj
        assert isinstance(sock, _socket.socket)
        self._selector.unregister(sock)
        try:
            _raise_for(sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR))
        except OSError as exc:
            sock.close()
            self._fail(key.data, exc)
            return None
        return sock

    def _fail(self, info: AddressInfo, exc: OSError) -> None:
        self._failures.append((info, exc))
        self._next_start = -math.inf  # the next address need not wait for this one any more


def _raise_for(number: int) -> None:
    if number not in _IN_PROGRESS:
        raise OSError(number, os.strerror(number))
