# SPDX-License-Identifier: Apache-2.0
"""The event loops that tests can run on."""

from __future__ import annotations

import asyncio
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

__all__ = ("installed_event_loops",)


def installed_event_loops() -> dict[str, tuple[str, dict[str, Any]]]:
    """For each event loop with an installed backend of easynetwork's own: its backend's name, and
    runner options.

    The values are what anyio's pytest plugin wants of a fixture ``anyio_backend``, and what
    `AsyncBackend.bootstrap` wants.
    """
    backends = entry_points(group="easynetwork.backends").names
    loops: dict[str, tuple[str, dict[str, Any]]] = {}
    if "asyncio" in backends:
        loops["asyncio"] = ("asyncio", {"loop_factory": asyncio.SelectorEventLoop})
        try:
            uvloop: Any = import_module("uvloop")  # no dependency: whoever has it is tested with it
        except ImportError:  # it has no wheels for every platform
            pass
        else:
            uvloop.new_event_loop().close()  # libuv's first loop opens a pipe for signals that the process keeps
            loops["uvloop"] = ("asyncio", {"loop_factory": uvloop.new_event_loop})
    if "trio" in backends:
        loops["trio"] = ("trio", {})
    return loops
