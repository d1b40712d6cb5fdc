# SPDX-License-Identifier: Apache-2.0
"""What a handler asks for with its ``yield``."""

from __future__ import annotations

import warnings

from easynetwork.lowlevel.request_handler import RecvParams

__all__ = ("DefaultTimeoutError", "ReceiveTimeoutError", "read_recv_params")

_NO_LIMIT = RecvParams()


class ReceiveTimeoutError(TimeoutError):
    """The time is over that the handler has given a packet."""


class DefaultTimeoutError(ReceiveTimeoutError):
    """The time is over that the server gives each packet.

    The handler has not asked for any: to let this pass is no error of its own.
    """


def read_recv_params(yielded: object) -> RecvParams:
    """Understands what was yielded.

    Raises:
        TypeError, ValueError: it is nothing that can be asked for.
    """
    if yielded is None:
        return _NO_LIMIT
    if isinstance(yielded, RecvParams):
        return yielded
    if isinstance(yielded, int | float) and not isinstance(yielded, bool):
        warnings.warn(
            "yielding a number of seconds is deprecated, yield RecvParams(timeout=...)",
            DeprecationWarning,
            stacklevel=2,
        )
        return RecvParams(timeout=yielded)
    raise TypeError(f"a request handler may yield None or RecvParams, not {type(yielded).__name__}")
