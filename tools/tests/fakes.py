# SPDX-License-Identifier: Apache-2.0
"""A tiny workspace of two distributions that is in order, to which each test adds its fault."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from wslib.workspace import Workspace

__all__ = ("LOWER", "UPPER", "fake_workspace", "manifest_of")

LOWER = "packages/en-lower/src/easynetwork/lower"
UPPER = "packages/en-upper/src/easynetwork/upper"

_ROOT = """
[tool.uv.workspace]
members = ["packages/*"]
[tool.uv.sources]
en-lower = { workspace = true }
en-upper = { workspace = true }
[[tool.uv.index]]
name = "dist"
url = "dist"
format = "flat"
[tool.mypy]
mypy_path = ["$MYPY_CONFIG_FILE_DIR/packages/en-lower/src", "$MYPY_CONFIG_FILE_DIR/packages/en-upper/src"]
"""

_MEMBER = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "{name}"
version = "1.2.0"
requires-python = ">=3.11"
dependencies = [{dependencies}]
[project.optional-dependencies]
fast = ["uvloop>=0.21"]
[dependency-groups]
test = ["pytest>=8"]
[tool.hatch.envs.default]
installer = "uv"
[tool.hatch.build.targets.wheel]
packages = ["src/easynetwork"]
"""

_FILES = {
    "pyproject.toml": _ROOT,
    "LICENSE": "the licence\n",
    "dist/.gitignore": "*\n",
    "packages/en-lower/pyproject.toml": _MEMBER.format(name="en-lower", dependencies=""),
    "packages/en-upper/pyproject.toml": _MEMBER.format(
        name="en-upper", dependencies='"en-lower>=1.2.0,<2", "anyio>=4"'
    ),
    "packages/en-lower/LICENSE": "the licence\n",
    "packages/en-upper/LICENSE": "the licence\n",
    f"{LOWER}/__init__.py": "import json\n",
    f"{LOWER}/frames.py": "",
    f"{LOWER}/py.typed": "",
    f"{UPPER}/__init__.py": "import anyio\nfrom easynetwork.lower import frames\n",
    f"{UPPER}/py.typed": "",
}


def fake_workspace(root: Path, files: Mapping[str, str] | None = None) -> Workspace:
    """Writes the workspace, with ``files`` added or in place of its own, and returns it."""
    for name, text in {**_FILES, **(files or {})}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Workspace(root)


def manifest_of(name: str) -> str:
    """Returns the text of a member's manifest, for a test to change."""
    return _FILES[f"packages/{name}/pyproject.toml"]
