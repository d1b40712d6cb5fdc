# SPDX-License-Identifier: Apache-2.0
"""Numbers that transports, servers and clients share."""

from __future__ import annotations

from typing import Final

__all__ = ("HANDSHAKE_TIMEOUT", "LARGEST_DATAGRAM", "MAX_RECV_SIZE", "SHUTDOWN_TIMEOUT", "TURN")

TURN: Final = 0.002
"""Seconds that a task may keep the event loop while it never has to wait. Ten such tasks delay
another by some 20 ms."""

MAX_RECV_SIZE: Final = 65536
"""Bytes read at once from a stream: below malloc's threshold for mappings of their own (128 KiB),
above which every read would cost page faults."""

LARGEST_DATAGRAM: Final = 65536
"""Bytes: more than any UDP datagram has (RFC 768)."""

HANDSHAKE_TIMEOUT: Final = 60.0
"""Seconds that a whole TLS handshake may take."""

SHUTDOWN_TIMEOUT: Final = 30.0
"""Seconds that a peer may take nothing of what is left before its connection is given up, and that
it may take to answer the end of a TLS session."""
