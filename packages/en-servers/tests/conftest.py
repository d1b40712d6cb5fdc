# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
from typing import Any

import pytest
import trio.testing

from easynetwork.lowlevel.testing import MemoryBackend
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import StringLineSerializer


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Both of anyio's event loops.

    On trio, time is virtual: it jumps to the next deadline when every task waits.
    """
    if request.param == "asyncio":
        return "asyncio", {}
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


@pytest.fixture
def backend() -> MemoryBackend:
    return MemoryBackend()


@pytest.fixture
def lines() -> StreamProtocol[str, str]:
    return StreamProtocol(StringLineSerializer())


@pytest.fixture
def logger(caplog: pytest.LogCaptureFixture) -> logging.Logger:
    """The server's logger, of which ``caplog`` has everything."""
    caplog.set_level(logging.DEBUG, logger="the server")
    return logging.getLogger("the server")
