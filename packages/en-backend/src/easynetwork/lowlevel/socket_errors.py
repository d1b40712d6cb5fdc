# SPDX-License-Identifier: Apache-2.0
"""The one border where errors of stream sockets become what users are told."""

from __future__ import annotations

import errno
from typing import Final

__all__ = ("stream_error",)

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
    """What to raise for an error of ``recv(2)``, ``send(2)`` or ``shutdown(2)``: a lost connection is a `ConnectionError`, whatever it died of."""
    if exc.errno in _LOST_CONNECTION:
        return ConnectionAbortedError(exc.errno, exc.strerror)
    return exc
