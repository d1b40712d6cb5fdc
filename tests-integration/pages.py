# SPDX-License-Identifier: Apache-2.0
"""The code that the pages of ``docs/`` print.

A Python block whose first line is ``# name.py`` is a file that the reader saves and runs. All
others continue each other, from the top of the page to its end.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sybil import Example, Sybil
from sybil.parsers.myst import PythonCodeBlockParser

DOCS = Path(__file__).parents[1] / "docs"
_SYBIL = Sybil(parsers=[PythonCodeBlockParser()])
_FILE_NAME = re.compile(r"# (\w+\.py)\n")
_FENCE = re.compile(r"^```(.*?)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Page:
    """One page, named by its path in ``docs/``."""

    def __init__(self, name: str) -> None:
        self._path = DOCS / name
        self._blocks = _FENCE.findall(self._path.read_text())

    def languages(self) -> set[str]:
        return {language for language, _ in self._blocks}

    def programs(self) -> dict[str, str]:
        """The files that the page has its reader write, by their names."""
        sources = self._in("python")
        return {found[1]: source for source in sources if (found := _FILE_NAME.match(source))}

    def shell(self) -> list[str]:
        """The blocks of shell commands."""
        return self._in("sh")

    def sessions(self) -> list[str]:
        """What the page shows of a terminal: commands after ``$``, and their output."""
        return self._in("console")

    def run(self) -> dict[str, Any]:
        """Runs what is no program, in one namespace, and returns that."""
        document = _SYBIL.parse(self._path)
        document.namespace["__name__"] = self._path.stem
        for example in document.examples():
            if not _is_program(example):
                example.evaluate()
        return document.namespace

    def _in(self, language: str) -> list[str]:
        return [source for found, source in self._blocks if found == language]


def _is_program(example: Example) -> bool:
    return _FILE_NAME.match(str(example.parsed)) is not None
