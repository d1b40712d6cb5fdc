# SPDX-License-Identifier: Apache-2.0
"""Rules that the manifests and the files of the members keep; none needs an installed package."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from .boundaries import NAMESPACE
from .errors import Fault
from .versions import bounds_of
from .workspace import Member, Workspace

__all__ = ("check_cycles", "check_layout", "check_licenses", "check_manifests", "check_versions")

_NAMESPACES = (Path(NAMESPACE), Path(NAMESPACE, "backends"))
"""Shared by several distributions (PEP 420): an ``__init__.py`` in one of them would hide all
others."""


def check_versions(workspace: Workspace) -> list[Fault]:
    """Internal requirements: uv does not compare them inside a workspace, and users' installers
    do.
    """
    faults: list[Fault] = []
    for member in workspace.members.values():
        for requirement in (*member.dependencies, *member.optional_dependencies, *member.test_dependencies):
            sibling = workspace.members.get(requirement.name)
            if sibling is None or sibling.version is None:
                continue
            wanted = bounds_of(sibling.version)
            if requirement.bounds != wanted:
                what = f"asks for {requirement.name}{requirement.bounds}; the sibling's version wants {wanted}"
                faults.append(Fault(workspace.relative(member.manifest), what))
    return faults


def check_cycles(workspace: Workspace) -> list[Fault]:
    """Distributions that need each other, directly or not, are one distribution; extras count as
    well.
    """
    needs = {
        member.name: [
            requirement.name
            for requirement in (*member.dependencies, *member.optional_dependencies)
            if requirement.name in workspace.members
        ]
        for member in workspace.members.values()
    }
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as exc:
        circle: list[str] = exc.args[1]
        manifest = workspace.members[circle[0]].manifest
        return [Fault(workspace.relative(manifest), f"needs itself: {' is needed by '.join(circle)}")]
    return []


def check_licenses(workspace: Workspace) -> list[Fault]:
    """Each distribution ships a copy (the build backends refuse links), so the copies must not
    drift apart.
    """
    original = (workspace.root / "LICENSE").read_bytes()
    copies = (member.folder / "LICENSE" for member in workspace.members.values())
    return [
        Fault(workspace.relative(copy), "is not a copy of the LICENSE in the root")
        for copy in copies
        if not copy.exists() or copy.is_symlink() or copy.read_bytes() != original
    ]


def check_layout(workspace: Workspace) -> list[Fault]:
    """Namespaces stay open, packages are typed, and no path belongs to two distributions."""
    faults = [
        Fault(workspace.relative(path), f"would lie at the root of the wheel, where only {NAMESPACE}/ may")
        for member in workspace.members.values()
        if member.src.exists()
        for path in sorted(member.src.iterdir())
        if path.name != NAMESPACE
    ]
    faults += [fault for member in workspace.members.values() for fault in _layout_faults(workspace, member)]
    owners: dict[Path, list[str]] = defaultdict(list)
    for member in workspace.members.values():
        for path in member.src.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                owners[path.relative_to(member.src)].append(member.name)
    shared = {path: names for path, names in owners.items() if len(names) > 1}
    faults += [Fault(path.as_posix(), f"is shipped by {' and by '.join(names)}") for path, names in shared.items()]
    return faults


def _layout_faults(workspace: Workspace, member: Member) -> Iterator[Fault]:
    packages = {path.parent for path in member.modules if path.name == "__init__.py"}
    for namespace in _NAMESPACES:
        if member.src / namespace in packages:
            yield Fault(workspace.relative(member.src / namespace / "__init__.py"), "closes a shared namespace")
    for package in sorted(packages - {member.src / namespace for namespace in _NAMESPACES}):
        if package.parent not in packages and not (package / "py.typed").exists():
            yield Fault(workspace.relative(package), "has no py.typed, so users get no types")
    for path in member.modules:
        if path.parent not in packages:
            yield Fault(workspace.relative(path), "is a bare module in a namespace: make it a package folder")


def check_manifests(workspace: Workspace) -> list[Fault]:
    """Settings that each member, or the root for each member, has to make."""
    faults: list[Fault] = []
    sources: dict[str, object] = workspace.uv_settings.get("sources", {})
    mypy_path: list[str] = workspace.data.get("tool", {}).get("mypy", {}).get("mypy_path", [])
    for member in workspace.members.values():
        where = workspace.relative(member.manifest)
        if member.version is None:
            faults.append(Fault(where, "has no static version"))
        if member.project.get("requires-python") != ">=3.11":
            faults.append(Fault(where, 'does not say requires-python = ">=3.11"'))
        hatch_environments = member.data.get("tool", {}).get("hatch", {}).get("envs", {})
        if hatch_environments.get("default", {}).get("installer") != "uv":
            faults.append(Fault(where, "lets hatch install with pip, which finds strangers under our names"))
        if sources.get(member.name) != {"workspace": True}:
            faults.append(Fault("pyproject.toml", f"does not list {member.name} in tool.uv.sources"))
        src = f"$MYPY_CONFIG_FILE_DIR/{workspace.relative(member.src)}"
        if member.src.exists() and src not in mypy_path:
            faults.append(Fault("pyproject.toml", f"does not list {src} in tool.mypy.mypy_path"))
    return faults
