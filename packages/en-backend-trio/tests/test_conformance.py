# SPDX-License-Identifier: Apache-2.0
"""The rules of every backend."""

from __future__ import annotations

import pytest

from easynetwork.backends.trio import TrioBackend
from easynetwork.lowlevel.testing.backend_suite import BackendTests


class TestTrioBackend(BackendTests):
    @pytest.fixture
    def backend(self) -> TrioBackend:
        return TrioBackend()
