# SPDX-License-Identifier: Apache-2.0
"""How the tool fails: always with what went wrong and what to do next."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ("Fault", "WorkspaceError")


class WorkspaceError(Exception):
    """Ends a verb. The message is shown to the user as it is, without a traceback."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(what, advice)
        self.what = what
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.what}\n  What to do: {self.advice}"


class Fault(NamedTuple):
    """One finding of a check. Checks collect them, so that one run shows all there is to repair."""

    where: str
    """File and line where possible, else the name of a distribution."""
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"
