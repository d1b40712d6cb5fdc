# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Final, NamedTuple

from .impairments import Impairments
from .memory_sockets import InetAddress

__all__ = ("ON_TIME", "Transit", "impair")


class Transit(NamedTuple):
    """How one copy of a datagram gets to its destination."""

    delay: float = 0.0
    """Seconds."""
    overtaken: bool = False


ON_TIME: Final = Transit()


def impair(impairments: Impairments, sender: InetAddress) -> Iterator[tuple[Transit, ...]]:
    """Yields, without end, what becomes of each datagram that ``sender`` sends: how its copies
    travel. No copy arrives of one that is lost.
    """
    if impairments.impairs_nothing:
        yield from itertools.repeat((ON_TIME,))
    chance = random.Random(f"{impairments.seed} {sender}")

    def transit() -> Transit:
        return Transit(chance.uniform(*impairments.delays), chance.random() < impairments.reorder)

    while True:
        lost, doubled = chance.random() < impairments.loss, chance.random() < impairments.duplicate
        copies = (
            transit(),
            transit(),
        )  # always as many throws of the dice, so that no field changes what the others do
        yield () if lost else copies if doubled else copies[:1]
