# SPDX-License-Identifier: Apache-2.0
"""The lowest versions of other people's packages that the manifests promise to work with.

uv lowers only what it is asked for directly (``--resolution lowest-direct``), so that a
distribution would be tested with the newest anyio although the sibling that uses anyio declares an
older floor. What our own siblings declare is therefore asked for directly, too. What others need in
turn stays at its newest: their floors are their affair.
"""

from __future__ import annotations

from collections.abc import Iterable

from .workspace import Requirement, Workspace

__all__ = ("third_parties",)


def third_parties(workspace: Workspace, requirements: Iterable[Requirement]) -> list[str]:
    """Returns what ``requirements``, and the members among them, declare of packages that are not
    ours; sorted.
    """
    found: set[str] = set()
    seen: set[str] = set()
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        if requirement.text in seen:
            continue
        seen.add(requirement.text)
        sibling = workspace.members.get(requirement.name)
        if sibling is None:
            found.add(requirement.text)
            continue
        waiting += sibling.dependencies
        waiting += [wanted for extra in requirement.extras for wanted in sibling.extras.get(extra, ())]
    return sorted(found)
