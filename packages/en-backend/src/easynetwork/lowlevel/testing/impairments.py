# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ("Impairments",)


@dataclass(frozen=True, kw_only=True)
class Impairments:
    """What happens to datagrams on their way, as with the network emulator of Linux (tc-netem(8));
    the default is nothing.

    It is decided by chance, and the same seed decides the same about the same datagrams of a
    sender, whatever other senders do. One field does not change what the others do: the same
    datagrams are lost, whether there is a delay or not.

    Raises:
        TypeError: a field is no number.
        ValueError: a number is out of range.
    """

    loss: float = 0
    """Probability that a datagram does not arrive."""

    duplicate: float = 0
    """Probability that a datagram that is not lost arrives twice."""

    reorder: float = 0
    """Probability that a datagram is overtaken by the next one. The last of all is late, but
    arrives."""

    delay: float | tuple[float, float] = 0
    """Seconds on the way: always the same, or between the lowest and the highest. If they differ,
    datagrams overtake each other."""

    seed: int = 0
    """Which of all possible random series it is."""

    def __post_init__(self) -> None:
        for name in ("loss", "duplicate", "reorder"):
            _check_number(name, getattr(self, name), highest=1)
        # Callers may be untyped.
        if not isinstance(self.delay, tuple | int | float) or len(self.delays) != 2:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"delay: expected a number of seconds or a pair of them, got {self.delay!r}")
        for seconds in self.delays:
            _check_number("delay", seconds)
        if self.delays[0] > self.delays[1]:
            raise ValueError(f"delay: expected (lowest, highest), got {self.delay!r}")
        if not isinstance(self.seed, int):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise TypeError(f"seed: expected an integer, got {self.seed!r}")

    @property
    def delays(self) -> tuple[float, float]:
        """The lowest and the highest delay."""
        return self.delay if isinstance(self.delay, tuple) else (self.delay, self.delay)

    @property
    def impairs_nothing(self) -> bool:
        """Tells whether nothing happens to datagrams."""
        return not any((self.loss, self.duplicate, self.reorder, *self.delays))


def _check_number(name: str, value: object, *, highest: float = math.inf) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name}: expected a number, got {value!r}")
    if not (0 <= value <= highest and math.isfinite(value)):
        limit = "a finite number >= 0" if highest == math.inf else f"a number from 0 to {highest}"
        raise ValueError(f"{name}: expected {limit}, got {value!r}")
