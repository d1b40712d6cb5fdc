# SPDX-License-Identifier: Apache-2.0
"""The run itself is a job of CI; here are its steps, with a `uv` and an interpreter that write down
what they are asked for.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wslib.errors import WorkspaceError
from wslib.pythons import current
from wslib.wheel_integration import run_integration_with_wheels
from wslib.workspace import Workspace

from .fakes import fake_workspace, manifest_of

_UV = """#!/bin/sh
echo "uv $*" >> "$0.log"
case $1 in
    --version) echo "uv 0.13.0" ;;
    venv) for folder; do :; done; mkdir -p "$folder/bin"; cp "$0.python" "$folder/bin/python" ;;
esac
"""

_PYTHON = """#!/bin/sh
echo "python $*" >> "{log}"
echo '{modules}'
"""


class Machine:
    """Where `uv` is first on the path, and what was run there."""

    def __init__(self, folder: Path) -> None:
        self._uv = folder / "uv"
        self._log = folder / "uv.log"
        folder.mkdir()
        self._write(self._uv, _UV)

    def finds(self, modules: dict[str, dict[str, str]]) -> None:
        """Says what comes of importing the modules of a distribution."""
        self._write(self._uv.with_name("uv.python"), _PYTHON.format(log=self._log, modules=json.dumps(modules)))

    def calls(self, start: str) -> list[str]:
        return [line for line in self._log.read_text().splitlines() if line.startswith(start)]

    @staticmethod
    def _write(path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    return Machine(tmp_path / "bin")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    meta = manifest_of("en-lower").replace("en-lower", "easynetwork")
    return fake_workspace(tmp_path / "root", {"packages/easynetwork/pyproject.toml": meta})


def test_meta_package_comes_with_all_extras_after_what_is_locked(machine: Machine, workspace: Workspace) -> None:
    machine.finds({})

    run_integration_with_wheels(workspace, current(), pytest_options=["-k", "name"])

    sync, install, check = machine.calls("uv pip")
    assert sync.startswith("uv pip sync --quiet --require-hashes ")
    assert install.endswith(" easynetwork[fast]")
    assert f"--no-sources --constraints {workspace.root}/build/wheels/constraints.txt" in install
    assert check.startswith("uv pip check ")
    assert machine.calls("python")[-1] == "python -P -X dev -m pytest --quiet tests-integration -k name"


def test_module_that_is_not_the_wheels_is_a_failure(machine: Machine, workspace: Workspace) -> None:
    machine.finds({"easynetwork.lower": {"file": "/src/lower.py", "missing": "", "error": ""}})

    with pytest.raises(WorkspaceError, match=r"easynetwork\.lower: comes from /src/lower\.py"):
        run_integration_with_wheels(workspace, current())

    assert not any("pytest" in call for call in machine.calls("python"))
