# SPDX-License-Identifier: Apache-2.0
"""The suite finds what it says it finds. Backends that pass it are in their own distributions."""

from __future__ import annotations

import subprocess
import sys

import pytest

import easynetwork.lowlevel.testing as kit
from easynetwork.lowlevel.testing import backend_suite

SUITE = """
import os
import threading

import pytest

from easynetwork.lowlevel.testing import MemoryBackend, backend_suite

backend_suite._PATIENCE = 0.01

class Tests(backend_suite.BackendTests):
    @pytest.fixture
    def backend(self):
        return self.Backend()

class TestDescriptors(Tests):
    class Backend(MemoryBackend):
        def bootstrap(self, *args, **options):
            os.dup(0)
            return super().bootstrap(*args, **options)

class TestThreads(Tests):
    class Backend(MemoryBackend):
        def bootstrap(self, *args, **options):
            threading.Thread(target=threading.Event().wait, args=(1,), name="stray").start()
            return super().bootstrap(*args, **options)

class TestHasty(Tests):
    class Backend(MemoryBackend):
        async def sleep(self, delay):
            await self.coro_yield()

class TestPoor(Tests):
    Backend = MemoryBackend

class TestSeveral(Tests):
    Backend = MemoryBackend

    @pytest.fixture(params=["asyncio", "trio"])
    def runner_options(self, request):
        return {"backend": request.param}

class TestForgotten(backend_suite.BackendTests):
    pass
"""

EXAMINED = (
    "TestDescriptors::test_a_program_s_result_is_returned",
    "TestThreads::test_a_program_s_result_is_returned",
    "TestHasty::test_tasks_time_locks_and_threads",
    "TestPoor::test_unix_streams",
    "TestSeveral::test_tcp_streams",
    "TestForgotten::test_a_program_s_result_is_returned",
)


def test_every_examination_of_the_kit_is_part_of_the_suite() -> None:
    examinations = {name for name in kit.__all__ if name.startswith("check_")}

    assert examinations == {name for name in vars(backend_suite) if name.startswith("check_")}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest says of backends that break rules, and of one that cannot do everything."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "test_it.py").write_text(SUITE)
    words = [sys.executable, "-m", "pytest", "-vra", "-p", "no:cacheprovider", "-W", "error"]
    words += [f"test_it.py::{name}" for name in EXAMINED]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_a_broken_rule_is_named(report: str) -> None:
    assert "in the check 'time_goes_on'" in report


@pytest.mark.parametrize("what", ["descriptors were left open", "threads were left running: [<Thread(stray"])
def test_what_a_program_leaves_behind_is_found(report: str, what: str) -> None:
    assert what in report


def test_what_a_backend_need_not_have_is_skipped_with_the_reason(report: str) -> None:
    assert "MemoryBackend has no Unix sockets" in report
    assert "TestPoor::test_unix_streams SKIPPED" in report


def test_several_event_loops_are_a_parametrized_fixture(report: str) -> None:
    assert "TestSeveral::test_tcp_streams[asyncio] PASSED" in report
    assert "TestSeveral::test_tcp_streams[trio] PASSED" in report


def test_a_suite_without_a_backend_says_what_is_missing(report: str) -> None:
    assert "TestForgotten has to override the fixture 'backend'" in report
