# SPDX-License-Identifier: Apache-2.0
"""What the manifests say: the members of the workspace and what each declares."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from .errors import WorkspaceError

__all__ = ("Member", "Requirement", "Workspace", "canonical_name")

_REQUIREMENT = re.compile(r"^\s*(?P<name>[\w.-]+)\s*(?:\[(?P<extras>[^\]]*)\])?\s*(?P<bounds>[^;@]*)")


def canonical_name(name: str) -> str:
    """Returns the one spelling of a distribution's name that package indexes compare."""
    return re.sub(r"[-_.]+", "-", name).lower()


class Requirement(NamedTuple):
    """One declared dependency."""

    name: str
    """Canonical."""
    bounds: str
    """Without white space: ``>=1.0.0,<2``."""
    extras: tuple[str, ...]
    text: str
    """As the manifest has it."""

    @classmethod
    def parse(cls, text: str) -> Requirement:
        match = _REQUIREMENT.match(text)
        if match is None:
            raise WorkspaceError(f"{text!r} is not a requirement.", "write it as `name>=floor,<cap`.")
        extras = tuple(canonical_name(extra) for extra in re.findall(r"[\w.-]+", match["extras"] or ""))
        return cls(canonical_name(match["name"]), match["bounds"].replace(" ", ""), extras, text)


class Member:
    """One distribution of the workspace, as its manifest describes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = folder / "pyproject.toml"
        self.data = read_toml(self.manifest)
        self.project: dict[str, Any] = self.data.get("project", {})
        self.name: str = self.project.get("name", folder.name)
        self.version: str | None = self.project.get("version")

    @property
    def src(self) -> Path:
        return self.folder / "src"

    @property
    def tests(self) -> Path:
        return self.folder / "tests"

    @property
    def modules(self) -> list[Path]:
        """The Python files that the wheel ships, sorted."""
        return sorted(self.src.rglob("*.py"))

    @cached_property
    def dependencies(self) -> list[Requirement]:
        """What is always installed along."""
        return _parse_all(self.project.get("dependencies", ()))

    @cached_property
    def extras(self) -> dict[str, list[Requirement]]:
        """What each extra brings."""
        declared: dict[str, list[str]] = self.project.get("optional-dependencies", {})
        return {canonical_name(name): _parse_all(texts) for name, texts in declared.items()}

    @property
    def optional_dependencies(self) -> list[Requirement]:
        """What the extras bring, all together."""
        return [requirement for extra in self.extras.values() for requirement in extra]

    @cached_property
    def test_dependencies(self) -> list[Requirement]:
        """What the tests need besides."""
        groups: dict[str, list[Any]] = self.data.get("dependency-groups", {})
        return _parse_all(text for group in groups.values() for text in group if isinstance(text, str))


class Workspace:
    """The root folder and its members."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.manifest = root / "pyproject.toml"
        self.lock = root / "uv.lock"
        self.data = read_toml(self.manifest)

    @cached_property
    def members(self) -> dict[str, Member]:
        """By name, sorted."""
        patterns: list[str] = self.uv_settings.get("workspace", {}).get("members", [])
        manifests = sorted(path for pattern in patterns for path in self.root.glob(f"{pattern}/pyproject.toml"))
        return {member.name: member for member in map(Member, (path.parent for path in manifests))}

    @property
    def uv_settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = self.data.get("tool", {}).get("uv", {})
        return settings

    @property
    def manifests(self) -> list[Path]:
        return [self.manifest, *(member.manifest for member in self.members.values())]

    @property
    def flat_indexes(self) -> list[str]:
        """Folders in the workspace that serve as a package index; uv wants them to exist."""
        indexes: list[dict[str, str]] = self.uv_settings.get("index", [])
        return [index["url"] for index in indexes if index.get("format") == "flat" and "://" not in index["url"]]

    def find_member(self, name: str) -> Member:
        try:
            return self.members[name]
        except KeyError:
            raise WorkspaceError(
                f"There is no package named {name!r} in this workspace.", f"use one of: {', '.join(self.members)}."
            ) from None

    def group(self, name: str) -> list[Requirement]:
        """Returns what a dependency group of the root names."""
        groups: dict[str, list[str]] = self.data.get("dependency-groups", {})
        if name not in groups:
            raise WorkspaceError(f"{self.manifest.name} has no dependency group {name!r}.", "restore it from git.")
        return _parse_all(groups[name])

    def relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WorkspaceError(f"{path} is missing.", "restore it from git: `git checkout -- <path>`.") from None
    except tomllib.TOMLDecodeError as exc:
        raise WorkspaceError(f"{path} is not valid TOML: {exc}.", "repair the line it names.") from exc


def _parse_all(texts: Iterable[str]) -> list[Requirement]:
    return [Requirement.parse(text) for text in texts]
