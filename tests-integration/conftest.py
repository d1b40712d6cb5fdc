# SPDX-License-Identifier: Apache-2.0
"""Every test here runs on every event loop that is installed, and leaves nothing behind."""

from __future__ import annotations

import gc
import json
import logging
import shutil
import ssl
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import trustme
from attacks.cases import Case
from leak_check import LeakCheck
from loops import LOOPS
from server_kinds import KINDS, Kind
from stream_peers import Transport

from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.api_async.backend.utils import new_builtin_backend

# Imported before anything is frozen (below): it looks for the referrers of objects then, and sees
# no frozen ones.
hypothesis.settings.load_profile("ci")

collect_ignore = ["example-backend"]  # tested where it is installed: test_third_party_backend.py


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the long attacks, unless somebody asks for attacks."""
    if "attack" in config.option.markexpr:
        return
    long = [item for item in items if (case := Case.of(item)) is not None and case.tier == "R"]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


@pytest.fixture(autouse=True)
def _attack_is_reported(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    """For the table that ``ws test --attack`` makes."""
    if case := Case.of(request.node):
        record_property("case", json.dumps(asdict(case)))


@pytest.fixture(params=list(LOOPS.values()), ids=list(LOOPS))
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def backend(anyio_backend: tuple[str, dict[str, Any]]) -> AsyncBackend:
    return new_builtin_backend(anyio_backend[0])


@pytest.fixture(scope="module", autouse=True)
def _old_objects_are_not_collected_again() -> Iterator[None]:
    """What is there before a module's first test is not its tests' garbage; to look at it after
    each of them takes most of their time.
    """
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Tasks are not looked at here, because anyio's runner cancels and reports strays."""
    leak_check = LeakCheck()
    yield
    gc.collect()
    assert leak_check.left_behind() == []


@pytest.fixture(autouse=True, scope="session")
def _slow_steps_are_not_logged() -> None:
    """In development mode asyncio warns of each step over 0.1 seconds, which says something about
    the machine and nothing about us.
    """
    logging.getLogger("asyncio").setLevel(logging.ERROR)


@pytest.fixture
def folder() -> Iterator[Path]:
    """For Unix sockets: a short path, because an address has room for 108 bytes."""
    path = tempfile.mkdtemp()
    yield Path(path)
    shutil.rmtree(path)


@pytest.fixture(params=["tcp", "unix"])
def transport(request: pytest.FixtureRequest, tmp_path: Path) -> Transport:
    """For what is one rule of all stream servers."""
    return Transport(request.param, tmp_path)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Kind:
    """For what is one rule of all servers."""
    return Kind(request.param, tmp_path)


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
