# SPDX-License-Identifier: Apache-2.0
"""The site: the pages of ``docs/``, and the reference that Sphinx makes of the docstrings."""

from __future__ import annotations

from pathlib import Path

from .environments import Environment
from .errors import Fault, WorkspaceError
from .processes import capture
from .workspace import Workspace

__all__ = ("build", "check")


def build(workspace: Workspace, environment: Environment) -> Path:
    """Makes the site and returns its first page.

    Raises:
        WorkspaceError: Sphinx had a warning or an error. Each of them is in the message.
    """
    if faults := check(workspace, environment):
        raise WorkspaceError("\n".join(map(str, faults)), "repair the page or the docstring it names.")
    return workspace.root / "build" / "docs" / "index.html"


def check(workspace: Workspace, environment: Environment) -> list[Fault]:
    """Makes the site afresh, so that a page that did not change is looked at as well."""
    options = ["--fresh-env", "--fail-on-warning", "--quiet", "--builder", "html"]
    result = capture([environment.bin / "sphinx-build", *options, "docs", "build/docs"], cwd=workspace.root)
    lines = result.stderr.replace(f"{workspace.root}/", "").splitlines()
    return [Fault("docs", line) for line in lines] if result.returncode else []
