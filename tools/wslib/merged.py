# SPDX-License-Identifier: Apache-2.0
"""One source tree of all members, made of symbolic links.

pyright cannot join the parts of a package that lie in several editable roots; in this tree they lie
where the wheels would put them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from .workspace import Workspace

__all__ = ("merge_sources",)


def merge_sources(workspace: Workspace) -> Path:
    """Makes ``build/merged/`` afresh and returns it."""
    target = workspace.root / "build" / "merged"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for member in workspace.members.values():
        for path in member.src.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                link = target / path.relative_to(member.src)
                link.parent.mkdir(parents=True, exist_ok=True)
                # A path of two distributions is reported by its own check: here, the first one
                # stays.
                if not link.is_symlink():
                    link.symlink_to(path)
    return target
