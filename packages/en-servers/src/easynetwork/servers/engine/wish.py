# SPDX-License-Identifier: Apache-2.0
"""What a handler asks for with its ``yield``."""

from __future__ import annotations

import warnings

from easynetwork.lowlevel.request_handler import RecvParams

__all__ = ("PacketTimeoutError", "read_wish")

_NO_LIMIT = RecvParams()


class PacketTimeoutError(TimeoutError):
    """The time that the server gives each packet is over, and the handler has not asked for any: to let this pass is no error of its own."""


def read_wish(wish: object) -> RecvParams:
    """Understands what was yielded.

    Raises:
        TypeError, ValueError: it is nothing that can be asked for.
    """
    if wish is None:
        return _NO_LIMIT
    if isinstance(wish, RecvParams):
        return wish
    if isinstance(wish, int | float) and not isinstance(wish, bool):
        warnings.warn(
            "yielding a number of seconds is deprecated, yield RecvParams(timeout=...)",
            DeprecationWarning,
            stacklevel=2,
        )
        return RecvParams(timeout=wish)
    raise TypeError(f"a request handler may yield None or RecvParams, not {type(wish).__name__}")
