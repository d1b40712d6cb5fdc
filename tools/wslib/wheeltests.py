# SPDX-License-Identifier: Apache-2.0
"""One distribution tested as its users get it: its wheel, in an environment that has only what it
declares.

The stages, each in the environment that the one before has left:

1. The wheel alone. What it declares must fit together, and every module that it ships must be
   importable. A module that needs what only an extra brings may fail, with just that missing.
2. With its group ``test``: its own tests pass. They run in place, from a folder where no source of
   the workspace is importable.
3. With all extras: every module is importable; and if the extras brought something, the tests pass
   once more.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from .distributions import built_constraints
from .environments import Environment, empty_environment, install_wheels
from .errors import WorkspaceError
from .floors import third_parties
from .processes import Words, run
from .pythons import Interpreter
from .shipped import import_faults, import_shipped
from .uvtool import Uv, find_uv
from .workspace import Member, Requirement, Workspace

__all__ = ("WheelTest", "pytest_settings", "run_wheel_tests")

_INSTALL_ADVICE = "read uv's message above: a bound in a manifest does not fit, or the package index did not answer."
_TEST_ADVICE = "read the failures above; one that passes in .venv needs something that its package does not declare."

_Setting: TypeAlias = str | float | list[str]

# Where things lie in the workspace; and `strict` is what anyio's plugin does by itself, where older
# releases, and distributions that are tested without anyio, do not know the setting.
_OF_THE_WORKSPACE = ("testpaths", "pythonpath", "anyio_mode")


def run_wheel_tests(
    workspace: Workspace,
    members: Sequence[Member],
    interpreter: Interpreter,
    *,
    lowest: bool = False,
    pytest_options: Sequence[str] = (),
) -> None:
    """Builds the wheels and tests those of ``members``, one after the other.

    Raises:
        WorkspaceError: at least one failed. All have been tested by then, and their failures
            printed.
    """
    uv = find_uv(workspace.root)
    constraints = built_constraints(workspace, uv)
    failed: list[str] = []
    lines: list[str] = []
    for member in members:
        start = time.perf_counter()
        state = "ok"
        try:
            WheelTest(workspace, member, interpreter, uv, constraints, lowest=lowest).run(pytest_options)
        except WorkspaceError as exc:
            print(f"ws: {member.name}: {exc}", flush=True)
            failed.append(member.name)
            state = "FAILED"
        lines.append(f"{member.name:<20} {state:<7} {time.perf_counter() - start:5.1f} s")
    versions = "the lowest declared versions" if lowest else "the newest versions"
    print(f"\nWheels on Python {interpreter.name}, with {versions} of what they need:")
    print("\n".join(lines), flush=True)
    if failed:
        raise WorkspaceError(
            f"Not every distribution works alone: {', '.join(failed)}.",
            "read what is said above where each of them ends.",
        )


class WheelTest:
    """The test of one distribution.

    Args:
        workspace: where it comes from.
        member: the distribution.
        interpreter: the Python of the environment.
        uv: makes the environment and fills it.
        constraints: direct references to the wheels of all members.
        lowest: with the lowest versions of other people's packages that the manifests declare, in
            place of the newest.
    """

    def __init__(
        self, workspace: Workspace, member: Member, interpreter: Interpreter, uv: Uv, constraints: Path, *, lowest: bool
    ) -> None:
        self._workspace = workspace
        self._member = member
        self._interpreter = interpreter
        self._uv = uv
        self._constraints = constraints
        self._lowest = lowest
        suffix = "-lowest" if lowest else ""
        self.environment = Environment(workspace.root / "build" / "alone" / f"{member.name}-{interpreter.name}{suffix}")

    def run(self, pytest_options: Sequence[str] = ()) -> None:
        """Makes the environment afresh and goes through the stages.

        Raises:
            WorkspaceError: what failed first, and what can be done.
        """
        member, folder = self._member, self.environment.folder
        print(f"ws: {member.name} alone, in {self._workspace.relative(folder)}", flush=True)
        empty_environment(self._uv, folder, self._interpreter)

        wanted = list(member.dependencies)
        self._install(member.name, wanted)
        self._import_everything(optional={requirement.name for requirement in member.optional_dependencies})

        wanted += member.test_dependencies
        group = ("--group", f"{member.manifest}:test")
        self._install(member.name, wanted, *group)
        self._run_tests(pytest_options)

        if member.extras:
            before = self._installed()
            wanted += member.optional_dependencies
            self._install(f"{member.name}[{','.join(member.extras)}]", wanted, *group)
            self._import_everything(optional=())
            if brought := self._installed() - before:
                print(f"ws: {member.name} with all extras: {', '.join(sorted(brought))}", flush=True)
                self._run_tests(pytest_options)

    def _install(self, what: str, requirements: Sequence[Requirement], *options: str) -> None:
        """Adds to the environment, and has uv confirm that what is in it fits together.

        Args:
            what: the distribution, with extras or without.
            requirements: what it, with them, declares: to be taken in its lowest versions.
            options: further ones for uv.
        """
        words = [*options, what]
        if self._lowest:
            words += ["--resolution", "lowest-direct", *third_parties(self._workspace, requirements)]
        install_wheels(self._uv, self.environment, self._constraints, *words, advice=_INSTALL_ADVICE)
        check = ("pip", "check", "--quiet", "--python", self.environment.python)
        self._uv.run(*check, advice="make the bounds in the manifests fit together.")

    def _import_everything(self, optional: set[str] | tuple[()]) -> None:
        modules = import_shipped(self.environment, self._member.name)
        if faults := import_faults(modules, self.environment.folder, optional):
            raise WorkspaceError(
                "\n".join(["not all of its modules work.", *(f"  {fault}" for fault in faults)]),
                "declare what is missing in its pyproject.toml, or do without the import.",
            )
        if modules:  # the meta-package has none
            print(f"ws: {self._member.name}: imported {len(modules)} modules", flush=True)

    def _run_tests(self, options: Sequence[str]) -> None:
        folder = self.environment.folder
        settings = folder / "pytest.ini"
        settings.write_text(pytest_settings(self._workspace, folder / ".pytest_cache"))
        program: Words = [self.environment.python, "-P", "-X", "dev", "-m", "pytest", "--quiet"]
        where: Words = ["-c", settings, "--rootdir", self._member.folder, self._member.tests]
        run([*program, *where, *options], cwd=folder, advice=_TEST_ADVICE)

    def _installed(self) -> set[str]:
        paths = self.environment.folder.glob("lib/python*/site-packages/*.dist-info")
        return {path.name.removesuffix(".dist-info") for path in paths}


def pytest_settings(workspace: Workspace, cache: Path) -> str:
    """Returns a ``pytest.ini`` with the root's settings, except those that are about the
    workspace.
    """
    root: dict[str, _Setting] = workspace.data.get("tool", {}).get("pytest", {}).get("ini_options", {})
    settings = {key: value for key, value in root.items() if key not in _OF_THE_WORKSPACE}
    lines = [f"{key} = {_ini_value(value)}" for key, value in {**settings, "cache_dir": str(cache)}.items()]
    return "\n".join(["[pytest]", *lines, ""])


def _ini_value(value: _Setting) -> str:
    return "".join(f"\n    {item}" for item in value) if isinstance(value, list) else str(value)
