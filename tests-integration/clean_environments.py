# SPDX-License-Identifier: Apache-2.0
"""The distributions as strangers get them: built, then installed into an empty environment with
only what they declare.
"""

from __future__ import annotations

import functools
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wslib.distributions import write_constraints
from wslib.uvtool import Uv, find_uv
from wslib.workspace import Member, Workspace

__all__ = ("CleanEnvironment", "Wheels", "build_wheels", "closure", "serving")

ROOT = Path(__file__).parents[1]
WORKSPACE = Workspace(ROOT)
META = "easynetwork"
ADVICE = "see the output of uv above"


@dataclass
class CleanEnvironment:
    """A virtual environment outside of the workspace."""

    python: Path
    uv: Uv

    def run(self, script: str) -> str:
        """Runs a script that sees nothing but this environment, and returns what it prints."""
        result = subprocess.run([self.python, "-I", "-c", script], capture_output=True, text=True, check=False)

        assert result.returncode == 0, result.stderr
        return result.stdout

    def copy(self, folder: Path) -> CleanEnvironment:
        """Makes the same environment once more in ``folder``."""
        shutil.copytree(self.python.parents[1], folder, symlinks=True)
        return CleanEnvironment(folder / "bin" / "python", self.uv)

    def uninstall(self, name: str) -> None:
        self.uv.run("pip", "uninstall", "--quiet", "--python", self.python, name, advice=ADVICE)

    def installed(self) -> set[str]:
        listing = self.uv.capture("pip", "list", "--format", "json", "--python", self.python).stdout
        return {package["name"] for package in json.loads(listing)}


@dataclass
class Wheels:
    """Built wheels and the constraints that pin their names to them."""

    constraints: Path
    uv: Uv

    def everything(self, *extras: str) -> str:
        """The meta-package as a requirement.

        The constraints leave it out: some tests install a stranger's of that name.
        """
        [wheel] = self.constraints.parent.glob(f"{META}-*.whl")
        return f"{META}[{','.join(extras)}] @ {wheel.as_uri()}"

    def install(self, folder: Path, *what: str | Path) -> CleanEnvironment:
        """Makes an environment in ``folder`` with these requirements, or folders to be built."""
        python = folder / "bin" / "python"
        self.uv.run("venv", "--quiet", "--python", sys.executable, folder, advice=ADVICE)
        words = ("pip", "install", "--quiet", "--no-sources", "--constraints", self.constraints, "--python", python)
        self.uv.run(*words, *what, advice=ADVICE)
        return CleanEnvironment(python, self.uv)


@functools.cache
def build_wheels(folder: Path) -> Wheels:
    """Builds all distributions into ``folder``, once however often it is called."""
    uv = find_uv(ROOT)
    uv.run("build", "--quiet", "--wheel", "--no-sources", "--all-packages", "--out-dir", folder, advice=ADVICE)
    write_constraints(folder / "constraints.txt", sorted(folder.glob("en_*.whl")))
    return Wheels(folder / "constraints.txt", uv)


def closure(name: str) -> set[str]:
    """Returns the distributions of ours that ``name`` brings along, itself included."""
    siblings = set(_siblings_of(WORKSPACE.members[name]))
    return {name}.union(*(closure(sibling) for sibling in siblings))


def _siblings_of(member: Member) -> Iterator[str]:
    return (requirement.name for requirement in member.dependencies if requirement.name in WORKSPACE.members)


@contextmanager
def serving(environment: CleanEnvironment, script: str) -> Generator[str]:
    """Runs a server, gives the line that it prints when it is up, and ends it as Ctrl-C does."""
    words: list[str | Path] = [environment.python, "-I", "-c", script]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            where = server.stdout.readline().rstrip("\n")
            assert where, server.communicate()[1]
            yield where
            server.send_signal(signal.SIGINT)
            _, errors = server.communicate(timeout=10)
        finally:
            server.kill()

    assert server.returncode == 0
    assert errors == ""
