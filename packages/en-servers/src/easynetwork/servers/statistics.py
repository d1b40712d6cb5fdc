# SPDX-License-Identifier: Apache-2.0
"""What a server has done, as data."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ("CloseReason", "ServerStatistics")


class CloseReason(enum.StrEnum):
    """Why a connection has ended; the words are those of the log."""

    PEER_ENDED = "peer ended"
    PEER_RESET = "peer reset"
    """The connection was lost, or cut off without the end that TLS asks for."""
    IDLE = "idle"
    PACKET_TIMEOUT = "packet time-out"
    """The handler has let the `TimeoutError` of a ``yield`` pass."""
    SEND_STALLED = "send stalled"
    LIMIT = "limit"
    """It was one more than `ServerLimits` allow."""
    PROTOCOL_ERROR = "protocol error"
    """The handler has let the parse error of a bad frame pass, or nothing can be read behind the
    frame."""
    HANDLER_ERROR = "handler error"
    HANDLER_CLOSED = "handler closed"
    """The handler has closed the client, or returned without a request."""
    HANDSHAKE_FAILED = "handshake failed"
    DRAINING = "draining"
    """The server was draining, and the handler was told so at a ``yield``; if it raised before or
    was cancelled, that is the reason."""
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerStatistics:
    """Counters from the first ``serve_forever()`` of a server until now, and gauges of now.

    Nothing is counted by peer.
    """

    clients: int = 0
    """Now: connections that the handler has, or datagram peers whose handler waits."""

    clients_total: int = 0
    """Connections that the handler was given, or datagram peers that were new. One is new again
    when it was forgotten, behind some 1,000 others."""

    packets_received: int = 0
    packets_sent: int = 0

    bytes_received: int = 0
    """In packets or in parts of them, without what TLS adds."""

    bytes_sent: int = 0
    """In packets that were handed to the transport, without what TLS adds."""

    parse_errors: int = 0
    """Frames or datagrams that were no packet."""

    handler_errors: int = 0
    """Errors in the log that came out of the handler."""

    datagrams_dropped: int = 0
    """Those that `ServerLimits` had no room for."""

    handshakes_failed: int = 0

    longest_queue: int = 0
    """The most datagrams that have waited for one peer's generator, or the most sends that have
    waited for one connection."""

    limits_hit: Mapping[str, int] = field(default_factory=dict[str, int])
    """How often each limit has been met, by its name in `ServerLimits`; those that were not are not
    there.

    Descriptors are counted only where they have cost a datagram its place in the queue."""

    closed: Mapping[CloseReason, int] = field(default_factory=dict[CloseReason, int])
    """Connections that have ended, by reason; reasons that did not occur are not there."""
