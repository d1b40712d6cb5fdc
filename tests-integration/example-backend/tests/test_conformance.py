# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.api_async.backend.utils import new_builtin_backend
from easynetwork.lowlevel.testing.backend_suite import BackendTests


class TestExampleBackend(BackendTests):
    @pytest.fixture
    def backend(self) -> AsyncBackend:
        return new_builtin_backend("example")
