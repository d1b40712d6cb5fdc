# SPDX-License-Identifier: Apache-2.0
"""The processes of the workers: each that ends is followed by another one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from subprocess import DEVNULL
from typing import Final

import anyio

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
"""Seconds before a worker is started again. They double while workers end soon."""

SOON: Final = 10.0
"""Seconds that a worker must have lived for the pauses to be short again."""

logger = logging.getLogger(__name__)


class Crew:
    """Has a number of processes running, until it is told to stop.

    Args:
        command: what is run.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._stopping = anyio.Event()
        self.restarts = 0

    async def run(self, size: int) -> None:
        """Returns when all processes have ended after `stop`. If cancelled, it kills them."""
        async with anyio.create_task_group() as tasks:
            for _ in range(size):
                tasks.start_soon(self._run_one)

    def stop(self) -> None:
        """Starts no process again."""
        self._stopping.set()

    async def _run_one(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            began = anyio.current_time()
            await self._run_once()
            if anyio.current_time() - began > SOON:
                pause = FIRST_PAUSE
            with anyio.move_on_after(pause):
                await self._stopping.wait()
                return
            self.restarts += 1
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _run_once(self) -> None:
        # In a session of its own it does not get the Ctrl-C that is meant for the supervisor.
        process = await anyio.open_process(
            self._command, stdin=DEVNULL, stdout=None, stderr=None, start_new_session=True
        )
        async with process:
            status = await process.wait()
        logger.info("worker %d has ended with status %d", process.pid, status)
