# SPDX-License-Identifier: Apache-2.0
"""The Redis server of the documents passes its own tests, and what its page tells the reader to
type works on every event loop.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis
from example_programs import EXAMPLES, commands, end, port_of, replaced, started
from loops import LOOPS
from page_sessions import replayed
from pages import Page

FOLDER = EXAMPLES / "redis"
PAGE = Page("tutorials/redis.md")
SERVER, TESTS = commands("tutorials/redis.md")


@pytest.mark.timeout(120)
def test_its_own_tests() -> None:
    python, *words = TESTS
    assert python == "python"
    command = [sys.executable, *words, "-q", "-p", "no:cacheprovider", "--hypothesis-profile=ci"]

    result = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("loop", LOOPS)
def test_session_of_the_page(loop: str, tmp_path: Path) -> None:
    with started([*replaced(SERVER, port="0"), "--loop", loop], FOLDER) as server:
        port = port_of(server)
        for name, source in PAGE.programs().items():
            (tmp_path / name).write_text(source.replace("9300", str(port)))
        for shown, printed in replayed(PAGE, tmp_path):
            assert printed == shown
        status, said = end(server, signal.SIGTERM)

        assert (status, said[-1]) == (0, "Server stopped")


def test_a_client_that_insists_on_the_third_version_is_refused() -> None:
    with started(replaced(SERVER, port="0"), FOLDER) as server:
        client: Any = redis.Redis(port=port_of(server), protocol=3)
        with client, pytest.raises(redis.RedisError) as refusal:
            client.ping()
        assert "unsupported protocol version" in str(refusal.value)
        assert end(server, signal.SIGINT)[0] == 0
