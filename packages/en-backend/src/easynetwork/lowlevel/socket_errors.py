# SPDX-License-Identifier: Apache-2.0
"""The one border where errors of sockets become what users are told."""

from __future__ import annotations

import errno
from typing import Final

__all__ = ("UNREACHED_PEER", "stream_error")

UNREACHED_PEER: Final = frozenset(
    # What ICMP tells of a datagram that was sent before (icmp(7); in Linux icmp_err_convert and
    # tab_unreach): one peer's trouble.
    {
        errno.ECONNREFUSED,
        errno.ECONNRESET,  # Windows says it so
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.ENETRESET,
        errno.ENOPROTOOPT,
        errno.EOPNOTSUPP,
        errno.EPROTO,
        errno.EACCES,
        errno.EMSGSIZE,
        getattr(errno, "ENONET", errno.EHOSTUNREACH),
        getattr(errno, "EHOSTDOWN", errno.EHOSTUNREACH),
    }
)
"""Errors of a datagram socket that say nothing about the socket itself."""

_LOST_CONNECTION: Final = frozenset(
    {
        errno.ETIMEDOUT,  # keep-alive or retransmissions gave up; as a TimeoutError it would look like the caller's own limit
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.ENOTCONN,
    }
)


def stream_error(exc: OSError) -> OSError:
    """What to raise for an error of ``recv(2)``, ``send(2)`` or ``shutdown(2)``: a lost connection
    is a `ConnectionError`, whatever it died of.
    """
    if exc.errno in _LOST_CONNECTION:
        return ConnectionAbortedError(exc.errno, exc.strerror)
    return exc
