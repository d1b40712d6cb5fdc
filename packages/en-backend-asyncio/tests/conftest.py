# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from easynetwork.backends.asyncio import AsyncIOBackend


def _loops() -> list[Any]:
    loops: list[Any] = [pytest.param(("asyncio", {"loop_factory": asyncio.SelectorEventLoop}), id="asyncio")]
    try:
        import uvloop
    except ImportError:  # it has no wheels for every platform
        return loops
    return [*loops, pytest.param(("asyncio", {"loop_factory": uvloop.new_event_loop}), id="uvloop")]


@pytest.fixture(params=_loops())
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Callable[[], asyncio.AbstractEventLoop]]]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def backend() -> AsyncIOBackend:
    return AsyncIOBackend()
