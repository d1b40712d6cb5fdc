# SPDX-License-Identifier: Apache-2.0
"""What the fuzzer throws bytes at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ("BrokenRule", "Target", "require")

MAX_LENGTH = 64
"""Of an input, in bytes. Limits are set so low that this is several frames; what is longer is only
slower. In a pickle each pair of bytes may double how often a value is inside another one, and
hashing that takes its time."""


class BrokenRule(Exception):
    """An input has made the code do what the contract rules out."""


@dataclass(frozen=True)
class Target:
    """One entry to the code."""

    run: Callable[[bytes], None]
    """Reads an input. Whatever it raises is a finding."""

    seeds: tuple[bytes, ...]
    """Where the fuzzer starts: inputs that reach as much as possible."""

    words: tuple[bytes, ...] = ()
    """What mutations should insert, where the fuzzer cannot see what a library written in C
    compares its input with."""


def require(holds: bool, rule: str, *facts: object) -> None:
    """
    Raises:
        BrokenRule: The rule does not hold. The facts are for the reader.
    """
    if not holds:
        raise BrokenRule("\n  ".join([rule, *map(repr, facts)]))
