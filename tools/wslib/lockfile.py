# SPDX-License-Identifier: Apache-2.0
"""The registry-neutral lock.

uv writes into its lock where each file came from. On another machine, behind another mirror, those
addresses mean nothing, and every `uv lock` there would rewrite the file. So the committed lock
names versions and hashes, and a host that cannot exist. Sizes and upload times go as well: only
some registries tell them.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from .errors import Fault, WorkspaceError
from .uvtool import Uv
from .workspace import Workspace

__all__ = ("check_lock", "find_registries", "lock", "neutralise")

NEUTRAL_REGISTRY = "https://registry.invalid/simple"
NEUTRAL_FILES = "https://registry.invalid/"

_REGISTRY = re.compile(r'\bregistry = "(?P<url>[^"]*)"')
_FILE = re.compile(r'\b(?:url|path) = "(?P<url>[^"]*/(?P<name>[^"/#?]+))"')
_TRANSIENT = re.compile(r', (?:size = \d+|upload-time = "[^"]*")')


def neutralise(text: str) -> str:
    """Returns the text of a lock without the addresses of the registry it was made with."""
    lines = (_neutral_line(line) for line in text.splitlines(keepends=True))
    return "".join(lines)


def _neutral_line(line: str) -> str:
    line = _REGISTRY.sub(f'registry = "{NEUTRAL_REGISTRY}"', line)
    # Only files of a registry carry a hash; an `editable` or `virtual` path of our own does not.
    if 'hash = "' in line:
        line = _FILE.sub(lambda match: f'url = "{NEUTRAL_FILES}{match["name"]}"', line)
    return _TRANSIENT.sub("", line)


def find_registries(text: str) -> set[str]:
    """Returns the hosts and folders that a lock names and a neutral one would not."""
    urls = [match["url"] for match in _REGISTRY.finditer(text)]
    urls += [match["url"] for line in text.splitlines() if 'hash = "' in line for match in _FILE.finditer(line)]
    return {_host(url) for url in urls if not url.startswith(NEUTRAL_FILES)}


def _host(url: str) -> str:
    return urlsplit(url).hostname or url.rpartition("/")[0]


def lock(workspace: Workspace, uv: Uv, *, upgrade: bool = False) -> bool:
    """Brings ``uv.lock`` up to date with the manifests; returns whether it changed."""
    path = workspace.lock
    before = path.read_text() if path.exists() else ""
    after = _resolve(workspace, uv, before, upgrade=upgrade)
    if after != before:
        path.write_text(after)
    return after != before


def check_lock(workspace: Workspace, uv: Uv) -> list[Fault]:
    """Returns what is wrong with the committed lock: a registry in it, or manifests that moved on
    without it.
    """
    text = workspace.lock.read_text()
    if registries := sorted(find_registries(text)):
        return [Fault("uv.lock", f"is not registry-neutral: it names {registries[0]}")]
    if _resolve(workspace, uv, text) != text:
        return [Fault("uv.lock", "is not what the manifests ask for")]
    return []


def _resolve(workspace: Workspace, uv: Uv, current: str, *, upgrade: bool = False) -> str:
    """Locks a copy of the manifests: an interrupted resolution must not leave a registry in the
    real file.
    """
    with tempfile.TemporaryDirectory(prefix="ws-lock-") as folder:
        copy = Path(folder)
        for manifest in workspace.manifests:
            target = copy / manifest.relative_to(workspace.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(manifest, target)
        for index in workspace.flat_indexes:
            (copy / index).mkdir(parents=True, exist_ok=True)
        if current:
            (copy / "uv.lock").write_text(current)
        result = uv.capture("lock", *(["--upgrade"] if upgrade else []), cwd=copy)
        if result.returncode:
            raise WorkspaceError(
                f"uv could not resolve the workspace:\n{result.stderr.strip()}",
                "repair the requirement it names, or check that this machine's package index answers.",
            )
        return neutralise((copy / "uv.lock").read_text())
