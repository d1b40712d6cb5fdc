# SPDX-License-Identifier: Apache-2.0
"""The event loops that tests run on, and what is said to run a test on some of them only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from easynetwork.lowlevel.testing.event_loops import installed_event_loops

LOOPS = installed_event_loops()
"""Arguments of the fixture ``anyio_backend``, by the name of the loop."""


def _of(framework: str) -> dict[str, tuple[str, dict[str, Any]]]:
    return {name: loop for name, loop in LOOPS.items() if loop[0] == framework}


def _only(framework: str) -> pytest.MarkDecorator:
    loops = _of(framework)
    return pytest.mark.parametrize("anyio_backend", list(loops.values()), ids=list(loops), indirect=True)


on_asyncio = _only("asyncio")
"""For a test whose subject is asyncio; its loops are asyncio's own and uvloop."""

on_trio = _only("trio")
"""For a test whose subject is trio."""


def each_where_it_works(
    argument: str, *, anywhere: Iterable[Any] = (), asyncio: Iterable[Any] = (), trio: Iterable[Any] = ()
) -> pytest.MarkDecorator:
    """Parametrizes a test with functions or classes: those of one framework on its loops, the
    others on all loops.
    """
    native = {"asyncio": [*anywhere, *asyncio], "trio": [*anywhere, *trio]}
    rows = [
        pytest.param(loop, value, id=f"{name}-{value.__name__}")
        for name, loop in LOOPS.items()
        for value in native[loop[0]]
    ]
    return pytest.mark.parametrize(("anyio_backend", argument), rows, indirect=["anyio_backend"])
