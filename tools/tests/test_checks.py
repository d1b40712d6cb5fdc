# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from wslib.checks import Check, report, run_all
from wslib.errors import Fault, WorkspaceError


def broken() -> list[Fault]:
    raise WorkspaceError("It could not look.", "give it eyes.")


CHECKS = [
    Check("first", lambda: [Fault("here", "is wrong")], "make it right."),
    Check("second", list, "never shown."),
    Check("third", broken, "ask somebody."),
]


def test_all_failures_are_reported_together_each_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WorkspaceError, match="Not everything is in order: first, third"):
        report(run_all(CHECKS))

    text = capsys.readouterr().out
    assert "  here: is wrong\n  What to do: make it right.\n" in text
    assert "It could not look." in text
    assert "give it eyes." in text
    assert "never shown" not in text


def test_nothing_found_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    report(run_all(CHECKS[1:2]))

    assert capsys.readouterr().out.endswith("All checks passed.\n")
