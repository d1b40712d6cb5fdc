# SPDX-License-Identifier: Apache-2.0
"""Every case is attacked on every event loop that is installed, in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
import trustme
from attacks.figures import Figures
from attacks.harness import Harness
from loops import LOOPS


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    result = yield
    figures = pyfuncitem.funcargs.get("figures")
    if isinstance(figures, Figures):
        figures.check()
    return result


@pytest.fixture(autouse=True)
def _on_linux() -> None:
    if sys.platform != "linux":
        pytest.skip("reads the process table of Linux")


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    return Figures(record_property)


@pytest.fixture(scope="session")
def certificate(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("certificate") / "server.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="session")
def authority_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def make_harness(figures: Figures, folder: Path, certificate: Path, authority_file: Path) -> Callable[[str], Harness]:
    return lambda loop: Harness(loop, figures, folder, certificate, authority_file)


@pytest.fixture(params=list(LOOPS))
def loop(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def harness(loop: str, make_harness: Callable[[str], Harness]) -> Iterator[Harness]:
    with make_harness(loop).open() as harness:
        yield harness


@pytest.fixture
def harnesses(make_harness: Callable[[str], Harness]) -> list[Harness]:
    """One for each event loop, for tests that are decorated with `at_once`."""
    return [make_harness(loop) for loop in LOOPS]
