# SPDX-License-Identifier: Apache-2.0
"""Programs of the documents, run as they are printed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

# Ctrl-C is what it is for a program in a terminal, also where the tests themselves run in the
# background of a shell, which ignores it.
_RUN_WITH_LOG = """
import logging, runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
logging.basicConfig(level=logging.INFO, format="%(message)s")
runpy.run_path(sys.argv[1], run_name="__main__")
"""


_START = "Start serving at "


@contextmanager
def serving_program(path: Path, source: str) -> Generator[tuple[subprocess.Popen[str], str]]:
    """A program that serves until it is interrupted, and the addresses that its log tells: nothing
    else says when it is up.
    """
    path.write_text(source)
    command = [sys.executable, "-W", "error", "-c", _RUN_WITH_LOG, str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            assert line.startswith(_START), line
            yield process, line.removeprefix(_START).rstrip()
        finally:
            process.kill()


def output_of(source: str) -> str:
    """What a program prints that ends by itself, without an error."""
    command = [sys.executable, "-W", "error", "-c", source]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout
