# SPDX-License-Identifier: Apache-2.0
"""Editing a manifest as text, so that its comments and its layout stay.

Two small patterns do not understand TOML. So each edit is compared with what it should have done:
the result is read, and must be what the original says with the wanted values changed, and nothing
else.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from typing import Any

from .errors import WorkspaceError
from .workspace import canonical_name

__all__ = ("with_bounds", "with_version")

_VERSION = re.compile(r'(?ms)(^\[project\][^\n]*$(?:(?!^\[).)*?^version\s*=\s*)(["\'])[^"\']*\2')
_REQUIREMENT = re.compile(
    r"(?P<before>(?P<quote>[\"'])(?P<name>[\w.-]+)(?:\[[^\]]*\])?)\s*(?P<bounds>[<>=!~][^;@\"']*?)"
    r"(?P<after>\s*(?:;.*?)?(?P=quote))"
)


def with_version(text: str, version: str) -> str:
    """Returns the text of a manifest with another version.

    Raises:
        WorkspaceError: the version does not stand on one line of the table ``[project]``.
    """
    edited = _VERSION.sub(lambda match: f'{match[1]}"{version}"', text, count=1)
    wanted = tomllib.loads(text)
    wanted["project"]["version"] = version
    return _verified(edited, wanted)


def with_bounds(text: str, name: str, bounds: str) -> str:
    """Returns the text of a manifest with other bounds where it requires ``name``: always, in an
    extra or in a group.

    A requirement without bounds, as a group may have one, stays without.

    Raises:
        WorkspaceError: a requirement is written in a way that cannot be edited, over several lines,
            for instance.
    """

    def edit(match: re.Match[str]) -> str:
        return f"{match['before']}{bounds}{match['after']}" if canonical_name(match["name"]) == name else match[0]

    edited = "".join(
        line if line.lstrip().startswith("#") else _REQUIREMENT.sub(edit, line) for line in text.splitlines(True)
    )
    return _verified(edited, _bound(tomllib.loads(text), lambda requirement: _edited(requirement, name, bounds)))


def _bound(data: dict[str, Any], edit: Callable[[str], str]) -> dict[str, Any]:
    """Edits what a manifest requires."""
    project = data.get("project", {})
    lists: list[list[Any]] = [project.get("dependencies", [])]
    lists += [*project.get("optional-dependencies", {}).values(), *data.get("dependency-groups", {}).values()]
    for requirements in lists:
        requirements[:] = [edit(entry) if isinstance(entry, str) else entry for entry in requirements]
    return data


def _edited(requirement: str, name: str, bounds: str) -> str:
    """Does with one requirement, which is known to be one, what the pattern for whole lines has to
    find.
    """
    match = re.fullmatch(r"(?s)\s*([\w.-]+)(\s*\[[^\]]*\])?\s*([<>=!~][^;@]*?)?(\s*(?:;.*)?)", requirement)
    if match is None or not match[3] or canonical_name(match[1]) != name:
        return requirement
    return f"{match[1]}{match[2] or ''}{bounds}{match[4]}"


def _verified(text: str, wanted: dict[str, Any]) -> str:
    try:
        if tomllib.loads(text) == wanted:
            return text
    except tomllib.TOMLDecodeError:
        pass
    raise WorkspaceError(
        f"The manifest of {wanted['project']['name']} is written in a way that ws cannot edit.",
        'write the version and each requirement on one line: version = "1.2.0", "en-sibling[extra]>=1.2.0,<2".',
    )
