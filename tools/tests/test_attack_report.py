# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest

from wslib.attack_report import Figure, Outcome, read_report, shown
from wslib.errors import WorkspaceError

GROWTH = {"name": "growth", "value": 3.2, "unit": "MB", "at_least": None, "at_most": 10, "loop": "trio"}
CASE = {"row": 1, "tier": "F", "name": "slow readers", "loop": "trio"}


def report_of(folder: Path, *tests: str) -> Path:
    path = folder / "report.xml"
    path.write_text(f"<testsuites><testsuite>{''.join(tests)}</testsuite></testsuites>")
    return path


def case(children: str = "", **properties: object) -> str:
    told = "".join(
        f"<property name={quoteattr(name)} value={quoteattr(value if isinstance(value, str) else json.dumps(value))} />"
        for name, value in properties.items()
    )
    return f"<testcase><properties>{told}</properties>{children}</testcase>"


def figure(value: float, *, at_least: float | None = None, at_most: float | None = None, loop: str = "trio") -> Figure:
    return Figure("latency", value, "ms", at_least, at_most, loop)


def outcome(*figures: Figure, loop: str = "", failed: bool = True, failed_on: tuple[str, ...] = ()) -> Outcome:
    return Outcome(1, "slow readers", loop, figures, failed, failed_on)


def test_case_is_read_with_its_figures(tmp_path: Path) -> None:
    [outcome] = read_report(report_of(tmp_path, case(case=CASE, figure=GROWTH)))

    assert outcome == Outcome(1, "slow readers", "trio", [Figure("growth", 3.2, "MB", None, 10, "trio")], False, [])


@pytest.mark.parametrize("kind", ["failure", "error", "skipped"])
def test_case_that_did_not_pass_has_failed(tmp_path: Path, kind: str) -> None:
    [outcome] = read_report(report_of(tmp_path, case(f"<{kind} />", case=CASE, failed="uvloop")))

    assert outcome.failed
    assert outcome.failed_on == ["uvloop"]


def test_other_tests_are_passed_over(tmp_path: Path) -> None:
    assert read_report(report_of(tmp_path, "<testcase />", case(figure=GROWTH))) == []


@pytest.mark.parametrize("text", [None, "<testsuites>", '<testcase><property name="case" value="{" /></testcase>'])
def test_report_that_cannot_be_read_is_a_failure(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "report.xml"
    if text is not None:
        path.write_text(text)

    with pytest.raises(WorkspaceError, match="no report that can be read"):
        read_report(path)


def test_figure_holds_on_the_bar_and_not_beyond() -> None:
    assert figure(20, at_most=20).holds
    assert not figure(20.1, at_most=20).holds
    assert figure(2, at_least=2).holds
    assert not figure(1.9, at_least=2).holds
    assert figure(7).holds


def test_bar_is_said_in_words() -> None:
    assert figure(0, at_most=20).bar == "≤ 20"
    assert figure(0, at_least=0.5).bar == "≥ 0.5"
    assert figure(0, at_least=1.8, at_most=2.2).bar == "1.8 to 2.2"
    assert figure(0, at_least=0, at_most=0).bar == "= 0"
    assert figure(0).bar == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0002, "0"), (0.0123, "0.012"), (2.004, "2"), (12.34, "12.3"), (1000, "1,000"), (1e6, "1,000,000")],
)
def test_number_has_the_digits_that_say_something(value: float, text: str) -> None:
    assert shown(value) == text


def test_case_of_one_loop_fails_there_only() -> None:
    failed = outcome(loop="trio")

    assert failed.fails_on("trio")
    assert not failed.fails_on("uvloop")
    assert not failed._replace(failed=False).fails_on("trio")


def test_case_of_all_loops_fails_where_it_says_or_where_a_bar_is_missed() -> None:
    assert outcome(failed_on=("uvloop",)).fails_on("uvloop")
    assert not outcome(failed_on=("uvloop",)).fails_on("trio")
    missed = outcome(figure(30, at_most=20), figure(10, at_most=20, loop="uvloop"))
    assert missed.fails_on("trio")
    assert not missed.fails_on("uvloop")


def test_case_of_all_loops_that_fails_without_a_word_fails_on_all() -> None:
    assert outcome(figure(10, at_most=20)).fails_on("uvloop")
