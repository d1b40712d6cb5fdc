# SPDX-License-Identifier: Apache-2.0
"""What the constructors of servers are given, checked where it is given."""

from __future__ import annotations

from collections.abc import Sequence

from ..options import ServerLimits, ServerTimeouts

__all__ = ("check_drain", "check_host", "check_options", "check_range", "check_type")


def check_type(name: str, value: object, *kinds: type) -> None:
    """Raises `TypeError` if ``value`` is of none of the kinds."""
    if not isinstance(value, kinds) or isinstance(value, bool):  # a bool is an int by inheritance only
        raise TypeError(f"{name}: expected {' or '.join(kind.__name__ for kind in kinds)}, got {type(value).__name__}")


def check_host(host: str | Sequence[str] | None) -> None:
    """Raises `TypeError` or `ValueError` if ``host`` is nothing that can be bound."""
    if host is None or isinstance(host, str):
        return
    check_type("host", host, str, Sequence)
    if not host:
        raise ValueError("host: expected at least one address; None stands for all interfaces")
    for one in host:
        check_type("host", one, str)


def check_range(name: str, value: int, low: int, high: int | None = None) -> int:
    """Returns ``value``, or raises `TypeError` or `ValueError`; ``high`` is allowed, None is no limit."""
    check_type(name, value, int)
    if value < low or (high is not None and value > high):
        raise ValueError(f"{name}: expected {f'{low} or more' if high is None else f'{low} to {high}'}, got {value}")
    return value


def check_options(limits: ServerLimits | None, timeouts: ServerTimeouts | None) -> tuple[ServerLimits, ServerTimeouts]:
    """Returns what was given, or the defaults; raises `TypeError`."""
    limits = ServerLimits() if limits is None else limits
    timeouts = ServerTimeouts() if timeouts is None else timeouts
    check_type("limits", limits, ServerLimits)
    check_type("timeouts", timeouts, ServerTimeouts)
    return limits, timeouts


def check_drain(drain: float | None) -> None:
    """Raises `TypeError` or `ValueError` if ``drain`` is no time that handlers could be given; 0 is one."""
    if drain is None:
        return
    check_type("drain", drain, int, float)
    if not drain >= 0:  # written so that NaN fails too
        raise ValueError(f"drain: expected 0 seconds or more, got {drain!r}")
