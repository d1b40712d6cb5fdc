# SPDX-License-Identifier: Apache-2.0
"""What is shown of results: the table of a course, the table of a page, and the chart."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.chart import draw
from bench.courses import COURSES, LOOPS
from bench.results import Results
from bench.tables import conditions, page_table, text_table

from .bench_results import results_of, sample

_SVG = "{http://www.w3.org/2000/svg}"


def texts(path: Path) -> list[str]:
    """The text of an SVG file; it is no SVG file if this fails."""
    root = ElementTree.parse(path).getroot()
    assert root.tag == f"{_SVG}svg"
    return ["".join(element.itertext()).strip() for element in root.iter(f"{_SVG}text")]


def squeezed(line: str) -> str:
    return " ".join(line.split())


def all_results(ratio: float = 0.5) -> dict[str, Results]:
    return {name: results_of(name, ratio=ratio) for name in COURSES}


def test_table_says_what_was_measured_and_which_bars_are_held() -> None:
    results = results_of("tcp-pipelined-5", ratio=0.6)
    lines = text_table(COURSES["tcp-pipelined-5"], results).splitlines()

    assert lines[0] == (
        "Lines over TCP, five at a time (10 connections, 1,024 bytes a message; 3 rounds of 2 s on Python 3.11.9)"
    )
    assert squeezed(lines[1]) == "loop server messages/s CPU us/message of streams"
    assert squeezed(lines[2]) == "asyncio streams 50,000 10.00 1.00"
    assert squeezed(lines[3]) == "asyncio easynetwork 50,000 6.00 0.60 bar 0.65: held"
    assert squeezed(lines[7]) == "trio easynetwork 50,000 6.00 0.60 bar 0.50: NOT held"


def test_table_of_many_connections_has_their_memory() -> None:
    lines = text_table(COURSES["tcp-5000"], results_of("tcp-5000")).splitlines()

    assert lines[1].endswith("idle kB  in use kB")
    assert lines[3].endswith("6.0        8.0  bar 0.95: held  idle 7 kB: held  in use 9 kB: held")


def test_course_without_results_has_an_empty_table() -> None:
    assert len(text_table(COURSES["udp"], {}).splitlines()) == 2


def test_conditions_are_said_once_unless_they_differ() -> None:
    run = results_of("udp")["trio"]
    shorter = dataclasses.replace(run, seconds=0.5, samples={"by hand": [sample(1)]})

    assert conditions(all_results().values()) == "3 rounds of 2 s on Python 3.11.9"
    assert conditions([{"asyncio": run, "trio": shorter}]) == (
        "3 rounds of 2 s on Python 3.11.9; 1 round of 0.5 s on Python 3.11.9"
    )


def test_page_has_a_line_for_each_figure() -> None:
    assert page_table({"unix-stream": results_of("unix-stream", ratio=1.0)}).splitlines() == [
        "| course | server | figure | asyncio | uvloop | trio |",
        "| --- | --- | --- | --: | --: | --: |",
        "| Lines over a Unix stream, one at a time | streams | CPU time of a message, µs | 10.0 | 10.0 | 10.0 |",
        "|  | easynetwork | its ratio to streams | **1.00** (≤ 0.95) | 1.00 (≤ 1.15) | 1.00 |",
    ]


def test_page_leaves_out_what_does_not_run_on_a_loop() -> None:
    assert "|  | raw protocol | its ratio to streams | 0.50 | 0.50 |  |" in page_table({"tcp": results_of("tcp")})


def test_chart_has_each_label(tmp_path: Path) -> None:
    draw(tmp_path / "new" / "chart.svg", all_results())
    found = texts(tmp_path / "new" / "chart.svg")

    assert {*LOOPS, "bar that ours must hold"} <= set(found)
    for course in COURSES.values():
        assert course.title in found
        assert {contender.name for contender in course.ours} <= set(found)
    bars = sum(len(contender.loops) for course in COURSES.values() for contender in course.ours)
    assert found.count("0.50") == bars


@pytest.mark.parametrize("ratio", [0.1, 12.5])
def test_chart_has_room_for_every_ratio(tmp_path: Path, ratio: float) -> None:
    draw(tmp_path / "chart.svg", {"tcp": results_of("tcp", ratio=ratio)})

    assert texts(tmp_path / "chart.svg").count(f"{ratio:.2f}") == 6


def test_same_results_give_the_same_chart(tmp_path: Path) -> None:
    for name in ("first.svg", "second.svg"):
        draw(tmp_path / name, all_results())

    assert (tmp_path / "first.svg").read_bytes() == (tmp_path / "second.svg").read_bytes()
    assert "dc:date" not in (tmp_path / "first.svg").read_text()
