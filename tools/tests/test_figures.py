# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from wslib.closures import Closure
from wslib.figures import TABLE, check_figures, table
from wslib.measuring import Measured
from wslib.workspace import Workspace

from .fakes import fake_workspace
from .test_closures import LOCK

ROWS = {
    "en-upper": (
        Closure(("en-lower",), ("anyio", "idna", "typing-extensions")),
        Measured(2600, 0.0512, frozenset({"asyncio", "easynetwork", "easynetwork.upper"}), 5),
    ),
    "en-lower": (Closure((), ()), Measured(1234, 0.0016, frozenset({"easynetwork"}), 1)),
}


def workspace_with(root: Path, table_text: str) -> Workspace:
    return fake_workspace(
        root,
        {
            "uv.lock": LOCK,
            "docs/distributions.md": f"# Page\n{TABLE.begin}\n{table_text}\nMeasured.\n{TABLE.end}Prose | with a bar\n",
        },
    )


def test_table_has_those_first_that_bring_least() -> None:
    *_, lower, upper = table(ROWS).splitlines()

    assert lower == "| `en-lower` | - | - | 1 | 2 | 1 (1) | 1 |"
    assert upper == "| `en-upper` | en-lower | anyio, idna, typing-extensions | 3 | 51 | 3 (2) | 5 |"


def test_table_that_says_what_the_lock_says_is_in_order(tmp_path: Path) -> None:
    assert check_figures(workspace_with(tmp_path, table(ROWS))) == []


def test_measured_columns_are_not_compared(tmp_path: Path) -> None:
    text = table(ROWS).replace("| 51 | 3 (2) |", "| 99 | 7 (2) |")

    assert check_figures(workspace_with(tmp_path, text)) == []


@pytest.mark.parametrize(("right", "wrong"), [("| en-lower |", "| - |"), ("anyio, idna,", "anyio,")])
def test_dependency_that_the_table_does_not_know_is_a_fault(tmp_path: Path, right: str, wrong: str) -> None:
    [fault] = check_figures(workspace_with(tmp_path, table(ROWS).replace(right, wrong)))

    assert str(fault) == "docs/distributions.md: `en-upper` brings en-lower; anyio, idna, typing-extensions"


def test_distribution_without_a_row_is_a_fault(tmp_path: Path) -> None:
    [fault] = check_figures(workspace_with(tmp_path, table({"en-upper": ROWS["en-upper"]})))

    assert fault.what == "`en-lower` brings -; -"


def test_row_without_a_distribution_is_a_fault(tmp_path: Path) -> None:
    [fault] = check_figures(workspace_with(tmp_path, table({**ROWS, "en-gone": ROWS["en-lower"]})))

    assert fault.what == "`en-gone` is no distribution"
