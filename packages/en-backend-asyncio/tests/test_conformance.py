# SPDX-License-Identifier: Apache-2.0
"""The rules of every backend, on asyncio's event loop and on uvloop's."""

from __future__ import annotations

from typing import Any

import pytest

from easynetwork.backends.asyncio import AsyncIOBackend
from easynetwork.lowlevel.testing.backend_suite import BackendTests


class TestAsyncIOBackend(BackendTests):
    @pytest.fixture
    def backend(self) -> AsyncIOBackend:
        return AsyncIOBackend()

    @pytest.fixture
    def runner_options(self, anyio_backend: tuple[str, dict[str, Any]]) -> dict[str, Any]:
        return anyio_backend[1]
