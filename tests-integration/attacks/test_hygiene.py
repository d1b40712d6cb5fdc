# SPDX-License-Identifier: Apache-2.0
"""Nothing is forgotten, in any test: what would tell is on, and sees what it should."""

from __future__ import annotations

import os
import sys
import threading
import warnings

import pytest
from leak_check import LeakCheck

pytestmark = pytest.mark.attack(row=28, tier="F")


def test_development_mode_and_warnings_as_errors_are_on(pytestconfig: pytest.Config) -> None:
    if not sys.flags.dev_mode and "attack" not in pytestconfig.option.markexpr:
        pytest.skip("pytest was not started by `ws test`, which turns the development mode on (-X dev)")
    assert sys.flags.dev_mode
    with pytest.raises(ResourceWarning):
        warnings.warn("what was not closed", ResourceWarning, stacklevel=1)


def test_every_test_is_followed_by_a_leak_check(request: pytest.FixtureRequest) -> None:
    assert "nothing_is_left_behind" in request.fixturenames


def test_leak_check_sees_a_descriptor_that_was_not_closed() -> None:
    leak_check = LeakCheck()
    descriptor = os.open(os.devnull, os.O_RDONLY)
    left = leak_check.left_behind()
    os.close(descriptor)

    assert left == [f"descriptor {descriptor}: /dev/null"]
    assert leak_check.left_behind() == []


def test_leak_check_sees_a_thread_that_has_not_ended() -> None:
    leak_check = LeakCheck()
    may_end = threading.Event()
    thread = threading.Thread(target=may_end.wait)
    thread.start()
    (left,) = leak_check.left_behind(patience=0)
    may_end.set()

    assert thread.name in left
    assert leak_check.left_behind() == []
