# SPDX-License-Identifier: Apache-2.0
"""The example of the README runs as it is printed."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def examples(port: int) -> list[str]:
    """Returns the Python blocks of the README, with a port that is free on this machine."""
    blocks = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)
    return [block.replace("9000", str(port)) for block in blocks]


def test_client_of_the_readme_is_answered_by_its_server(port: int) -> None:
    server, client = examples(port)
    with subprocess.Popen(
        [sys.executable, "-c", log_when_serving(server)], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            assert "Start serving at" in process.stderr.readline()
            result = subprocess.run(
                [sys.executable, "-c", client], capture_output=True, text=True, check=False, timeout=20
            )
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)
        finally:
            process.kill()

    assert (result.stdout, result.stderr) == ("{'sum': 6}\n", "")


def log_when_serving(script: str) -> str:
    """Lets the server tell that it is up: there is no other way to know without touching its code."""
    return f"import logging; logging.basicConfig(level=logging.INFO)\n{script}"
