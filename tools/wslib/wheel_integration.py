# SPDX-License-Identifier: Apache-2.0
"""``tests-integration`` with what one install of the meta-package brings, in place of the sources.

Everything that is not ours is what the lock says, as in ``.venv``: the newest and the lowest versions are the business of each distribution's own test.
"""

from __future__ import annotations

from collections.abc import Sequence

from .affected import INTEGRATION
from .distributions import built_constraints
from .environments import Environment, install_locked
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
        WorkspaceError: the wheels could not be installed, a module is not theirs, or a test has failed.
    """
    folder = workspace.root / "build" / "alone" / f"{INTEGRATION}-{interpreter.name}"
    environment = Environment(folder)
    print(f"ws: {INTEGRATION} with the wheels, in {workspace.relative(folder)}", flush=True)
    _install(workspace, interpreter, environment)
    if faults := _import_everything(workspace, environment):
        raise WorkspaceError(
            "\n".join(["not all modules work.", *(f"  {fault}" for fault in faults)]),
            "test the distribution that ships it: `./tools/ws test PACKAGE --wheel`.",
        )
    # From the root, whose settings pytest reads; -P keeps the folder itself off the path of modules.
    program: Words = [environment.python, "-P", "-X", "dev", "-m", "pytest", "--quiet", INTEGRATION]
    run([*program, *pytest_options], cwd=workspace.root, advice=_TEST_ADVICE)


def _install(workspace: Workspace, interpreter: Interpreter, environment: Environment) -> None:
    uv = find_uv(workspace.root)
    constraints = built_constraints(workspace, uv)
    target = ("--python", environment.python)
    uv.run("venv", "--quiet", "--clear", "--python", interpreter.path, environment.folder, advice=_INSTALL_ADVICE)
    install_locked(uv, environment)
    everything = f"{META}[{','.join(workspace.find_member(META).extras)}]"
    options = ("--quiet", "--no-sources", "--constraints", constraints)
    uv.run("pip", "install", *options, *target, everything, advice=_INSTALL_ADVICE)
    uv.run("pip", "check", "--quiet", *target, advice="make the bounds in the manifests fit together.")


def _import_everything(workspace: Workspace, environment: Environment) -> list[Fault]:
    return [
        fault
        for name in workspace.members
        for fault in import_faults(import_shipped(environment, name), environment.folder, optional=())
    ]
