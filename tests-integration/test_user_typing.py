# SPDX-License-Identifier: Apache-2.0
"""Type checkers see the types of whatever is installed, also where only a part of `easynetwork` is.

The programs in ``user_programs/`` assert the types that they meet. Next to each lies a copy with
one packet of a wrong type: were the installed modules untyped for a checker, it would find nothing
wrong with that one either.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from clean_environments import CleanEnvironment, Wheels, build_wheels

pytestmark = pytest.mark.timeout(300)  # builds the wheels, and asks the package index for what they need

PROGRAMS = Path(__file__).parent / "user_programs"
BIN = Path(sys.executable).parent

# What is installed, and the programs that work with it.
COMBINATIONS = {
    "en-servers-tcp": ("tcp_server",),
    "en-servers-udp": ("udp_server",),
    "en-servers-unix": ("unix_servers",),
    "en-clients": ("clients",),
    "en-servers-tcp[trio]": ("tcp_server", "on_trio"),
    "everything": ("tcp_server", "udp_server", "unix_servers", "clients", "on_trio"),
}

WRONG = {
    "tcp_server": ('send_packet(f"{address.host}: {request.upper()}")', "send_packet(len(request))"),
    "udp_server": ('send_packet(f"{request} {self.seen[client]}")', "send_packet(self.seen[client])"),
    "unix_servers": ("send_packet((yield).upper())", "send_packet((yield).encode())"),
    "clients": ('send_packet("pie")', "send_packet(3.14)"),
    "on_trio": ('send_packet("awake")', "send_packet(True)"),
}


class Found(NamedTuple):
    """An error that a checker reports."""

    file: str
    line: int
    rule: str


class UsersProject:
    """A folder with programs, right and wrong ones, and the environment that they run in."""

    def __init__(self, folder: Path, environment: CleanEnvironment, programs: tuple[str, ...]) -> None:
        self._folder = folder
        self._environment = environment
        self.wrong = [self._write(name) for name in programs]
        (folder / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict", "include": ["*.py"]}')

    def _write(self, name: str) -> tuple[str, int]:
        """Writes a program and its wrong copy; returns file and line of what is wrong."""
        source = (PROGRAMS / f"{name}.py").read_text()
        right, wrong = WRONG[name]
        before, found, after = source.partition(right)
        assert found, f"{name} has no {right}"
        (self._folder / f"{name}.py").write_text(source)
        (self._folder / f"wrong_{name}.py").write_text(before + wrong + after)
        return f"wrong_{name}.py", before.count("\n") + 1

    def mypy(self, cache: Path) -> list[Found]:
        options = ["--strict", "--config-file=", "--no-error-summary", "--output", "json", f"--cache-dir={cache}"]
        python = ["--python-executable", str(self._environment.python)]
        files = sorted(path.name for path in self._folder.glob("*.py"))
        output = self._run(BIN / "mypy", *options, *python, *files)
        reports = [json.loads(line) for line in output.splitlines()]
        return sorted(Found(report["file"], report["line"], report["code"]) for report in reports)

    def pyright(self) -> list[Found]:
        output = self._run(BIN / "pyright", "--outputjson", "--pythonpath", self._environment.python)
        report = json.loads(output)
        assert report["summary"]["filesAnalyzed"] == 2 * len(self.wrong)
        return sorted(
            Found(Path(found["file"]).name, found["range"]["start"]["line"] + 1, found.get("rule", found["message"]))
            for found in report["generalDiagnostics"]
        )

    def _run(self, *words: str | Path) -> str:
        result = subprocess.run(words, cwd=self._folder, capture_output=True, text=True, check=False)
        assert result.returncode == 1, (
            result.stdout + result.stderr
        )  # 1 is what both end with when they have found errors
        return result.stdout


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    return build_wheels(tmp_path_factory.getbasetemp() / "wheels")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """mypy's: what it knows of the standard library serves every combination."""
    return tmp_path_factory.mktemp("mypy")


@pytest.fixture(params=list(COMBINATIONS), scope="module")
def project(request: pytest.FixtureRequest, wheels: Wheels, tmp_path_factory: pytest.TempPathFactory) -> UsersProject:
    what: str = request.param
    requirement = wheels.everything("trio") if what == "everything" else what
    environment = wheels.install(tmp_path_factory.mktemp("environment"), requirement)
    return UsersProject(tmp_path_factory.mktemp("project"), environment, COMBINATIONS[what])


def test_mypy_sees_the_types_of_what_is_installed(project: UsersProject, cache: Path) -> None:
    assert project.mypy(cache) == sorted(Found(*wrong, "arg-type") for wrong in project.wrong)


def test_pyright_sees_the_types_of_what_is_installed(project: UsersProject) -> None:
    assert project.pyright() == sorted(Found(*wrong, "reportArgumentType") for wrong in project.wrong)
