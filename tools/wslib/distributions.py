# SPDX-License-Identifier: Apache-2.0
"""Building the distributions, and the constraints with which they are installed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .uvtool import Uv
from .workspace import Workspace, canonical_name

__all__ = ("build", "write_constraints")


def build(workspace: Workspace, uv: Uv) -> list[Path]:
    """Builds a source archive and a wheel of every member into ``dist/`` and returns the wheels.

    ``--no-sources`` builds as a stranger would, without what the workspace knows.
    """
    dist = workspace.root / "dist"
    for path in dist.iterdir():
        if path.name != ".gitignore":
            path.unlink()
    uv.run(
        *("build", "--quiet", "--all-packages", "--no-sources", "--out-dir", dist, "--no-create-gitignore"),
        advice="repair the manifest it names; `./tools/ws check` may tell more.",
    )
    wheels = sorted(dist.glob("*.whl"))
    write_constraints(dist / "constraints.txt", wheels)
    return wheels


def write_constraints(path: Path, wheels: list[Path]) -> None:
    """Writes direct references to the wheels, with their hashes.

    Strangers own two of our names on the public index. A direct reference is the only form that no index can outbid, and
    it also notices a rebuild under the same version.
    """
    lines = (f"{_name(wheel)} @ {wheel.resolve().as_uri()}#sha256={_sha256(wheel)}\n" for wheel in wheels)
    path.write_text("".join(lines))


def _name(wheel: Path) -> str:
    return canonical_name(wheel.name.partition("-")[0])


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
