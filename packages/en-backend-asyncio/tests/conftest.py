# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from easynetwork.backends.asyncio import AsyncIOBackend
from easynetwork.lowlevel.testing.event_loops import installed_event_loops

LOOPS = {name: loop for name, loop in installed_event_loops().items() if loop[0] == "asyncio"}


@pytest.fixture(params=list(LOOPS.values()), ids=list(LOOPS))
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def backend() -> AsyncIOBackend:
    return AsyncIOBackend()
