# SPDX-License-Identifier: Apache-2.0
"""Ratios, bars, and the file that keeps results."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bench import saved
from bench.courses import COURSES, LOOPS
from bench.results import Figure, Run, median_ratio, rows

from .bench_results import results_of, sample


def test_ratio_compares_within_rounds_and_is_their_median() -> None:
    slow_round, fast_round, disturbed = (sample(20), sample(40)), (sample(5), sample(10)), (sample(90), sample(10))
    own, baseline = map(list, zip(slow_round, fast_round, disturbed, strict=True))

    assert median_ratio(own, baseline) == 0.5


def test_ratio_is_not_made_of_different_numbers_of_rounds() -> None:
    with pytest.raises(ValueError, match="zip"):
        median_ratio([sample(1), sample(1)], [sample(1)])


def test_figure_holds_on_the_bar_and_not_beyond() -> None:
    assert Figure(0.9, 0.9).holds
    assert not Figure(0.91, 0.9).holds
    assert Figure(7.0).holds


def test_rows_are_the_contenders_of_each_loop() -> None:
    found = [(row.loop, row.name, row.ours) for row in rows(COURSES["tcp"], results_of("tcp"))]

    assert found[:4] == [
        ("asyncio", "streams", False),
        ("asyncio", "raw protocol", False),
        ("asyncio", "easynetwork, loop", True),
        ("asyncio", "easynetwork", True),
    ]
    assert [name for loop, name, _ in found if loop == "trio"] == ["streams", "easynetwork, loop", "easynetwork"]


def test_bars_are_those_of_the_course_and_loop() -> None:
    bars = {(row.loop, row.name): row.ratio.bar for row in rows(COURSES["tcp"], results_of("tcp"))}

    assert bars["asyncio", "easynetwork"] == 0.90
    assert bars["trio", "easynetwork, loop"] == 0.75
    assert bars["uvloop", "streams"] is None


def test_memory_is_told_only_of_thousands_of_connections() -> None:
    assert all(row.in_use is None for row in rows(COURSES["tcp"], results_of("tcp")))

    [*_, ours] = rows(COURSES["tcp-5000"], results_of("tcp-5000"))
    assert (ours.idle, ours.in_use) == (Figure(6.0, 7.0), Figure(8.0, 10.0))


def test_row_does_not_hold_when_one_of_its_figures_does_not() -> None:
    run = results_of("tcp-5000")["asyncio"]
    heavy = {**run.samples, "easynetwork": [sample(5, in_use=9.5)] * 3}
    [baseline, ours] = rows(COURSES["tcp-5000"], {"asyncio": dataclasses.replace(run, samples=heavy)})

    assert baseline.holds
    assert ours.ratio.holds
    assert not ours.holds


def test_loop_without_its_baseline_has_no_rows() -> None:
    assert list(rows(COURSES["tcp"], {"asyncio": Run(2.0, "3.11.9", {"easynetwork": [sample(1)]})})) == []


def test_results_are_read_as_they_were_saved(tmp_path: Path) -> None:
    courses = {"tcp": results_of("tcp"), "udp": results_of("udp")}
    path = tmp_path / "new" / "results.json"

    assert saved.load(path) == {}
    saved.save(path, courses)
    assert saved.load(path) == courses


def test_new_results_replace_those_of_the_same_course_and_loop() -> None:
    old, new = results_of("tcp", ratio=0.5), results_of("tcp", ratio=0.6)
    found = saved.merged({"tcp": old, "udp": results_of("udp")}, "tcp", {"trio": new["trio"]})

    assert found["udp"] == results_of("udp")
    assert found["tcp"] == {"asyncio": old["asyncio"], "uvloop": old["uvloop"], "trio": new["trio"]}


@pytest.mark.parametrize("text", ["", "[]", '{"tcp": []}', '{"tcp": {"trio": {}}}', '{"tcp": {"trio": 1}}'])
def test_file_with_something_else_is_a_failure(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)

    with pytest.raises(ValueError, match="has no results"):
        saved.load(path)


def test_every_course_has_a_title_of_its_own_and_bars_of_its_contenders() -> None:
    assert len({course.title for course in COURSES.values()}) == len(COURSES)
    for course in COURSES.values():
        for contender, bars in course.ours.items():
            assert {*bars.cpu, *bars.idle, *bars.in_use} <= set(contender.loops) <= set(LOOPS)
