# SPDX-License-Identifier: Apache-2.0
"""The command line: one parser, one function for each verb."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from . import attacks, distributions, documents, lockfile
from .affected import INTEGRATION, Affected, affected_by, changed_paths
from .bumping import bump
from .checks import check
from .environments import Environment, sync, sync_group
from .errors import WorkspaceError
from .figures import write_figures
from .fuzzing import GROUP as FUZZ_GROUP
from .fuzzing import Budget, Fuzzer, fuzz
from .linters import test_folders
from .processes import Words, run
from .pythons import choose, current, find_interpreters
from .release_check import release_check
from .uvtool import find_uv
from .versions import PARTS
from .wheel_integration import run_integration_with_wheels
from .wheeltests import run_wheel_tests
from .workspace import Workspace

__all__ = ("main",)


def main(arguments: Sequence[str], root: Path) -> int:
    """Runs one verb and returns the exit status."""
    options, rest = _split(arguments)
    parsed = _parser().parse_args(options)
    try:
        parsed.run(Workspace(root), parsed, rest)
    except WorkspaceError as exc:
        print(f"ws {parsed.verb}: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"ws {parsed.verb}: interrupted.\n  What to do: run it again.", file=sys.stderr)
        return 130
    return 0


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Splits off what stands behind ``--``: it belongs to the program that the verb runs."""
    words = list(arguments)
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ws", description="The one door to this workspace. Every verb brings the environment up to date first."
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)

    def add(name: str, function: object, text: str) -> argparse.ArgumentParser:
        verb = verbs.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        verb.set_defaults(run=function)
        return verb

    python = "another interpreter than the one that runs ws: a version like 3.12, or `newest` on this machine"
    verb = add("sync", _sync, "make .venv what the lock says, all packages editable")
    verb.add_argument("--python", metavar="V", help=f"{python}; its environment is .venv-V")
    verb = add("demo", _demo, "show packets going over TCP and TLS, on asyncio and on uvloop")
    verb = add("test", _test, "run the tests: all, or those of some packages; what follows `--` goes to pytest")
    verb.add_argument(
        "packages",
        nargs="*",
        metavar="PACKAGE",
        help="a folder of packages/, or tests-integration; none means everything",
    )
    verb.add_argument("--python", metavar="V", help=python)
    verb.add_argument(
        "--affected", metavar="BASE", help="instead of PACKAGE: what the changes since a commit can break"
    )
    verb.add_argument(
        "--wheel", action="store_true", help="test each wheel in an environment of its own, with only what it declares"
    )
    verb.add_argument(
        "--lowest", action="store_true", help="the same, with the lowest versions that the manifests declare"
    )
    verb.add_argument(
        "--attack",
        nargs="*",
        metavar="ROW",
        help="instead of PACKAGE: attack servers, also for long, and print a table of figures; some rows of it, or all",
    )
    verb.add_argument(
        "--minutes", type=float, metavar="M", help=f"with --attack: how long row {attacks.SOAK} goes on (10)"
    )
    verb.add_argument("--write", action="store_true", help=f"with --attack: write the table into {attacks.TABLE.page}")
    verb = add("affected", _affected, "say what the changes since a commit can break, and why")
    verb.add_argument("base", metavar="BASE", help="a branch or a commit")
    verb.add_argument("--json", action="store_true", help="one line for programs: packages, and other folders of tests")
    add("check", _check, "lint, types, boundaries, lock, versions: all of it, with all failures at the end")
    add("docs", _docs, "make the site in build/docs, and let no warning pass")
    add("build", _build, "build every distribution into dist/, and dist/constraints.txt to install them with")
    add("figures", _figures, "measure every distribution, and write the table of docs/distributions.md")
    verb = add("lock", _lock, "bring uv.lock up to date with the manifests, without naming a registry in it")
    verb.add_argument("--upgrade", action="store_true", help="take the newest versions that the manifests allow")
    verb = add(
        "bump", _bump, "write a package's next version, and what follows from it in siblings, lock and changelog"
    )
    verb.add_argument("package", metavar="PACKAGE", help="a folder of packages/")
    verb.add_argument("part", metavar="PART", help=", ".join(PARTS))
    verb = add("release-check", _release_check, "say all that speaks against releasing the checked-out commit as a tag")
    verb.add_argument("tag", metavar="TAG", help="PACKAGE/VERSION, like en-protocol/1.2.0; it need not exist yet")
    verb = add("fuzz", _fuzz, "throw mutated bytes at every deserializer, and at what reads control messages")
    verb.add_argument("targets", nargs="*", metavar="TARGET", help="one of tools/fuzz; none means all of them")
    bounds = verb.add_mutually_exclusive_group()
    bounds.add_argument("--seconds", type=int, default=60, metavar="S", help="for all targets together (60)")
    bounds.add_argument("--executions", type=int, metavar="N", help="instead: of all targets together")
    bounds.add_argument("--reproduce", type=Path, metavar="FILE", help="instead: read one input again")
    verb = add("bench", _bench, "measure against what one would write by hand: `ws bench all`, or `ws bench tcp udp`")
    verb.add_argument("course", metavar="COURSE", help="one of those that `./tools/ws bench all --help` names; or all")
    verb.add_argument("arguments", nargs=argparse.REMAINDER, help="more courses, and options of the benchmark")
    return parser


def _environment(workspace: Workspace, python: str | None = None) -> Environment:
    interpreter = choose(python, find_interpreters(find_uv(workspace.root)) if python else ())
    return sync(workspace, interpreter, default=interpreter.version == current().version)


def _sync(workspace: Workspace, options: argparse.Namespace, rest: list[str]) -> None:
    environment = _environment(workspace, options.python)
    print(f"{environment.folder.name} is up to date (Python {environment.version}).")


def _demo(workspace: Workspace, options: argparse.Namespace, rest: list[str]) -> None:
    python = _environment(workspace).python
    advice = "read the error above; `./tools/ws test` tells which part is broken."
    run([python, workspace.root / "tools" / "demo.py", *rest], cwd=workspace.root, advice=advice)


def _test(workspace: Workspace, options: argparse.Namespace, rest: list[str]) -> None:
    if options.attack is not None:
        _test_attacks(workspace, options, rest)
        return
    if options.minutes is not None or options.write:
        raise WorkspaceError("--minutes and --write mean nothing without --attack.", "add it, or leave them out.")
    names = _picked(workspace, options)
    if options.affected and not names:
        print("ws: nothing is affected.")
    elif options.wheel or options.lowest:
        _test_wheels(workspace, options, names, rest)
    else:
        _test_sources(workspace, options, names, rest)


def _picked(workspace: Workspace, options: argparse.Namespace) -> list[str]:
    """Returns the names of what is to be tested, packages or other folders of tests; none means
    everything.
    """
    names: list[str] = options.packages
    if options.affected is None:
        packages = [name for name in names if name != INTEGRATION]
        if without := [name for name in packages if workspace.find_member(name).tests not in test_folders(workspace)]:
            raise WorkspaceError(f"{without[0]} has no tests.", "name another package, or none to test everything.")
        return names
    if names:
        raise WorkspaceError("--affected picks the packages by itself.", "leave out their names, or --affected.")
    found = affected_by(workspace, changed_paths(workspace, options.affected))
    _print_all(found)
    return [affected.name for affected in found]


def _test_attacks(workspace: Workspace, options: argparse.Namespace, rest: list[str]) -> None:
    if options.packages or options.affected or options.wheel or options.lowest:
        raise WorkspaceError(
            "--attack picks the tests by itself, and takes them from the sources.",
            "leave out the names of packages, --affected, --wheel and --lowest.",
        )
    plan = attacks.Plan.of(options.attack, options.minutes, options.write, rest)
    environment = _environment(workspace, options.python)
    print(f"ws: attacking on Python {environment.version}", flush=True)
    attacks.run_attacks(workspace, environment, plan)


def _print_all(found: Sequence[Affected]) -> None:
    for affected in found:
        print(f"ws: {affected}", flush=True)


def _test_sources(workspace: Workspace, options: argparse.Namespace, names: list[str], rest: list[str]) -> None:
    members = workspace.members
    picked = {members[name].tests if name in members else workspace.root / name for name in names}
    folders = [folder for folder in test_folders(workspace) if folder in picked or not names]
    environment = _environment(workspace, options.python)
    print(f"ws: testing on Python {environment.version}", flush=True)
    advice = "read the failures above; run one of them alone with `./tools/ws test PACKAGE -- -k NAME`."
    # The development mode finds what is left open or never awaited.
    program: Words = [environment.python, "-X", "dev", "-m", "pytest"]
    run([*program, *folders, *rest], cwd=workspace.root, advice=advice)


def _test_wheels(workspace: Workspace, options: argparse.Namespace, names: list[str], rest: list[str]) -> None:
    members = [member for member in workspace.members.values() if not names or member.name in names]
    # Minutes of tests, so with the wheels only where somebody has asked for just that.
    with_all = INTEGRATION in options.packages and not options.lowest
    others = [name for name in names if name not in workspace.members]
    if others and not with_all:
        print(f"ws: not of one wheel, so left to `ws test` without --wheel: {', '.join(others)}", flush=True)
    interpreter = choose(options.python, find_interpreters(find_uv(workspace.root)) if options.python else ())
    if members:
        run_wheel_tests(workspace, members, interpreter, lowest=options.lowest, pytest_options=rest)
    if with_all:
        run_integration_with_wheels(workspace, interpreter, pytest_options=rest)


def _affected(workspace: Workspace, options: argparse.Namespace, rest: list[str]) -> None:
    found = affected_by(workspace, changed_paths(workspace, options.base))
    if options.json:
        names = [affected.name for affected in found]
        packages = [name for name in names if name in workspace.members]
        print(json.dumps({"packages": packages, "folders": [name for name in names if name not in packages]}))
    else:
        _print_all(found)


def _check(workspace: Workspace, options: argparse.Namespace, rest: list[str]) -> None:
    check(workspace)


def _docs(workspace: Workspace, options: argparse.Namespace, rest: list[str]) -> None:
    index = documents.build(workspace, _environment(workspace))
    print(f"The site is in {workspace.relative(index)}.")


def _build(workspace: Workspace, options: argparse.Namespace, rest: list[str]) -> None:
    wheels = distributions.build(workspace, find_uv(workspace.root))
    print(f"Built {len(wheels)} distributions into dist/. Install them with:")
    print("  uv pip install --constraints dist/constraints.txt NAME")


def _figures(workspace: Workspace, options: argparse.Namespace, rest: list[str]) -> None:
    write_figures(workspace, current())
    print("docs/distributions.md has new figures: look at them, then commit it.")


def _lock(workspace: Workspace, options: argparse.Namespace, rest: list[str]) -> None:
    changed = lockfile.lock(workspace, find_uv(workspace.root), upgrade=options.upgrade)
    print("uv.lock is new: commit it." if changed else "uv.lock was up to date.")


def _bump(workspace: Workspace, options: argparse.Namespace, rest: list[str]) -> None:
    environment = _environment(workspace)  # towncrier is there
    for line in bump(workspace, find_uv(workspace.root), environment, options.package, options.part):
        print(line)


def _release_check(workspace: Workspace, options: argparse.Namespace, rest: list[str]) -> None:
    if faults := release_check(workspace, options.tag):
        raise WorkspaceError("\n".join(map(str, faults)), "repair what it lists, then check again.")
    print(f"{options.tag} can be released.")


def _bench(workspace: Workspace, options: argparse.Namespace, rest: list[str]) -> None:
    python = _environment(workspace).python
    advice = "read the error above, and `./tools/ws bench all --help`."
    words = [options.course, *options.arguments, *rest]
    run([python, "-m", "bench", *words], cwd=workspace.root / "tools", advice=advice)


def _fuzz(workspace: Workspace, options: argparse.Namespace, rest: list[str]) -> None:
    if options.reproduce is not None and len(options.targets) != 1:
        raise WorkspaceError("--reproduce needs the one TARGET that the file is for.", "name it.")
    fuzzer = Fuzzer(workspace, sync_group(workspace, current(), FUZZ_GROUP).python)
    if options.reproduce is not None:
        fuzzer.reproduce(options.targets[0], options.reproduce)
    else:
        seconds = options.seconds if options.executions is None else None
        fuzz(fuzzer, fuzzer.choose(options.targets), Budget(seconds, options.executions))
