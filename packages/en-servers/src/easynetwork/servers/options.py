# SPDX-License-Identifier: Apache-2.0
"""What a server lets its peers have, as data: how much, and for how long."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, fields
from typing import TypedDict

from easynetwork.lowlevel.defaults import HANDSHAKE_TIMEOUT, SHUTDOWN_TIMEOUT

__all__ = ("ServerLimits", "ServerOptions", "ServerTimeouts", "StreamServerOptions")

_NEVER_WITHOUT_LIMIT = ("handshake", "shutdown")


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerLimits:
    """How much of a server its peers may take; None switches a limit off.

    What a transport does not have it does not look at.

    Raises:
        TypeError: a limit is neither a whole number nor None.
        ValueError: a limit is below 1.
    """

    max_connections: int | None = 10_000
    """Connections at a time. At the limit the server accepts no more: they wait in the kernel's
    queue (the backlog), and behind it their peers do."""

    max_connections_per_address: int | None = 1_000
    """Connections of one IPv4 address, or of one IPv6 network of 64 bits, which is what a single
    host can choose its addresses from (RFC 4291, 2.5.1).

    More are reset at once. Behind a proxy all clients have one address, so switch it off there.
    """

    max_peers: int | None = 10_000
    """Peers of a datagram server that have a running generator. The datagrams of others are dropped
    meanwhile."""

    max_pending_datagrams: int | None = 128
    """Datagrams that wait for the generator of one peer. The newest are dropped."""

    max_pending_bytes: int | None = 1 << 20
    """Bytes in these datagrams. One datagram may always wait."""

    max_descriptors: int | None = 16
    """File descriptors that may come with one read of a Unix socket (a datagram, or a part of a
    stream). More are closed, and the request is an error."""

    max_pending_descriptors: int | None = 64
    """File descriptors that one peer may have waiting for its handler. Beyond them a datagram is
    dropped; on a stream, more are closed, and the request is an error."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None:
                continue
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError(f"{field.name}: expected a whole number or None, got {value!r}")
            if value < 1:
                raise ValueError(f"{field.name}: expected 1 or more, or None for no limit, got {value}")


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerTimeouts:
    """How long a server waits for its peers, in seconds; None waits without limit.

    Raises:
        TypeError: a time is neither a number nor None.
        ValueError: a time is not above 0, or not finite.
    """

    packet: float | None = None
    """For a whole packet, at each ``yield`` that names no time-out of its own: `TimeoutError` is
    thrown in there.

    A handler that lets it pass ends its client, without an error in the log.
    ``RecvParams(timeout=math.inf)`` waits without limit all the same.
    """

    idle: float | None = None
    """For any byte, in or out, while the handler waits at a ``yield``: then the client is closed in
    order. Between once and twice as many seconds, if something was sent to it meanwhile. On
    datagram servers it ends the generator, and what is sent does not count."""

    send_stall: float | None = SHUTDOWN_TIMEOUT
    """For the peer to take anything of what is being sent to it. A connection is then aborted
    (between once and twice as many seconds after the peer took the last byte), and the send raises
    `ConnectionError`. A send to a datagram peer raises `OSError` (``ENOBUFS``)."""

    handshake: float = HANDSHAKE_TIMEOUT
    """For a TLS handshake; never without limit."""

    shutdown: float = SHUTDOWN_TIMEOUT
    """For the peer to take anything of what is left when its connection is closed, and for its
    answer to the end of a TLS session; never without limit."""

    drain: float | None = None
    """For handlers to finish their requests when a standalone server is told to end by SIGTERM, as
    in ``shutdown(drain=...)``. None: for none, they are cancelled."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            is_optional = field.name not in _NEVER_WITHOUT_LIMIT
            if value is None and is_optional:
                continue
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise TypeError(f"{field.name}: expected seconds{' or None' if is_optional else ''}, got {value!r}")
            if not 0 < value < math.inf:  # written so that NaN fails too
                raise ValueError(f"{field.name}: expected a finite number of seconds above 0, got {value!r}")


class ServerOptions(TypedDict, total=False):
    """Keyword arguments that all servers take. None is the default of each."""

    limits: ServerLimits | None
    """How much of the server its peers may take at most."""

    timeouts: ServerTimeouts | None
    """How long the server waits for its peers."""

    logger: logging.Logger | None
    """Where to log; by default the logger of the server's module."""


class StreamServerOptions(ServerOptions, total=False):
    """Keyword arguments that all stream servers take. None is the default of each."""

    backlog: int | None
    """Connections that may wait to be accepted (512)."""

    max_recv_size: int | None
    """Bytes that one read may bring (64 KiB)."""

    log_client_connection: bool | None
    """Whether the coming and going of clients is logged as INFO (the default) or as DEBUG."""
