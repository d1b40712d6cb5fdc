# SPDX-License-Identifier: Apache-2.0
"""The examples of the READMEs run as they are printed."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from easynetwork.clients import TCPNetworkClient, UDPNetworkClient
from easynetwork.clients.unix_stream import UnixStreamClient
from easynetwork.lowlevel.socket import SocketAncillary
from easynetwork.protocol import DatagramProtocol, StreamProtocol
from easynetwork.serializers import JSONSerializer, StringLineSerializer

ROOT = Path(__file__).parents[1]


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def examples(package: str = ".") -> list[str]:
    """Returns the Python blocks of a README."""
    readme = (ROOT / package / "README.md").read_text()
    return re.findall(r"^```python\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)


@contextmanager
def running(server: str, folder: Path | None = None) -> Generator[None]:
    """Runs a script until it serves, and ends it as Ctrl-C does."""
    # Logging tells when it is up: there is no other way to know without touching its code.
    script = f"import logging; logging.basicConfig(level=logging.INFO)\n{server}"
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, cwd=folder) as process:
        try:
            assert process.stderr is not None
            assert "Start serving at" in process.stderr.readline()
            yield
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)
        finally:
            process.kill()


def on(loop: str, server: str) -> str:
    """The server for another event loop, which differs in the last line, as the READMEs say."""
    if loop == "asyncio":
        return server
    program, run = server.removesuffix("\n").rsplit("\n", 1)
    assert run == "asyncio.run(main())"
    return f"import trio\n{program}\ntrio.run(main)\n"


@pytest.mark.parametrize("package", ["packages/en-backend", "packages/en-backend-asyncio", "packages/en-backend-trio"])
def test_examples_of_a_backend_run(package: str) -> None:
    subprocess.run([sys.executable, "-c", "\n".join(examples(package))], check=True, timeout=20)


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_client_of_the_readme_is_answered_by_its_server(port: int, loop: str) -> None:
    server, client = (block.replace("9000", str(port)) for block in examples())
    with running(on(loop, server)):
        result = subprocess.run([sys.executable, "-c", client], capture_output=True, text=True, check=False, timeout=20)

    assert (result.stdout, result.stderr) == ("{'sum': 6}\n", "")


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_tcp_server_of_its_readme_answers(port: int, loop: str) -> None:
    (server,) = examples("packages/en-servers-tcp")
    with (
        running(on(loop, server.replace("9000", str(port)))),
        TCPNetworkClient(("127.0.0.1", port), StreamProtocol(JSONSerializer())) as client,
    ):
        client.send_packet([1, 2, 3], timeout=10)

        assert client.recv_packet(timeout=10) == {"sum": 6}


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_udp_server_of_its_readme_answers(port: int, loop: str) -> None:
    (server,) = examples("packages/en-servers-udp")
    with (
        running(on(loop, server.replace("9000", str(port)))),
        UDPNetworkClient(("127.0.0.1", port), DatagramProtocol(JSONSerializer())) as client,
    ):
        client.send_packet([1, 2, 3], timeout=10)

        assert client.recv_packet(timeout=10) == {"sum": 6}


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_unix_server_of_its_readme_reads_the_file_it_is_given(loop: str) -> None:
    (server,) = examples("packages/en-servers-unix")
    with tempfile.TemporaryDirectory() as name, running(on(loop, server), folder := Path(name)):
        path = folder / "reader.sock"
        (folder / "letter").write_text("dear server\n")
        ancillary = SocketAncillary()
        with (
            UnixStreamClient(path, StreamProtocol(StringLineSerializer(encoding="utf-8"))) as client,
            open(folder / "letter") as letter,
        ):
            ancillary.add_fds([letter.fileno()])
            client.send_packet("letter", ancillary_data=ancillary, timeout=10)

            assert client.recv_packet(timeout=10) == "letter: dear server"
