# SPDX-License-Identifier: Apache-2.0
"""``tests-integration`` with what one install of the meta-package brings, in place of the sources.

Everything that is not ours is what the lock says, as in ``.venv``: the newest and the lowest
versions are the business of each distribution's own test.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .affected import INTEGRATION
from .distributions import built_constraints
from .environments import Environment, empty_environment, install_locked, install_wheels
from .errors import Fault, WorkspaceError
from .processes import Words, run
from .pythons import Interpreter
from .shipped import import_faults, import_shipped
from .uvtool import find_uv
from .workspace import Workspace

__all__ = ("run_integration_with_wheels",)

META = "easynetwork"

_INSTALL_ADVICE = "read uv's message above: the package index did not answer, or the meta-package's extras do not fit."
_TEST_ADVICE = "read the failures above; one that passes in .venv needs something that the wheels do not have."


def run_integration_with_wheels(
    workspace: Workspace, interpreter: Interpreter, *, pytest_options: Sequence[str] = ()
) -> None:
    """Makes ``build/alone/tests-integration-3.x`` afresh and runs the tests there.

    Raises:
        WorkspaceError: the wheels could not be installed, a module is not theirs, or a test has
            failed.
    """
    folder = workspace.root / "build" / "alone" / f"{INTEGRATION}-{interpreter.name}"
    print(f"ws: {INTEGRATION} with the wheels, in {workspace.relative(folder)}", flush=True)
    environment = _installed(workspace, interpreter, folder)
    if faults := _import_everything(workspace, environment):
        raise WorkspaceError(
            "\n".join(["not all modules work.", *(f"  {fault}" for fault in faults)]),
            "test the distribution that ships it: `./tools/ws test PACKAGE --wheel`.",
        )
    # From the root, whose settings pytest reads; -P keeps the folder itself off the path of
    # modules.
    program: Words = [environment.python, "-P", "-X", "dev", "-m", "pytest", "--quiet", INTEGRATION]
    run([*program, *pytest_options], cwd=workspace.root, advice=_TEST_ADVICE)


def _installed(workspace: Workspace, interpreter: Interpreter, folder: Path) -> Environment:
    uv = find_uv(workspace.root)
    constraints = built_constraints(workspace, uv)
    environment = empty_environment(uv, folder, interpreter)
    install_locked(uv, environment)
    everything = f"{META}[{','.join(workspace.find_member(META).extras)}]"
    install_wheels(uv, environment, constraints, everything, advice=_INSTALL_ADVICE)
    check = ("pip", "check", "--quiet", "--python", environment.python)
    uv.run(*check, advice="make the bounds in the manifests fit together.")
    return environment


def _import_everything(workspace: Workspace, environment: Environment) -> list[Fault]:
    return [
        fault
        for name in workspace.members
        for fault in import_faults(import_shipped(environment, name), environment.folder, optional=())
    ]
