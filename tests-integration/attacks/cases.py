# SPDX-License-Identifier: Apache-2.0
"""Tests that are cases of the table in ``docs/under-attack.md``: those with the marker ``attack``,
in whatever file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

__all__ = ("Case",)


@dataclass(frozen=True)
class Case:
    """What its marker and its name tell of a test."""

    row: int
    tier: str
    """``F`` runs with all tests, ``R`` takes too long for that."""
    name: str
    loop: str
    """Empty if it runs on all of them, or on none."""

    @classmethod
    def of(cls, item: pytest.Item) -> Case | None:
        marker = item.get_closest_marker("attack")
        if marker is None or not isinstance(item, pytest.Function):
            return None
        callspec: Any = getattr(item, "callspec", None)  # there is none without parameters
        loop = "" if callspec is None else str(callspec.params.get("loop", ""))
        variant = "" if callspec is None else f"-{callspec.id}-".replace(f"-{loop}-", "-", 1).strip("-")
        name = item.originalname.removeprefix("test_").replace("_", " ")
        return cls(marker.kwargs["row"], marker.kwargs["tier"], f"{name} ({variant})" if variant else name, loop)
