# SPDX-License-Identifier: Apache-2.0
"""The Markdown pages: their Python, as files that a type checker reads, and the width of their
prose.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from .errors import Fault
from .workspace import Workspace

__all__ = ("check_width", "extract_pages")

_WIDTH = 100
"""Columns of prose, as of docstrings (``max-doc-length``)."""

_FOLDERS = ("docs", "packages", "tests-integration", "tools")

_FENCE = re.compile(r"(`{3,}|~{3,}|:{3,})(.*)")
_ADMONITION = re.compile(r"\{(admonition|attention|caution|danger|hint|important|note|seealso|tip|warning)\}")
"""Directives that have prose inside."""

_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE_NAME = re.compile(r"# (\w+\.py)\n")


def extract_pages(workspace: Workspace) -> list[Path]:
    """Writes the code of each page into a folder of its own in ``build/pages``, and returns the
    folders.

    A block that begins with ``# name.py`` becomes that file. All others are one module, in which
    each line has the number that it has in the page.
    """
    target = workspace.root / "build" / "pages"
    shutil.rmtree(target, ignore_errors=True)
    docs = workspace.root / "docs"
    folders: list[Path] = []
    for page in sorted(docs.rglob("*.md")):
        name = re.sub(r"\W", "_", page.relative_to(docs).with_suffix("").as_posix())
        files = _files(page.read_text(encoding="utf-8"), f"{name}.py")
        for file, source in files.items():
            (target / name).mkdir(parents=True, exist_ok=True)
            (target / name / file).write_text(source, encoding="utf-8")
        folders += [target / name] if files else []
    return folders


def _files(text: str, module: str) -> dict[str, str]:
    files: dict[str, str] = {}
    lines: list[str] = []
    for block in _BLOCK.finditer(text):
        if named := _FILE_NAME.match(block[1]):
            files[named[1]] = block[1]
        else:
            lines += [""] * (text.count("\n", 0, block.start(1)) - len(lines))
            lines += block[1].splitlines()
    return {module: "\n".join(lines) + "\n", **files} if lines else files


def check_width(workspace: Workspace) -> list[Fault]:
    """Finds lines of prose that are too wide.

    Tables, code, HTML and lines with a URL may be wider.
    """
    root = workspace.root
    pages = [*root.glob("*.md"), *(page for folder in _FOLDERS for page in (root / folder).rglob("*.md"))]
    return [
        Fault(f"{workspace.relative(page)}:{number}", f"{len(line)} columns, {_WIDTH} are the limit")
        for page in sorted(pages)
        for number, line in _prose(page.read_text(encoding="utf-8"))
        if len(line) > _WIDTH and "://" not in line
    ]


def _prose(text: str) -> Iterator[tuple[int, str]]:
    fence = admonition = ""
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        found = _FENCE.match(stripped)
        if fence:
            fence = "" if stripped == fence else fence
        elif found is not None and _ADMONITION.match(found[2]):
            admonition = found[1]
        elif found is not None and stripped != admonition:
            fence = found[1]
        elif not stripped.startswith(("|", "<")):
            yield number, line
