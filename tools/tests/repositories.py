# SPDX-License-Identifier: Apache-2.0
"""A tiny workspace in a git repository of its own, for tests of what makes and checks a release."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from wslib.workspace import Workspace

from .fakes import fake_workspace, manifest_of

__all__ = ("CHANGELOG", "FRAGMENT", "LOWER_FOLDER", "commit_all", "fake_repository", "git", "releasable")

LOWER_FOLDER = "packages/en-lower"
FRAGMENT = f"{LOWER_FOLDER}/changelog.d/7.added.md"
CHANGELOG = "# Changelog of {name}\n\n<!-- towncrier release notes start -->\n"

_TOWNCRIER = """
[tool.towncrier]
name = "{name}"
directory = "changelog.d"
filename = "CHANGELOG.md"
title_format = "## {{version}} ({{project_date}})"
type = [{{ directory = "added", name = "Added", showcontent = true }}]
"""

_IDENTITY = {
    "GIT_AUTHOR_NAME": "A tester",
    "GIT_AUTHOR_EMAIL": "tester@example.org",
    "GIT_COMMITTER_NAME": "A tester",
    "GIT_COMMITTER_EMAIL": "tester@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,  # of whoever runs the tests: it may sign, or name branches in another way
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def releasable(name: str) -> str:
    """Returns the manifest of a member that needs nothing from an index, and says how its changelog
    is made.
    """
    manifest = manifest_of(name).replace('"uvloop>=0.21"', "").replace('"pytest>=8"', "").replace(', "anyio>=4"', "")
    return manifest + _TOWNCRIER.format(name=name)


def fake_repository(root: Path, files: Mapping[str, str] | None = None) -> Workspace:
    """Makes a workspace whose packages have one fragment each, and commits it on main."""
    texts = {"uv.lock": 'version = 1\nrequires-python = ">=3.11"\n'}
    for name in ("en-lower", "en-upper"):
        texts |= {
            f"packages/{name}/pyproject.toml": releasable(name),
            f"packages/{name}/CHANGELOG.md": CHANGELOG.format(name=name),
            f"packages/{name}/changelog.d/.gitignore": "!.gitignore\n",
            f"packages/{name}/changelog.d/7.added.md": "It floats.\n",
        }
    workspace = fake_workspace(root, {**texts, **(files or {})})
    git(root, "init", "--quiet", "--initial-branch=main")
    commit_all(root)
    return workspace


def commit_all(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message=A change")


def git(root: Path, *words: str) -> str:
    environment = {**os.environ, **_IDENTITY}
    return subprocess.run(["git", *words], cwd=root, env=environment, check=True, capture_output=True, text=True).stdout
