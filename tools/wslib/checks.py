# SPDX-License-Identifier: Apache-2.0
"""``ws check``: a table of checks, all run, their faults reported together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from . import documents, figures, linters, lockfile, manifests, pages
from .boundaries import check_boundaries
from .cycles import check_import_cycles
from .environments import Environment, sync
from .errors import Fault, WorkspaceError
from .lazy import check_lazy_names
from .pythons import current
from .uvtool import find_uv
from .workspace import Workspace

__all__ = ("Check", "Outcome", "check", "report", "run_all")


class Check(NamedTuple):
    """One row of the table."""

    name: str
    run: Callable[[], list[Fault]]
    advice: str


class Outcome(NamedTuple):
    """What a check found, and how long it took."""

    check: Check
    faults: list[Fault]
    seconds: float


def check(workspace: Workspace) -> None:
    """Runs every check.

    Raises:
        WorkspaceError: at least one found something. All findings have been printed by then.
    """
    outcomes = run_all(_static_checks(workspace))
    try:
        environment = sync(workspace, current(), default=True)
    except WorkspaceError as exc:
        # A broken manifest makes both fail, and the static checks know better why.
        outcomes.append(Outcome(Check("environment", list, exc.advice), [Fault("sync", exc.what)], 0.0))
    else:
        outcomes += run_all(_tool_checks(workspace, environment))
    report(outcomes)


def _static_checks(workspace: Workspace) -> list[Check]:
    return [
        Check("manifests", lambda: manifests.check_manifests(workspace), "make the settings it names."),
        Check("versions", lambda: manifests.check_versions(workspace), "write the bounds it names into the manifest."),
        Check("licenses", lambda: manifests.check_licenses(workspace), "copy LICENSE from the root into the package."),
        Check("cycles", lambda: manifests.check_cycles(workspace), "move what both need into a third distribution."),
        Check("lazy names", lambda: check_lazy_names(workspace), "correct the row, or ship what it promises."),
        Check("layout", lambda: manifests.check_layout(workspace), "move, add or remove the file it names."),
        Check(
            "boundaries",
            lambda: check_boundaries(workspace),
            "declare the dependency in the package's pyproject.toml, or do without the import (docs/design/workspace.md).",
        ),
        Check("pages", lambda: pages.check_width(workspace), "break the line of prose."),
        Check(
            "import cycles",
            lambda: check_import_cycles(workspace),
            "do without the import it names: move what both modules need into a third one, or take it as an argument.",
        ),
        Check(
            "lock",
            lambda: lockfile.check_lock(workspace, find_uv(workspace.root)),
            "run `./tools/ws lock` and commit uv.lock.",
        ),
        Check(
            "figures",
            lambda: figures.check_figures(workspace),
            "run `./tools/ws figures` and commit docs/distributions.md.",
        ),
    ]


def _tool_checks(workspace: Workspace, environment: Environment) -> list[Check]:
    return [
        Check("pyright", lambda: linters.pyright(workspace, environment), "repair the types."),
        Check("mypy", lambda: linters.mypy(workspace, environment), "repair the types."),
        Check("ruff check", lambda: linters.ruff_check(workspace, environment), "try `.venv/bin/ruff check --fix`."),
        Check("docs", lambda: documents.check(workspace, environment), "repair the page or the docstring it names."),
        Check("ruff format", lambda: linters.ruff_format(workspace, environment), "run `.venv/bin/ruff format`."),
    ]


def run_all(checks: Iterable[Check]) -> list[Outcome]:
    """Runs all checks, two at a time, and says how each ended."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        outcomes: list[Outcome] = []
        for outcome in pool.map(_run, checks):
            state = "FAILED" if outcome.faults else "ok"
            print(f"{outcome.check.name:<13} {state:<7} {outcome.seconds:5.1f} s", flush=True)
            outcomes.append(outcome)
    return outcomes


def _run(check: Check) -> Outcome:
    start = time.perf_counter()
    try:
        faults = check.run()
    except WorkspaceError as exc:
        faults = [Fault(check.name, str(exc))]
    return Outcome(check, faults, time.perf_counter() - start)


def report(outcomes: Iterable[Outcome]) -> None:
    """Prints every finding with what to do about it, and raises WorkspaceError if there is one."""
    failed = [outcome for outcome in outcomes if outcome.faults]
    for outcome in failed:
        print(f"\n{outcome.check.name}:")
        for fault in outcome.faults:
            print(f"  {fault}")
        print(f"  What to do: {outcome.check.advice}")
    if failed:
        print()
        names = ", ".join(outcome.check.name for outcome in failed)
        raise WorkspaceError(f"Not everything is in order: {names}.", "repair what is listed above, then check again.")
    print("All checks passed.")
