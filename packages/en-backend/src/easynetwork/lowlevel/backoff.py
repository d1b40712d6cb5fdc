# SPDX-License-Identifier: Apache-2.0
"""How long to wait for what nobody tells: the system has to be asked again and again."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

__all__ = ("backoff",)

_FIRST: Final = 0.001
_LONGEST: Final = 0.05  # what waiting costs is 20 calls a second


def backoff() -> Generator[float, None, None]:
    """Yields seconds without end, each time twice as many, up to a twentieth of a second."""
    pause = _FIRST
    while True:
        yield pause
        pause = min(pause * 2, _LONGEST)
