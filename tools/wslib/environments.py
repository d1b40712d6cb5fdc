# SPDX-License-Identifier: Apache-2.0
"""Virtual environments with every member editable and everything else exactly as locked."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from .errors import WorkspaceError
from .pythons import Interpreter
from .uvtool import Uv, find_uv
from .workspace import Member, Workspace, read_toml

__all__ = (
    "Environment",
    "empty_environment",
    "environment_stamp",
    "install_locked",
    "install_wheels",
    "sync",
    "sync_group",
)

_LAYOUT = "1"  # to be raised when `_bring_up_to_date` does something new: every environment is then made afresh
_ADVICE = "read uv's message above; if the package index did not answer, run the same command again."

# `uv export` knows these words. What has an environment of its own is not for every machine.
_EVERYTHING = ("--all-packages", "--all-extras", "--all-groups", "--no-group", "fuzz")


class Environment:
    """A folder: ``.venv`` in the root for the interpreter that runs the tool, ``.venv-3.13`` for
    another one, and more in ``build/``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.python = self.bin / "python"
        self._stamp = folder / "ws-stamp"

    @property
    def version(self) -> str | None:
        """Major and minor version of its Python, None if there is no usable environment."""
        settings = self.folder / "pyvenv.cfg"
        if not settings.exists() or not self.python.exists():
            return None
        for line in settings.read_text().splitlines():
            key, _, value = line.partition("=")
            if key.strip() in ("version", "version_info"):
                return ".".join(value.strip().split(".")[:2])
        return None

    def is_fresh(self, stamp: str) -> bool:
        return self.version is not None and self._stamp.exists() and self._stamp.read_text() == self._sealed(stamp)

    def forget_stamp(self) -> None:
        self._stamp.unlink(missing_ok=True)

    def write_stamp(self, stamp: str) -> None:
        self._stamp.write_text(self._sealed(stamp))

    def _sealed(self, stamp: str) -> str:
        """The stamp with what is installed, because another tool (a plain `uv sync`, say) may
        change that behind our back.
        """
        installed = sorted(path.name for path in self.folder.glob("lib/python*/site-packages/*.dist-info"))
        return "\n".join([stamp, *installed])


def sync(workspace: Workspace, interpreter: Interpreter, *, default: bool) -> Environment:
    """Makes the environment for ``interpreter`` what the lock says.

    Costs nothing if it is that already.
    """
    environment = Environment(workspace.root / (".venv" if default else f".venv-{interpreter.name}"))
    return _bring_up_to_date(workspace, interpreter, environment, workspace.members.values(), _EVERYTHING)


def sync_group(workspace: Workspace, interpreter: Interpreter, group: str) -> Environment:
    """Makes ``build/GROUP/environment`` what one dependency group of the root names, and nothing
    else.

    Raises:
        WorkspaceError: there is no such group, or it cannot be installed.
    """
    names = [requirement.name for requirement in workspace.group(group)]
    members = [member for member in workspace.members.values() if member.name in names]
    environment = Environment(workspace.root / "build" / group / "environment")
    return _bring_up_to_date(workspace, interpreter, environment, members, ("--only-group", group))


def _bring_up_to_date(
    workspace: Workspace,
    interpreter: Interpreter,
    environment: Environment,
    members: Iterable[Member],
    what: Sequence[str],
) -> Environment:
    stamp = environment_stamp(workspace, interpreter)
    if environment.is_fresh(stamp):
        return environment
    uv = find_uv(workspace.root)
    print(f"ws: syncing {workspace.relative(environment.folder)} (Python {interpreter.name})", flush=True)
    if environment.version != interpreter.name:
        empty_environment(uv, environment.folder, interpreter)
    environment.forget_stamp()  # an interrupted sync must not look finished
    install_locked(uv, environment, what)
    target = ("--python", environment.python)
    editables = [word for member in members for word in ("--editable", member.folder)]
    # The build backend comes from the lock, too: no isolated build that would ask the index for
    # another one.
    uv.run("pip", "install", "--quiet", "--no-deps", "--no-build-isolation", *target, *editables, advice=_ADVICE)
    environment.write_stamp(stamp)
    return environment


def empty_environment(uv: Uv, folder: Path, interpreter: Interpreter) -> Environment:
    """Makes one in ``folder``, in place of what is there."""
    uv.run("venv", "--quiet", "--clear", "--python", interpreter.path, folder, advice=_ADVICE)
    return Environment(folder)


def install_wheels(uv: Uv, environment: Environment, constraints: Path, *words: str | Path, advice: str) -> None:
    """Adds what ``words`` name to the environment, ours as the wheels that ``constraints`` refer
    to. The rest of ``words`` are uv's options.
    """
    options = ("--quiet", "--no-sources", "--constraints", constraints, "--python", environment.python)
    uv.run("pip", "install", *options, *words, advice=advice)


def install_locked(uv: Uv, environment: Environment, what: Sequence[str] = _EVERYTHING) -> None:
    """Makes everything in the environment that is not ours exactly as locked, and takes out what is
    ours.
    """
    with tempfile.TemporaryDirectory(prefix="ws-sync-") as folder:
        requirements = Path(folder, "requirements.txt")
        requirements.write_text(_export(uv, what))
        target = ("--python", environment.python)
        uv.run("pip", "sync", "--quiet", "--require-hashes", *target, requirements, advice=_ADVICE)


def _export(uv: Uv, what: Sequence[str]) -> str:
    """Returns the pinned and hashed requirements of everything that is not ours."""
    result = uv.capture("export", "--quiet", "--frozen", *what, "--no-emit-workspace")
    if result.returncode:
        raise WorkspaceError(
            f"uv cannot read the lock:\n{result.stderr.strip()}", "run `./tools/ws lock`, or restore uv.lock from git."
        )
    return result.stdout


def environment_stamp(workspace: Workspace, interpreter: Interpreter) -> str:
    """Everything that decides what an environment holds, in one hash."""
    if not workspace.lock.exists():
        raise WorkspaceError("uv.lock is missing.", "restore it with `git checkout -- uv.lock`.")
    digest = hashlib.sha256(f"{_LAYOUT} {interpreter.path} {workspace.root}".encode())
    digest.update(workspace.lock.read_bytes())
    for manifest in workspace.manifests:
        digest.update(repr(_installed_part(manifest)).encode())
    return digest.hexdigest()


def _installed_part(manifest: Path) -> object:
    """The tables that installing reads: settings of linters and test runners make no environment
    stale.
    """
    data = read_toml(manifest)
    tools = data.get("tool", {})
    tables = [data.get(key) for key in ("build-system", "project", "dependency-groups")]
    return [*tables, tools.get("hatch"), tools.get("uv")]
