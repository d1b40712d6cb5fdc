# SPDX-License-Identifier: Apache-2.0
"""The steps of "Quick start" and "Installing only what is needed", followed to the letter in a copy
of the workspace.
"""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from clean_environments import ADVICE, ROOT, WORKSPACE, closure
from pages import DOCS, Page

from wslib.uvtool import find_uv

pytestmark = pytest.mark.timeout(300)  # builds the wheels, and asks the package index for what they need

QUICKSTART = Page("quickstart.md")
INSTALLING = Page("installing.md")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader has who has cloned the repository."""
    folder = tmp_path_factory.mktemp("reader") / "easynetwork"
    ignored = shutil.ignore_patterns(
        ".git", ".venv*", "build", "*.whl", "*.gz", "__pycache__", ".*_cache", ".hypothesis"
    )
    shutil.copytree(ROOT, folder, ignore=ignored, symlinks=True)
    return folder


class Terminal:
    """A shell that stays where its commands have gone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names = ""

    def type(self, block: str) -> None:
        script = f'set -e\n{self._names}\n{block}\necho "folder=$PWD"\necho "dist=\\"$dist\\""'
        result = subprocess.run(["sh", "-c", script], cwd=self._folder, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        *_, folder, self._names = result.stdout.splitlines()
        self._folder = Path(folder.removeprefix("folder="))

    def save(self, name: str, source: str) -> None:
        (self._folder / name).write_text(source)

    def output_of(self, command: str) -> str:
        result = subprocess.run(
            command.split(), cwd=self._folder, capture_output=True, text=True, check=False, timeout=30
        )
        assert (result.returncode, result.stderr) == (0, "")
        return result.stdout

    @contextmanager
    def running(self, command: str) -> Generator[subprocess.Popen[str]]:
        """A program that says something on standard error when it is up."""
        with subprocess.Popen(command.split(), cwd=self._folder, stderr=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_reader_of_the_quick_start_gets_a_udp_server_and_a_client(clone: Path) -> None:
    port = str(free_port())
    terminal = Terminal(clone)
    for block in QUICKSTART.shell():
        terminal.type(block)
    for name, source in QUICKSTART.programs().items():
        terminal.save(name, source.replace("9000", port))
    (start_server, shown_by_server), (start_client, shown_by_client) = (
        session.removeprefix("$ ").split("\n", 1) for session in QUICKSTART.sessions()
    )

    with terminal.running(start_server) as server:
        assert server.stderr is not None
        assert server.stderr.readline() == shown_by_server.replace("9000", port)
        assert terminal.output_of(start_client) == shown_by_client
        server.send_signal(signal.SIGINT)
        server.wait(10)


def test_reader_of_installing_gets_one_transport_and_then_the_extras(clone: Path) -> None:
    terminal = Terminal(clone)
    only, extras, *_ = INSTALLING.shell()
    terminal.type(only)
    environment = clone.parent / "only-tcp"
    assert _ours_in(environment) == closure("en-servers-tcp")

    terminal.type(extras)

    assert _ours_in(environment) == closure("en-servers-tcp") | {"en-backend-trio"}


def test_reader_of_installing_gets_one_transport_then_trio_then_everything_without_a_network(clone: Path) -> None:
    terminal = Terminal(clone)
    _, _, collect, *steps = INSTALLING.shell()
    terminal.type(collect)
    (clone / "dist" / "constraints.txt").unlink()  # another machine has the wheelhouse and nothing else

    found: list[set[str]] = []
    for step in steps:
        terminal.type(step)
        found.append(_ours_in(clone.parent / "without-network"))

    transport = closure("en-servers-tcp")
    meta = {name for name in closure("easynetwork") if name.startswith("en-")}
    assert found == [transport, transport | {"en-backend-trio"}, meta | {"en-backend-trio"}]


@pytest.mark.parametrize("what", ["en-servers-tcp", "en-servers-tcp[trio]", "easynetwork[trio,uvloop,cbor,msgpack]"])
def test_uv_installs_from_the_same_folder(what: str, clone: Path, tmp_path: Path) -> None:
    if not (clone.parent / "wheelhouse").exists():
        Terminal(clone).type(INSTALLING.shell()[2])
    uv = find_uv(ROOT)
    same_python = clone.parent / "with-network" / "bin" / "python"
    uv.run("venv", "--quiet", "--python", same_python, tmp_path / "environment", advice=ADVICE)
    options = ("--quiet", "--offline", "--no-index", "--find-links", clone.parent / "wheelhouse")

    uv.run("pip", "install", *options, "--python", tmp_path / "environment", what, advice=ADVICE)

    assert closure(what.partition("[")[0]) - {"easynetwork"} <= _ours_in(tmp_path / "environment")


def test_errors_of_installing_are_those_that_one_sees(clone: Path) -> None:
    if not (clone.parent / "only-tcp").exists():
        Terminal(clone).type(INSTALLING.shell()[0])
    python = clone.parent / "only-tcp" / "bin" / "python"
    program = "from easynetwork.servers import AsyncUDPNetworkServer"
    result = subprocess.run([python, "-c", program], capture_output=True, text=True, check=False)

    shown = re.findall(r"^\| `(\w+: .*?)` \|", (DOCS / "installing.md").read_text(), re.MULTILINE)
    assert result.stderr.splitlines()[-1] == shown[0]


def test_table_of_installing_says_what_each_distribution_brings() -> None:
    rows = re.findall(r"^\| [^|]+ \| `([\w-]+)` \| (.*?)\|$", (DOCS / "installing.md").read_text(), re.MULTILINE)

    assert {name: set(brought.replace(",", " ").split()) for name, brought in rows} == {
        name: closure(name) - {name}
        for name in WORKSPACE.members
        if name not in ("en-backend-asyncio", "en-backend-trio", "en-servers")  # nobody's wish as such
    }


def test_table_of_extras_is_that_of_the_manifests() -> None:
    text = (DOCS / "installing.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| ([\w, -]+) \| .* \|$", text, re.MULTILINE)

    assert {extra: set(owners.replace(",", " ").split()) for extra, owners in rows} == {
        extra: {
            name
            for name, member in WORKSPACE.members.items()
            if extra in member.data["project"].get("optional-dependencies", {})
        }
        for extra in ("trio", "uvloop", "cbor", "msgpack", "testing")
    }


def _ours_in(environment: Path) -> set[str]:
    found = environment.glob("lib/python*/site-packages/*.dist-info")
    return {path.name.split("-")[0].replace("_", "-") for path in found if path.name.startswith("en_")}
