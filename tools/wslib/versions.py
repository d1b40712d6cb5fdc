# SPDX-License-Identifier: Apache-2.0
"""Version numbers as PEP 440 spells and orders them; ``packaging`` does more, but a bare Python
does not have it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

__all__ = ("PARTS", "Version", "bounds_of", "next_version")

PARTS = ("major", "minor", "patch")

_NUMBER = r"(?:0|[1-9][0-9]*)"
# The canonical spelling only: a tag, a manifest and the name of a file on an index are compared as
# texts.
_CANONICAL = re.compile(
    rf"(?P<release>{_NUMBER}(?:\.{_NUMBER})*)(?:(?P<phase>a|b|rc)(?P<pre>{_NUMBER}))?"
    rf"(?:\.post(?P<post>{_NUMBER}))?(?:\.dev(?P<dev>{_NUMBER}))?"
)
_PHASES = {"a": 0, "b": 1, "rc": 2}
_BEFORE_ALL_PHASES = (-1, 0)
_AFTER_ALL_PHASES = (3, 0)


@dataclass(frozen=True, order=True)
class Version:
    """Its fields are in the order that decides: ``1.2.0.dev1``, ``1.2.0rc1``, ``1.2.0``,
    ``1.2.0.post1``.
    """

    release: tuple[int, ...]
    """Without the zeros at its end: 1.2 and 1.2.0 are one version."""
    phase: tuple[int, int]
    post: int
    """-1 if it is no post-release."""
    dev: float
    """Infinite if it is no development release."""

    @classmethod
    def parse(cls, text: str) -> Version | None:
        """Returns None if PEP 440 knows no such version, or spells it in another way."""
        match = _CANONICAL.fullmatch(text)
        if match is None:
            return None
        release = re.sub(r"(\.0)+$", "", match["release"])
        if match["phase"]:
            phase = (_PHASES[match["phase"]], int(match["pre"]))
        else:
            phase = _BEFORE_ALL_PHASES if match["dev"] and not match["post"] else _AFTER_ALL_PHASES
        return cls(
            release=tuple(map(int, release.split("."))),
            phase=phase,
            post=int(match["post"] or -1),
            dev=int(match["dev"]) if match["dev"] else math.inf,
        )


def next_version(version: str, part: str) -> str | None:
    """Returns what follows ``version``; None unless it has three numbers and nothing else."""
    match = re.fullmatch(rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})", version)
    if match is None:
        return None
    at = PARTS.index(part)
    numbers = list(map(int, match.groups()))
    return ".".join(map(str, [*numbers[:at], numbers[at] + 1, *[0] * (2 - at)]))


def bounds_of(version: str) -> str:
    """Returns what siblings ask for: `manifests.check_versions` holds them to it."""
    return f">={version},<{int(version.partition('.')[0]) + 1}"
