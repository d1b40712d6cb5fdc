# SPDX-License-Identifier: Apache-2.0
"""The leak check of a test: descriptors and threads that it leaves behind."""

from __future__ import annotations

import os
import threading

__all__ = ("LeakCheck",)

_FOLDER = "/proc/self/fd"

_PATIENCE = 5.0
"""Seconds."""


class LeakCheck:
    """Counts descriptors, where the system tells them, and threads, from the moment when it is
    made.
    """

    def __init__(self) -> None:
        self._threads = set(threading.enumerate())
        self._descriptors = _open_descriptors()

    def left_behind(self, patience: float = _PATIENCE) -> list[str]:
        """What was not there before.

        Args:
            patience: seconds that each thread may still need to end, as workers do that were told
                to.
        """
        threads = {thread for thread in set(threading.enumerate()) - self._threads if not thread.daemon}
        for thread in threads:
            thread.join(patience)
        left = [repr(thread) for thread in threads if thread.is_alive()]
        return left + [f"descriptor {name}: {what}" for name, what in sorted(_open_descriptors() - self._descriptors)]


def _open_descriptors() -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for name in os.listdir(_FOLDER) if os.path.isdir(_FOLDER) else ():
        try:
            found.add((name, os.readlink(f"{_FOLDER}/{name}")))
        except FileNotFoundError:
            continue  # the one that listdir() itself had open
    return found
