# SPDX-License-Identifier: Apache-2.0
"""The distributions as strangers get them: built, then installed into an empty environment with only what they declare."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from wslib.distributions import write_constraints
from wslib.uvtool import Uv, find_uv
from wslib.workspace import Member, Workspace

ROOT = Path(__file__).parents[1]
WORKSPACE = Workspace(ROOT)
ADVICE = "see the output of uv above"

pytestmark = pytest.mark.timeout(300)  # builds five wheels, and asks the package index for what they need

IMPORT_EVERYTHING = """
import importlib, importlib.metadata, json
ours = [d for d in importlib.metadata.distributions() if d.name.startswith("en-")]
modules = [file.with_suffix("") for d in ours for file in d.files if file.suffix == ".py"]
names = [".".join(m.parent.parts if m.name == "__init__" else m.parts) for m in modules]
print(json.dumps([importlib.import_module(name).__file__ for name in names]))
"""

PARSE = """
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import JSONSerializer

parser = StreamProtocol(JSONSerializer()).build_packet_from_chunks()
next(parser)
try:
    parser.send(b'{"spam": [1, 2]}\\n{"rest"')
except StopIteration as result:
    print(*result.value)
"""

SERVE = """
import asyncio, contextlib
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import JSONSerializer
from easynetwork.servers import AsyncTCPNetworkServer
from easynetwork.servers.handlers import AsyncStreamRequestHandler

class Doubler(AsyncStreamRequestHandler):
    async def handle(self, client):
        number = yield
        await client.send_packet(number * 2)

async def main():
    async with AsyncTCPNetworkServer("127.0.0.1", 0, StreamProtocol(JSONSerializer()), Doubler()) as server:
        print(server.get_addresses()[0].port, flush=True)
        await server.serve_forever()

with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())
"""


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

    def installed(self) -> set[str]:
        listing = self.uv.capture("pip", "list", "--format", "json", "--python", self.python).stdout
        return {package["name"] for package in json.loads(listing)}


@dataclass
class Wheels:
    """Built wheels and the constraints that pin their names to them."""

    constraints: Path
    uv: Uv

    def install(self, name: str, folder: Path) -> CleanEnvironment:
        python = folder / "bin" / "python"
        self.uv.run("venv", "--quiet", "--python", sys.executable, folder, advice=ADVICE)
        words = ("pip", "install", "--quiet", "--no-sources", "--constraints", self.constraints, "--python", python)
        self.uv.run(*words, name, advice=ADVICE)
        return CleanEnvironment(python, self.uv)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    folder = tmp_path_factory.mktemp("wheels")
    uv = find_uv(ROOT)
    for name in sorted(closure("en-servers-tcp")):
        words = ("build", "--quiet", "--wheel", "--no-sources", "--package", name, "--out-dir", folder)
        uv.run(*words, advice=ADVICE)
    write_constraints(folder / "constraints.txt", sorted(folder.glob("*.whl")))
    return Wheels(folder / "constraints.txt", uv)


@pytest.fixture(scope="session")
def with_protocol(wheels: Wheels, tmp_path_factory: pytest.TempPathFactory) -> CleanEnvironment:
    return wheels.install("en-protocol", tmp_path_factory.mktemp("protocol"))


@pytest.fixture(scope="session")
def with_servers_tcp(wheels: Wheels, tmp_path_factory: pytest.TempPathFactory) -> CleanEnvironment:
    return wheels.install("en-servers-tcp", tmp_path_factory.mktemp("servers-tcp"))


def closure(name: str) -> set[str]:
    """Returns the distributions of ours that ``name`` brings along, itself included."""
    siblings = set(siblings_of(WORKSPACE.members[name]))
    return {name}.union(*(closure(sibling) for sibling in siblings))


def siblings_of(member: Member) -> Iterator[str]:
    return (requirement.name for requirement in member.dependencies if requirement.name in WORKSPACE.members)


def test_protocol_comes_alone(with_protocol: CleanEnvironment) -> None:
    assert with_protocol.installed() == {"en-protocol", "typing-extensions"}


def test_protocol_alone_parses(with_protocol: CleanEnvironment) -> None:
    assert with_protocol.run(PARSE) == "{'spam': [1, 2]} b'{\"rest\"'\n"


def test_servers_tcp_brings_what_it_declares_and_no_more(with_servers_tcp: CleanEnvironment) -> None:
    third_parties = {"anyio", "idna", "sniffio", "typing-extensions"}  # sniffio: with older releases of anyio

    assert closure("en-servers-tcp") <= with_servers_tcp.installed() <= closure("en-servers-tcp") | third_parties


@pytest.mark.parametrize("name", ["en-protocol", "en-servers-tcp"])
def test_every_module_is_importable_with_only_what_is_declared(name: str, request: pytest.FixtureRequest) -> None:
    fixture = {"en-protocol": "with_protocol", "en-servers-tcp": "with_servers_tcp"}[name]
    environment: CleanEnvironment = request.getfixturevalue(fixture)

    files: list[str] = json.loads(environment.run(IMPORT_EVERYTHING))

    assert len(files) > 10
    assert all(Path(file).is_relative_to(environment.python.parents[1]) for file in files)


def test_installed_servers_tcp_serves_a_plain_socket(with_servers_tcp: CleanEnvironment) -> None:
    words: list[str | Path] = [with_servers_tcp.python, "-I", "-c", SERVE]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline()
            assert port, server.communicate()[1]
            with (
                socket.create_connection(("127.0.0.1", int(port)), timeout=10) as client,
                client.makefile("rb") as lines,
            ):
                client.sendall(b"21\n4\n")

                assert (lines.readline(), lines.readline()) == (b"42\n", b"8\n")
            server.send_signal(signal.SIGINT)
            _, errors = server.communicate(timeout=10)
        finally:
            server.kill()

    assert server.returncode == 0
    assert errors == ""
