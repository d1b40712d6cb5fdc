# SPDX-License-Identifier: Apache-2.0
"""How much of ours is between an event loop and a handler that waits: each wake walks through all
of it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest
from stream_peers import Transport

from easynetwork.servers.engine.driver import drive
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler

pytestmark = pytest.mark.anyio

Client = AsyncStreamClient[str]

DRIVER = ("run_steps", drive.__name__)
"""The driver, and what a loop has around it: on asyncio it steps the driver without waking the
task."""


class Echo(AsyncStreamRequestHandler[str, str]):
    """Remembers what runs for the client."""

    def __init__(self) -> None:
        self.coroutines: list[Any] = []

    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        if not self.coroutines:
            self.coroutines.append(client.backend().get_current_task().coro)
        await client.send_packet((yield))


def suspended_in(awaitable: Any) -> Iterator[Any]:
    """Gives the code of each frame that is suspended in a task, from its outermost on."""
    while awaitable is not None:
        for kind in ("cr", "gi", "ag"):
            if (code := getattr(awaitable, f"{kind}_code", None)) is not None:
                yield code
                awaitable = getattr(awaitable, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
                break
        else:
            return


async def test_few_frames_are_suspended_above_the_driver(transport: Transport) -> None:
    handler = Echo()
    async with transport.serving(handler) as (_, peer):
        assert [await peer.ask(word) for word in ("one", "two")] == ["one", "two"]
        (coroutine,) = handler.coroutines
        ours = [code.co_name for code in suspended_in(coroutine) if "easynetwork" in code.co_filename]

    above = ours[: min(ours.index(name) for name in DRIVER if name in ours)]
    assert len(above) <= 3, above
