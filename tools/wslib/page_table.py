# SPDX-License-Identifier: Apache-2.0
"""A table of measurements in a page of ``docs/``: the part between two marker lines, which the tool
writes and people leave alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from .errors import WorkspaceError
from .workspace import Workspace

__all__ = ("PageTable", "cells", "line")


class PageTable:
    """Where a table is.

    Args:
        page: the path of the page in the workspace.
        command: what writes the table, without the name of the tool.
    """

    def __init__(self, page: str, command: str) -> None:
        self.page = page
        self.begin = f"<!-- Written by `./tools/ws {command}`: begin -->\n"
        self.end = f"<!-- Written by `./tools/ws {command}`: end -->\n"

    def read(self, workspace: Workspace) -> str:
        """Returns what is between the marker lines.

        Raises:
            WorkspaceError: the page does not have them.
        """
        return self._split(workspace)[1]

    def write(self, workspace: Workspace, table: str, said: str) -> None:
        """Puts a table there, and below it a line of what is to be said of it.

        Raises:
            WorkspaceError: as `read` does.
        """
        before, _, after = self._split(workspace)
        text = "".join([before, self.begin, "\n", table, "\n", said, "\n\n", self.end, after])
        (workspace.root / self.page).write_text(text, encoding="utf-8")

    def _split(self, workspace: Workspace) -> tuple[str, str, str]:
        path = workspace.root / self.page
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        before, found_begin, rest = text.partition(self.begin)
        middle, found_end, after = rest.partition(self.end)
        if not (found_begin and found_end):
            raise WorkspaceError(
                f"{self.page} has no place for the table.",
                f"put these two lines into it:\n{self.begin}{self.end}".rstrip("\n"),
            )
        return before, middle, after


def line(words: Iterable[str]) -> str:
    """Returns a line of a table in Markdown."""
    return f"| {' | '.join(words)} |\n"


def cells(text: str) -> list[str]:
    """Returns what a line of a table says."""
    return [cell.strip() for cell in text.strip().strip("|").split("|")]
