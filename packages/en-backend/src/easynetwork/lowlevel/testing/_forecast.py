# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Final, NamedTuple

from .memory_sockets import InetAddress
from .weather import Weather

__all__ = ("ON_TIME", "Passage", "forecast")


class Passage(NamedTuple):
    """How one copy of a datagram gets to its destination."""

    delay: float = 0.0
    """Seconds."""
    overtaken: bool = False


ON_TIME: Final = Passage()


def forecast(weather: Weather, sender: InetAddress) -> Iterator[tuple[Passage, ...]]:
    """Yields, without end, what becomes of each datagram that ``sender`` sends: how its copies travel. No copy arrives of one that is lost."""
    if weather.is_clear:
        yield from itertools.repeat((ON_TIME,))
    chance = random.Random(f"{weather.seed} {sender}")

    def passage() -> Passage:
        return Passage(chance.uniform(*weather.delays), chance.random() < weather.reorder)

    while True:
        lost, doubled = chance.random() < weather.loss, chance.random() < weather.duplicate
        copies = (
            passage(),
            passage(),
        )  # always as many throws of the dice, so that no field changes what the others do
        yield () if lost else copies if doubled else copies[:1]
