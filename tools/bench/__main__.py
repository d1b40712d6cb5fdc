# SPDX-License-Identifier: Apache-2.0
"""Measures the CPU time of a message: our servers beside servers that are written by hand.

Every contender serves the same load in turn, several rounds of it, with the server alone on one
core and the load generator on the other. The ratios compare within a round and are the median over
the rounds, because machines are shared and their speed drifts.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from wslib.errors import WorkspaceError
from wslib.page_table import PageTable
from wslib.workspace import Workspace

from . import saved
from .chart import draw
from .courses import COURSES, LOOPS, Contender, Course, Loop
from .processes import build_load_generator, connected, raise_descriptor_limit, running
from .results import Results, Run, Sample, rows
from .tables import conditions, page_table, text_table

_ALL = "all"
_ROOT = Path(__file__).parents[2]
_COMMAND = "bench all --write"
_PAGE = PageTable("docs/benchmark.md", _COMMAND)
_CHART = _ROOT / "docs" / "benchmark.svg"


class _Cores(NamedTuple):
    server: int
    load: int


def main() -> None:
    options = _parser().parse_args()
    if sys.platform != "linux":
        sys.exit("bench: it needs Linux (epoll, CPU affinity and /proc).")
    names = list(COURSES) if _ALL in options.courses else list(dict.fromkeys(options.courses))
    try:
        courses: dict[str, Results] = saved.load(options.json) if options.json else {}
    except ValueError as exc:
        sys.exit(f"bench: {exc}; name another file, or delete it.")
    if options.write and (missing := COURSES.keys() - courses.keys() - set(names)):
        sys.exit(f"bench: --write is for all courses, and there are no results of {', '.join(sorted(missing))}.")
    raise_descriptor_limit(max(COURSES[name].load.connections for name in names))
    for name in names:
        if options.rounds:
            results = _run(name, options.loops, options.rounds, options.seconds)
            courses = saved.merged(courses, name, results)
            if options.json:
                saved.save(options.json, courses)
        print(text_table(COURSES[name], courses.get(name, {})), flush=True)
    if options.plot:
        draw(options.plot, courses)
    if options.write:
        _write(courses)
    if not all(row.holds for name in names for row in rows(COURSES[name], courses.get(name, {}))):
        sys.exit("bench: a bar was not held; run it again on a quiet machine before you believe it.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ws bench", description=__doc__)
    parser.add_argument(
        "courses", nargs="+", choices=[*COURSES, _ALL], metavar="COURSE", help=f"{', '.join(COURSES)}; or {_ALL}"
    )
    parser.add_argument("--loops", nargs="+", choices=LOOPS, default=LOOPS, help="only these event loops (all)")
    parser.add_argument(
        "--rounds", type=int, default=5, help="how often each contender runs (5); 0 only shows what --json FILE has"
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each run takes (2.0)")
    file = "FILE is relative to the root of the repository"
    parser.add_argument("--json", type=_file, metavar="FILE", help=f"add the results to those of FILE; {file}")
    parser.add_argument("--plot", type=_file, metavar="FILE", help="draw a chart of all results as SVG")
    parser.add_argument("--write", action="store_true", help=f"write the table of {_PAGE.page}, and its chart")
    return parser


def _file(text: str) -> Path:
    return _ROOT / text


def _write(courses: Mapping[str, Results]) -> None:
    said = f"Medians, measured on Linux: {conditions(courses.values())}.\n`./tools/ws {_COMMAND}` repeats the run."
    try:
        _PAGE.write(Workspace(_ROOT), page_table(courses), said)
    except WorkspaceError as exc:
        sys.exit(f"bench: {exc}")
    draw(_CHART, courses)


def _run(name: str, loops: Sequence[Loop], rounds: int, seconds: float) -> Results:
    """Runs a course, and says on the standard error how far it is."""
    program = build_load_generator()
    available = sorted(os.sched_getaffinity(0))
    cores = _Cores(available[0], available[-1])
    course = COURSES[name]
    turns = [(loop, contender) for loop in loops for contender in course.contenders(loop)]
    samples: dict[Loop, dict[str, list[Sample]]] = {loop: {} for loop in loops}
    for round_ in range(1, rounds + 1):
        for loop, contender in turns:
            print(f"bench: {name}, round {round_} of {rounds}, {loop}, {contender.name}", file=sys.stderr, flush=True)
            sample = _measure(program, course, contender, loop, seconds, cores)
            samples[loop].setdefault(contender.name, []).append(sample)
    return {loop: Run(seconds, platform.python_version(), samples[loop]) for loop in loops}


def _measure(program: Path, course: Course, contender: Contender, loop: Loop, seconds: float, cores: _Cores) -> Sample:
    load = course.load
    with running(contender, load, loop, cores.server) as server:
        empty = server.resident_kilobytes()
        with connected(program, load, server.where, cores.load) as generator:
            server.rest(load.connections if load.connection_oriented else 0)
            idle = server.resident_kilobytes()
            generator.run(0)  # the first message of a connection costs more than the others
            before = server.cpu_nanoseconds()
            messages, elapsed = generator.run(seconds)
            used = server.cpu_nanoseconds() - before
            in_use = server.resident_kilobytes()
    return Sample(
        rate=messages / elapsed,
        cpu=used / messages / 1000,
        idle=(idle - empty) / load.connections,
        in_use=(in_use - empty) / load.connections,
    )


if __name__ == "__main__":
    main()
