# SPDX-License-Identifier: Apache-2.0
"""A distribution that nobody here knows brings a backend, through the same door as ours."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from clean_environments import CleanEnvironment, build_wheels, serving

EXAMPLE = Path(__file__).parent / "example-backend"

pytestmark = pytest.mark.timeout(300)  # builds the wheels, and asks the package index for what they need

SERVE = """
from easynetwork.lowlevel.api_async.backend.utils import ensure_backend
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import JSONSerializer
from easynetwork.servers import AsyncTCPNetworkServer
from easynetwork.servers.handlers import AsyncStreamRequestHandler

class Echo(AsyncStreamRequestHandler):
    async def handle(self, client):
        request = yield
        backends = client.backend(), ensure_backend(None)
        await client.send_packet([request, *(type(backend).__name__ for backend in backends)])

async def main():
    protocol = StreamProtocol(JSONSerializer())
    async with AsyncTCPNetworkServer("127.0.0.1", 0, protocol, Echo(), backend="example") as server:
        print(server.get_addresses()[0].port, flush=True)
        await server.serve_forever()

try:
    ensure_backend("example").bootstrap(main)
except KeyboardInterrupt:
    pass
"""


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy outside of the repository, where nothing is found but by being installed."""
    copy = tmp_path_factory.mktemp("copy") / "example-backend"
    return shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__", ".*"))


@pytest.fixture(scope="module")
def environment(example: Path, tmp_path_factory: pytest.TempPathFactory) -> CleanEnvironment:
    wheels = build_wheels(tmp_path_factory.getbasetemp() / "wheels")
    return wheels.install(tmp_path_factory.mktemp("environment"), example, "en-servers-tcp", "en-backend[testing]")


def test_the_example_passes_the_suite_of_all_backends(example: Path, environment: CleanEnvironment) -> None:
    words: list[str | Path] = [environment.python, "-I", "-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider"]
    result = subprocess.run(words, cwd=example, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout
    assert "20 passed" in result.stdout


def test_the_example_serves_if_it_is_named_and_asyncio_s_backend_if_none_is(environment: CleanEnvironment) -> None:
    with (
        serving(environment, SERVE) as port,
        socket.create_connection(("127.0.0.1", int(port)), timeout=10) as client,
        client.makefile("rb") as lines,
    ):
        client.sendall(b'"hello"\n')

        assert lines.readline() == b'["hello","ExampleBackend","AsyncIOBackend"]\n'
