# SPDX-License-Identifier: Apache-2.0
"""uv: the one on PATH if it is new enough, else one of our own in ``.uv/``."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from .errors import WorkspaceError
from .processes import Completed, capture, own_python, run

__all__ = ("Uv", "find_uv", "index_settings", "uv_version")

MINIMUM = (0, 9)  # the `required-version` of the root manifest
BELOW = (1, 0)
_INSTALL_ADVICE = (
    "make `python3 -m venv` and `pip install uv` work on this machine (Debian: the package python3-venv; "
    "behind a mirror: `pip config set global.index-url ...`), or put uv 0.9 or newer on PATH."
)


class Uv:
    """uv, working for one workspace."""

    def __init__(self, program: Path, root: Path, env: Mapping[str, str] | None = None) -> None:
        self.program = program
        self._root = root
        self._env = env

    def run(self, *words: str | Path, advice: str) -> None:
        run([self.program, *words], cwd=self._root, advice=advice, env=self._env)

    def capture(self, *words: str | Path, cwd: Path | None = None) -> Completed:
        return capture([self.program, *words], cwd=cwd or self._root, env=self._env)


def find_uv(root: Path) -> Uv:
    """Finds uv, and installs it into the workspace's ``.uv/`` if this machine has none in the right
    version.
    """
    on_path = shutil.which("uv")
    candidates = [*([Path(on_path)] if on_path else []), _private(root)]
    program = next((program for program in candidates if _is_suitable(uv_version(program))), None)
    return Uv(program or _install(root), root, index_settings(os.environ, _pip_index))


def uv_version(program: Path) -> tuple[int, int] | None:
    """Returns major and minor version, or None if ``program`` is no uv that runs."""
    result = capture([program, "--version"], cwd=Path(tempfile.gettempdir()))  # a folder without a pyproject.toml
    match = re.match(r"uv (\d+)\.(\d+)", result.stdout)
    return (int(match[1]), int(match[2])) if match and not result.returncode else None


def _is_suitable(version: tuple[int, int] | None) -> bool:
    return version is not None and MINIMUM <= version < BELOW


def _private(root: Path) -> Path:
    return root / ".uv" / "bin" / "uv"


def _install(root: Path) -> Path:
    print("ws: no uv 0.9 or newer on PATH, installing one into .uv/", flush=True)
    program = _private(root)
    folder = root / ".uv"
    shutil.rmtree(folder, ignore_errors=True)
    run([own_python(), "-m", "venv", folder], cwd=root, advice=_INSTALL_ADVICE)
    spec = f"uv>={MINIMUM[0]}.{MINIMUM[1]},<{BELOW[0]}"
    run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", spec], cwd=root, advice=_INSTALL_ADVICE)
    if not _is_suitable(uv_version(program)):
        raise WorkspaceError("uv was installed into .uv/ and does not run.", _INSTALL_ADVICE)
    return program


def index_settings(environ: Mapping[str, str], pip_index: Callable[[], str | None]) -> dict[str, str]:
    """Hands pip's index on to uv, which does not read pip's settings, where uv has none of its
    own.
    """
    if any(environ.get(name) for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_CONFIG_FILE")):
        return {}
    user = Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    if any((folder / "uv" / "uv.toml").exists() for folder in (user, Path("/etc"))):
        return {}
    url = environ.get("PIP_INDEX_URL") or pip_index()
    return {"UV_DEFAULT_INDEX": url} if url else {}


def _pip_index() -> str | None:
    result = capture([own_python(), "-m", "pip", "config", "get", "global.index-url"], cwd=Path("/"))
    return result.stdout.strip() or None
