# SPDX-License-Identifier: Apache-2.0
"""Time limits as callers give them, and as threads wait for them."""

from __future__ import annotations

import math
import threading
import time
from typing import Final

__all__ = ("LONGEST_POLL", "check_seconds", "deadline_after", "remaining")

LONGEST_POLL: Final = 86400.0
"""Seconds that one wait in the kernel may take: poll(2) and epoll_wait(2) count milliseconds in a C
int, so 24 days."""


def check_seconds(name: str, seconds: object, *, zero: bool = True) -> None:
    """Refuses what is no time limit.

    Args:
        zero: whether 0 is one.

    Raises:
        TypeError, ValueError: it is not a number, or negative.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"{name}: expected a number of seconds, got {type(seconds).__name__}")
    if not (seconds >= 0 if zero else seconds > 0):  # written so that NaN fails too
        raise ValueError(f"{name}: expected a number {'>=' if zero else '>'} 0, got {seconds!r}")


def deadline_after(timeout: float | None) -> float:
    """The end of ``timeout`` seconds from now, on the monotonic clock; None is never.

    Raises:
        TypeError, ValueError: as `check_seconds`.
    """
    if timeout is None:
        return math.inf
    check_seconds("timeout", timeout)
    return time.monotonic() + min(timeout, threading.TIMEOUT_MAX)  # which is centuries, and what a lock can wait


def remaining(deadline: float) -> float | None:
    """Seconds until ``deadline`` (on the monotonic clock), at least 0; None for an infinite one."""
    return None if deadline == math.inf else max(0.0, deadline - time.monotonic())
