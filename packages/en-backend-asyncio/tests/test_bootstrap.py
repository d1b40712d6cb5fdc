# SPDX-License-Identifier: Apache-2.0
"""How programs run on asyncio, beyond what the suite of all backends asks for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from easynetwork.backends.asyncio import AsyncIOBackend
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.api_async.backend.utils import ensure_backend, new_builtin_backend


@pytest.fixture
def runner_options(anyio_backend: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return anyio_backend[1]


async def add(a: int, b: int) -> int:
    await asyncio.sleep(0)
    return a + b


def test_the_entry_point_leads_here() -> None:
    assert isinstance(new_builtin_backend("asyncio"), AsyncIOBackend)


def test_bootstrap_needs_no_options(backend: AsyncBackend) -> None:
    assert backend.bootstrap(add, 1, 2) == 3


def test_options_go_to_the_runner(backend: AsyncBackend, runner_options: dict[str, Any]) -> None:
    async def main() -> tuple[asyncio.AbstractEventLoop, bool]:
        loop = asyncio.get_running_loop()
        return loop, loop.get_debug()

    loop, debug = backend.bootstrap(main, runner_options={**runner_options, "debug": True})

    assert type(loop) is type(closed(runner_options["loop_factory"]()))
    assert debug


def test_the_running_loop_finds_its_backend(backend: AsyncBackend, runner_options: dict[str, Any]) -> None:
    async def main() -> AsyncBackend:
        return ensure_backend(None)

    assert backend.bootstrap(main, runner_options=runner_options) is new_builtin_backend("asyncio")


def closed(loop: asyncio.AbstractEventLoop) -> asyncio.AbstractEventLoop:
    loop.close()
    return loop
