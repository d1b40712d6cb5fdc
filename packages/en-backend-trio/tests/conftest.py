# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from easynetwork.backends.trio import TrioBackend


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


@pytest.fixture
def backend() -> TrioBackend:
    return TrioBackend()
