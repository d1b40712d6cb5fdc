# SPDX-License-Identifier: Apache-2.0
"""``ws release-check``: whether the checked-out commit may be released under a tag like
``en-protocol/1.2.0``.

A distribution counts as published when its tag exists: the tag is what starts the publishing, and
asking an index would ask strangers, who own two of our names there.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping

from .bumping import FRAGMENTS, find_fragments
from .errors import Fault, WorkspaceError
from .repository import Repository
from .versions import Version
from .workspace import Member, Requirement, Workspace

__all__ = ("release_check",)

_SHOWN = 5  # changed files that are named; the first ones tell what is going on


def release_check(workspace: Workspace, tag: str) -> list[Fault]:
    """Returns all that speaks against the release, each with what to do about it.

    Raises:
        WorkspaceError: there is no repository to ask.
    """
    repository = Repository(workspace.root)
    faults = [*_commit_faults(repository)]
    name, _, version = tag.partition("/")
    try:
        member = workspace.find_member(name)
    except WorkspaceError as exc:
        return [*faults, Fault(tag, f"is not the tag of a package, `PACKAGE/VERSION`: {exc.advice}")]
    return [*faults, *_Release(workspace, repository, member, version).check()]


def _commit_faults(repository: Repository) -> Iterator[Fault]:
    if changed := repository.changes():
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        shown = ", ".join(changed[:_SHOWN]) + more
        yield Fault("HEAD", f"is not what lies here, and only the commit is released: commit or remove {shown}")
    branches = repository.find_main()
    if not branches:
        yield Fault("HEAD", "cannot be compared with main, which is not known here: `git fetch origin main`")
    elif not any(map(repository.is_in, branches)):
        yield Fault(
            "HEAD", "is not a commit of main, where everything that is released has been reviewed: merge it first"
        )


class _Release:
    """One version of one distribution."""

    def __init__(self, workspace: Workspace, repository: Repository, member: Member, version: str) -> None:
        self._workspace = workspace
        self._repository = repository
        self._member = member
        self._version = version
        self._tag = f"{member.name}/{version}"

    def check(self) -> Iterator[Fault]:
        yield from self._version_faults()
        yield from self._changelog_faults()
        yield from self._requirement_faults()

    def _version_faults(self) -> Iterator[Fault]:
        if self._version != self._member.version:
            what = f"says {self._member.version} and the tag {self._version}: tag what it says, or `./tools/ws bump`"
            yield Fault(self._workspace.relative(self._member.manifest), what)
        commit = self._repository.tags.get(self._tag)
        if commit not in (None, self._repository.head):
            what = f"is at commit {commit[:10]} already, and a released version stays what it is: bump the version"
            yield Fault(self._tag, what)
        version = Version.parse(self._version)
        if version is None:
            forms = "1.2.0a1, 1.2.0b1, 1.2.0rc1, 1.2.0.post1 or 1.2.0.dev1"
            yield Fault(self._tag, f"has no version as PEP 440 writes it: use three numbers, or a form like {forms}")
        elif (last := self._last_release()) and version <= last[0]:
            yield Fault(self._tag, f"does not come after {last[1]}, the last release: bump to a higher version")

    def _last_release(self) -> tuple[Version, str] | None:
        """Returns the highest version that has a tag, this one's aside."""
        prefix = f"{self._member.name}/"
        others = [tag for tag in self._repository.tags if tag.startswith(prefix) and tag != self._tag]
        released = [(version, tag) for tag in others if (version := Version.parse(tag.removeprefix(prefix)))]
        return max(released, default=None)

    def _changelog_faults(self) -> Iterator[Fault]:
        folder = self._member.folder
        changelog = folder / "CHANGELOG.md"
        text = changelog.read_text(encoding="utf-8") if changelog.exists() else ""
        if not re.search(rf"(?m)^## {re.escape(self._version)}(?!\S)", text):
            what = (
                f"has no section for {self._version}: `./tools/ws bump` writes it with the version; for a version that "
                f"the manifest has already, `towncrier build --version {self._version}` in the package's folder"
            )
            yield Fault(self._workspace.relative(changelog), what)
        if leftover := find_fragments(self._member):
            names = ", ".join(path.name for path in leftover)
            what = f"has what is not in the changelog yet ({names}): bump again, so that the release tells all it has"
            yield Fault(self._workspace.relative(folder / FRAGMENTS), what)

    def _requirement_faults(self) -> Iterator[Fault]:
        where = self._workspace.relative(self._member.manifest)
        requirements = _internal(self._workspace, self._member)
        missing = {f"{entry.name}{entry.bounds}" for entry in requirements if self._is_missing(entry)}
        if missing:
            what = "needs what has no tag yet, so nobody could install it"
            order = ", ".join(self._unreleased_in_order())
            yield Fault(where, f"{what}: {', '.join(sorted(missing))}; release in this order: {order}")
        by_name = {entry.name: entry for entry in requirements}  # once, though an extra may name one again
        floors = {name: _floor(entry) for name, entry in by_name.items()}
        for requirement in by_name.values():
            for refused in self._refused_by(requirement, floors):
                what = f"asks for {refused.name}>={floors[refused.name]} and for {requirement.name}, whose release"
                what += f" {_floor(requirement)} wants {refused.bounds}: bump and release {requirement.name} first"
                yield Fault(where, what)

    def _refused_by(self, requirement: Requirement, floors: Mapping[str, str]) -> list[Requirement]:
        """Returns what a released sibling wants and this release does not let it have.

        The sibling's manifest here may have moved on since: after the major bump of a third one, it
        has another cap.
        """
        commit = self._repository.tags.get(_tag_of_floor(requirement))
        path = self._workspace.relative(self._workspace.members[requirement.name].manifest)
        text = self._repository.read(commit, path) if commit else None
        released: list[str] = tomllib.loads(text or "[project]")["project"].get("dependencies", [])
        return [
            entry
            for entry in map(Requirement.parse, released)
            if entry.name in floors and _is_beyond(floors[entry.name], entry)
        ]

    def _is_missing(self, requirement: Requirement) -> bool:
        return _tag_of_floor(requirement) not in self._repository.tags

    def _unreleased_in_order(self) -> list[str]:
        """Returns tags, each after those that it needs; this release is the last one."""
        seen: set[str] = set()

        def visit(member: Member) -> Iterator[str]:
            for requirement in _internal(self._workspace, member):
                tag = _tag_of_floor(requirement)
                if tag not in seen and self._is_missing(requirement):
                    seen.add(tag)
                    yield from visit(self._workspace.members[requirement.name])
                    yield tag

        return [*visit(self._member), self._tag]


def _internal(workspace: Workspace, member: Member) -> list[Requirement]:
    """Returns what users' installers take from us.

    Groups are for our tests only, and may name siblings in a circle.
    """
    siblings = workspace.members.keys() - {member.name}
    return [entry for entry in (*member.dependencies, *member.optional_dependencies) if entry.name in siblings]


def _tag_of_floor(requirement: Requirement) -> str:
    return f"{requirement.name}/{_floor(requirement)}"


def _floor(requirement: Requirement) -> str:
    floor = re.search(r">=([^,]+)", requirement.bounds)
    return floor[1] if floor else ""


def _is_beyond(version: str, requirement: Requirement) -> bool:
    """Whether a version is not under a cap."""
    cap = re.search(r"<([^=,]+)", requirement.bounds)
    below, number = Version.parse(cap[1]) if cap else None, Version.parse(version)
    return below is not None and number is not None and number >= below
