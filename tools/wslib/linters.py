# SPDX-License-Identifier: Apache-2.0
"""The programs that read our code: ruff, mypy, pyright."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from .environments import Environment
from .errors import Fault
from .merged import merge_sources
from .pages import extract_pages
from .processes import Words, capture
from .workspace import Workspace

__all__ = ("examples", "mypy", "pyright", "pyright_faults", "ruff_check", "ruff_format")


def ruff_check(workspace: Workspace, environment: Environment) -> list[Fault]:
    return _faults(workspace, [environment.bin / "ruff", "check", "--output-format", "concise", "--quiet", "."])


def ruff_format(workspace: Workspace, environment: Environment) -> list[Fault]:
    return _faults(workspace, [environment.bin / "ruff", "format", "--check", "--quiet", "--diff", "."])


def mypy(workspace: Workspace, environment: Environment) -> list[Fault]:
    """Once for all sources, once for the tools, then once for each folder of tests, of an example
    or of a page: their files share names.
    """
    program: Words = [environment.bin / "mypy", "--no-error-summary", "--python-executable", environment.python]
    sources = [member.src for member in workspace.members.values() if member.modules]
    tools = workspace.root / "tools"
    runs: list[Words] = [sources, [tools, tools / "ws", "--exclude", "^tools/tests/"]]
    faults = [fault for run in runs for fault in _faults(workspace, [*program, *run])]
    for folder in test_folders(workspace):  # as a package, if it can be one: its files import each other
        faults += _faults(
            workspace, [*program, folder], {"MYPYPATH": str(folder.parent)} if folder.name == "tests" else {}
        )
    for folder in [*examples(workspace), *extract_pages(workspace)]:  # programs import each other as scripts do
        faults += _faults(workspace, [*program, folder], {"MYPYPATH": str(folder)})
    return faults


def pyright(workspace: Workspace, environment: Environment) -> list[Fault]:
    """Checks the merged tree, the tests and the examples: the paths are in the root manifest."""
    merged = merge_sources(workspace)
    # Node.js comes from the lock as well: pyright itself would download it from a place that not
    # every machine reaches.
    words: Words = [environment.bin / "pyright", "--outputjson", "--pythonpath", environment.python]
    result = capture(words, cwd=workspace.root)
    folders = [merged, *test_folders(workspace), *examples(workspace), workspace.root / "tools"]
    files = {path for folder in folders for path in folder.rglob("*.py")}
    return pyright_faults(result.stdout, result.stderr, len(files), workspace.root)


def pyright_faults(output: str, errors: str, expected: int, root: Path) -> list[Fault]:
    """Reads pyright's report, and does not believe one that looked at fewer files than
    ``expected``.
    """
    try:
        report = json.loads(output)
    except ValueError:
        return [Fault("pyright", f"no report\n{(output + errors).strip()}")]
    faults = [
        Fault(f"{found['file']}:{found['range']['start']['line'] + 1}".replace(f"{root}{os.sep}", ""), found["message"])
        for found in report["generalDiagnostics"]
        if found["severity"] == "error"
    ]
    if (analyzed := report["summary"]["filesAnalyzed"]) < expected:
        faults.append(Fault("pyproject.toml", f"pyright looks at {analyzed} files of {expected}: see [tool.pyright]"))
    return faults


def test_folders(workspace: Workspace) -> list[Path]:
    """Returns every folder with tests: those of the packages, of the whole, of the tools."""
    folders = [member.tests for member in workspace.members.values()]
    folders += [workspace.root / "tests-integration", workspace.root / "tools" / "tests"]
    return [folder for folder in folders if any(folder.glob("test_*.py"))]


def examples(workspace: Workspace) -> list[Path]:
    """Returns the folders of the programs that the documents show."""
    return sorted({path.parent for path in (workspace.root / "docs" / "examples").glob("*/*.py")})


def _faults(workspace: Workspace, words: Words, env: Mapping[str, str] | None = None) -> list[Fault]:
    result = capture(words, cwd=workspace.root, env=env)
    if result.returncode == 0:
        return []
    output = (result.stdout + result.stderr).replace(f"{workspace.root}{os.sep}", "").strip()
    return [Fault(Path(words[0]).name, f"status {result.returncode}\n{output}")]
