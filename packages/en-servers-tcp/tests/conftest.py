# SPDX-License-Identifier: Apache-2.0
"""Every test runs on all event loops that have a backend: that of trio comes with the extra."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
import trustme

from easynetwork.lowlevel.testing.event_loops import installed_event_loops

LOOPS = installed_event_loops()


@pytest.fixture(params=list(LOOPS.values()), ids=list(LOOPS))
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return request.param  # type: ignore[no-any-return]  # what a request's parameter is


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def client_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context
