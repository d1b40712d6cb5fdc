# SPDX-License-Identifier: Apache-2.0
"""Building the distributions, and the constraints with which they are installed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .errors import WorkspaceError
from .uvtool import Uv
from .wheels import check_wheels
from .workspace import Workspace, canonical_name

__all__ = ("build", "built_constraints", "write_constraints")


def build(workspace: Workspace, uv: Uv) -> list[Path]:
    """Builds a source archive and a wheel of every member into ``dist/`` and returns the wheels.

    Raises:
        WorkspaceError: a wheel could not be built, or has something in it that it must not have.
    """
    wheels = _build_into(workspace.root / "dist", uv)
    if faults := check_wheels(wheels):
        raise WorkspaceError("\n".join(map(str, faults)), "correct the settings of the build backend in its manifest.")
    return wheels


def built_constraints(workspace: Workspace, uv: Uv) -> Path:
    """Returns the constraints that tie our names to wheels in ``build/wheels/``, which are built
    anew if a source has changed.

    What a wheel is made of decides, not where: wheels that one machine has built serve on another
    one with the same sources.
    """
    folder = workspace.root / "build" / "wheels"
    stamp, content = folder / "stamp", _sources_hash(workspace)
    if not stamp.exists() or stamp.read_text() != content:
        print("ws: building the wheels", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        _build_into(folder, uv)
        stamp.write_text(content)
    constraints = folder / "constraints.txt"
    write_constraints(constraints, sorted(folder.glob("*.whl")))
    return constraints


def _build_into(folder: Path, uv: Uv) -> list[Path]:
    """``--no-sources`` builds as a stranger would, without what the workspace knows."""
    for path in folder.iterdir():
        if path.name != ".gitignore":
            path.unlink()
    uv.run(
        *("build", "--quiet", "--all-packages", "--no-sources", "--out-dir", folder, "--no-create-gitignore"),
        advice="repair the manifest it names; `./tools/ws check` may tell more.",
    )
    wheels = sorted(folder.glob("*.whl"))
    write_constraints(folder / "constraints.txt", wheels)
    return wheels


def _sources_hash(workspace: Workspace) -> str:
    """Everything that wheels are made of, in one hash."""
    files = [workspace.manifest]  # it pins the build backend
    for member in workspace.members.values():
        files += [member.manifest, *member.folder.glob("README.md"), *member.folder.glob("LICENSE")]
        files += [path for path in member.src.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{workspace.relative(path)} {_sha256(path)}\n".encode())
    return digest.hexdigest()


def write_constraints(path: Path, wheels: list[Path]) -> None:
    """Writes direct references to the wheels, with their hashes.

    Strangers own two of our names on the public index. A direct reference is the only form that no
    index can outbid, and it also notices a rebuild under the same version.
    """
    lines = (f"{_name(wheel)} @ {wheel.resolve().as_uri()}#sha256={_sha256(wheel)}\n" for wheel in wheels)
    path.write_text("".join(lines))


def _name(wheel: Path) -> str:
    return canonical_name(wheel.name.partition("-")[0])


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
