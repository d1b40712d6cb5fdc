# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Sequence

import pytest

from wslib.attack_report import Figure, Outcome
from wslib.attacks import Plan, table
from wslib.errors import WorkspaceError


def outcome(row: int, name: str, loop: str, *figures: Figure, failed: bool = False) -> Outcome:
    return Outcome(row, name, loop, figures, failed, ())


def latency(value: float, loop: str) -> Figure:
    return Figure("latency", value, "ms", None, 20, loop)


def lines_of(*outcomes: Outcome) -> Sequence[str]:
    return table(outcomes).splitlines()[2:]


# the command line


def test_nothing_said_means_all_rows_and_ten_minutes() -> None:
    assert Plan.of([], None, False) == Plan((), 10, False, ())
    assert Plan().expression == "attack"


def test_rows_are_picked_by_their_marker() -> None:
    assert Plan.of(["1", "29"], 0.2, False).expression == "attack(row=1) or attack(row=29)"


@pytest.mark.parametrize(
    ("words", "minutes", "write", "message"),
    [
        (["one"], None, False, "'one' is no row"),
        (["1"], 3, False, "--minutes is for row 29"),
        ([], 0, False, "--minutes cannot be 0"),
        (["29"], float("inf"), False, "--minutes cannot be inf"),
        (["1"], None, True, "--write needs the figures of all cases"),
    ],
)
def test_options_that_make_no_sense_are_a_failure(
    words: list[str], minutes: float | None, write: bool, message: str
) -> None:
    with pytest.raises(WorkspaceError, match=message):
        Plan.of(words, minutes, write)


def test_figures_of_some_cases_are_not_written() -> None:
    with pytest.raises(WorkspaceError, match="leave out rows and pytest's options"):
        Plan.of([], None, True, ["-k", "slow"])


# the table


def test_each_figure_has_a_line_with_its_value_on_each_loop() -> None:
    lines = lines_of(
        outcome(1, "slow", "asyncio", latency(3.21, "asyncio"), Figure("growth", 0, "MB", None, 10, "asyncio")),
        outcome(1, "slow", "trio", latency(4, "trio"), Figure("growth", 1234567, "MB", None, 10, "trio")),
    )

    assert lines == [
        "| 1 | slow | latency, ms | ≤ 20 | 3.21 | - | 4 |",
        "|  |  | growth, MB | ≤ 10 | 0 | - | 1,234,567 FAILED |",
    ]


def test_rows_are_in_order_and_their_cases_in_that_of_the_run() -> None:
    names = [
        line.split(" | ")[1] for line in lines_of(outcome(29, "soak", ""), outcome(1, "b", ""), outcome(1, "a", ""))
    ]

    assert names == ["b", "a", "soak"]


def test_bar_that_is_missed_stands_out() -> None:
    assert lines_of(outcome(1, "slow", "trio", latency(30, "trio"), failed=True)) == [
        "| 1 | slow | latency, ms | ≤ 20 | - | - | 30 FAILED |"
    ]


def test_bar_of_one_loop_stands_beside_its_value() -> None:
    figures = [latency(3, "asyncio"), latency(3, "trio"), latency(25, "uvloop")._replace(at_most=30)]

    assert lines_of(*(outcome(1, "slow", figure.loop, figure) for figure in figures)) == [
        "| 1 | slow | latency, ms | ≤ 20 | 3 | 25 (≤ 30) | 3 |"
    ]


def test_case_that_has_failed_by_something_else_says_so() -> None:
    assert lines_of(outcome(1, "slow", "trio", latency(3, "trio"), failed=True)) == [
        "| 1 | slow | latency, ms | ≤ 20 | - | - | 3 |",
        "|  |  | no error |  | ok | ok | FAILED |",
    ]


def test_case_without_figures_is_ok_or_not() -> None:
    assert lines_of(outcome(24, "signal", "asyncio"), outcome(24, "signal", "uvloop", failed=True)) == [
        "| 24 | signal | no error |  | ok | FAILED | ok |"
    ]
