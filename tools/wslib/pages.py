# SPDX-License-Identifier: Apache-2.0
"""The Python that the pages of ``docs/`` print, as files that a type checker reads."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from .workspace import Workspace

__all__ = ("extract_pages",)

_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE_NAME = re.compile(r"# (\w+\.py)\n")


def extract_pages(workspace: Workspace) -> list[Path]:
    """Writes the code of each page into a folder of its own in ``build/pages``, and returns the folders.

    A block that begins with ``# name.py`` becomes that file. All others are one module, in which each line has the number that it has in the page.
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
