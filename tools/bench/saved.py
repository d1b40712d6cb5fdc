# SPDX-License-Identifier: Apache-2.0
"""A file with the results of several runs: each course, on each loop, as it was measured last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .results import Results, Run, Sample

__all__ = ("load", "merged", "save")


def load(path: Path) -> dict[str, Results]:
    """Returns the results by course; none if there is no file yet.

    Raises:
        ValueError: the file is not one that `save` has written.
    """
    if not path.exists():
        return {}
    try:
        courses: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        return {
            course: {loop: _run_of(record) for loop, record in results.items()} for course, results in courses.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ValueError(f"{path} has no results of the benchmark: {exc!r}") from exc


def save(path: Path, courses: Mapping[str, Results]) -> None:
    """Writes the results by course."""
    records = {course: {loop: _record_of(run) for loop, run in results.items()} for course, results in courses.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


def merged(courses: Mapping[str, Results], course: str, results: Results) -> dict[str, Results]:
    """Returns all results, with new ones of a course in the place of those on the same loops."""
    return {**courses, course: {**courses.get(course, {}), **results}}


def _run_of(record: dict[str, Any]) -> Run:
    samples = {name: [Sample(*numbers) for numbers in rounds] for name, rounds in record["samples"].items()}
    return Run(record["seconds"], record["python"], samples)


def _record_of(run: Run) -> dict[str, Any]:
    return {"seconds": run.seconds, "python": run.python, "samples": dict(run.samples)}
