# SPDX-License-Identifier: Apache-2.0
"""Every test runs on all event loops that have a backend: that of trio comes with the extra."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from easynetwork.lowlevel.testing.event_loops import installed_event_loops

LOOPS = installed_event_loops()


@pytest.fixture(params=list(LOOPS.values()), ids=list(LOOPS))
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return request.param  # type: ignore[no-any-return]  # what a request's parameter is


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: that of a socket has 108 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="en-") as name:
        yield Path(name)
