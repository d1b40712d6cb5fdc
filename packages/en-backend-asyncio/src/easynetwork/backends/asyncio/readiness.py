# SPDX-License-Identifier: Apache-2.0
"""The one thing that is asked of an asyncio event loop beyond tasks and time: to tell when a socket is ready."""

from __future__ import annotations

import asyncio

from easynetwork.exceptions import UnsupportedOperation

__all__ = ("require_readiness", "watches_end_with_errors")


def require_readiness(loop: asyncio.AbstractEventLoop) -> None:
    """Checks that ``loop`` has a working ``add_reader()``.

    Raises:
        UnsupportedOperation: it has not, as the proactor loop of Windows.
    """
    if type(loop).add_reader is asyncio.AbstractEventLoop.add_reader:
        raise UnsupportedOperation(
            f"{type(loop).__name__} cannot watch sockets (it has no add_reader()); run the program on"
            " asyncio.SelectorEventLoop, for example with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)"
        )


def watches_end_with_errors(loop: asyncio.AbstractEventLoop) -> bool:
    """Tells whether ``loop`` reports an error of a socket once and then stops watching it.

    uvloop does (libuv closes a poll handle at ``POLLERR``). If data came before the error, as when a peer sends and then resets, the one event
    goes to the data, and nothing would ever tell of the error.
    """
    return type(loop).__module__.partition(".")[0] == "uvloop"
