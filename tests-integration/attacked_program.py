# SPDX-License-Identifier: Apache-2.0
"""What the programs under attack have in common: ``PROGRAM LOOP OPTIONS`` prints where it serves, and serves until its input ends."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import anyio

from easynetwork.lowlevel.api_async.backend.utils import new_builtin_backend
from easynetwork.lowlevel.testing.event_loops import installed_event_loops

__all__ = ("run", "wait_for_end_of_input")


async def wait_for_end_of_input() -> None:
    while True:
        await anyio.wait_readable(sys.stdin)
        if not os.read(sys.stdin.fileno(), 100):
            return


def run(serve: Callable[[dict[str, Any]], Coroutine[Any, Any, None]]) -> None:
    """Runs ``serve`` with the options, on the loop, that the command line names."""
    _, loop, options = sys.argv
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    framework, runner_options = installed_event_loops()[loop]
    new_builtin_backend(framework).bootstrap(serve, json.loads(options), runner_options=runner_options)
