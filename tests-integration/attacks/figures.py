# SPDX-License-Identifier: Apache-2.0
"""What a case has measured, against the bars of the project."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

import pytest

__all__ = ("Figure", "Figures")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number, and where it may lie."""

    name: str
    value: float
    unit: str
    at_least: float | None
    at_most: float | None
    loop: str

    @property
    def holds(self) -> bool:
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )

    def __str__(self) -> str:
        bars = {"at least": self.at_least, "at most": self.at_most}
        said = " and ".join(f"{word} {bar:g}" for word, bar in bars.items() if bar is not None)
        return f"{self.name} on {self.loop}: {self.value:.4g} {self.unit}, where {said} is promised"


class Figures:
    """Collects the figures of one case.

    A bar that is missed fails the case at its end, when all have been measured.

    Args:
        record: is given each figure under a name, as pytest's ``record_property`` is: it gets into
            the report that ``ws test --attack`` reads.
    """

    def __init__(self, record: Callable[[str, object], None]) -> None:
        self._record = record
        self._figures: list[Figure] = []

    def add(
        self,
        name: str,
        value: float,
        unit: str = "",
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        exactly: float | None = None,
        loop: str,
    ) -> None:
        if exactly is not None:
            at_least = at_most = exactly
        figure = Figure(name=name, value=value, unit=unit, at_least=at_least, at_most=at_most, loop=loop)
        self._figures.append(figure)
        self._record("figure", json.dumps(asdict(figure)))

    def failed(self, loop: str) -> None:
        """Says on which event loop a case has failed that is tried on all of them at once."""
        self._record("failed", loop)

    def check(self) -> None:
        """Fails if a bar was missed."""
        missed = [figure for figure in self._figures if not figure.holds]
        if missed:
            pytest.fail("\n".join(map(str, missed)), pytrace=False)
