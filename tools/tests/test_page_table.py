# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from wslib.errors import WorkspaceError
from wslib.page_table import PageTable, cells, line

from .fakes import fake_workspace

TABLE = PageTable("docs/page.md", "measure")


def test_only_what_is_between_the_markers_is_written(tmp_path: Path) -> None:
    workspace = fake_workspace(tmp_path, {"docs/page.md": f"# Page\n{TABLE.begin}old\n{TABLE.end}Prose\n"})

    TABLE.write(workspace, line(("a", "b")), "Measured.")

    text = (tmp_path / "docs/page.md").read_text()
    assert text == f"# Page\n{TABLE.begin}\n| a | b |\n\nMeasured.\n\n{TABLE.end}Prose\n"
    assert TABLE.read(workspace).splitlines()[1] == "| a | b |"


@pytest.mark.parametrize("text", [None, "", TABLE.begin, TABLE.end + TABLE.begin])
def test_page_without_a_place_for_the_table_is_a_failure(tmp_path: Path, text: str | None) -> None:
    workspace = fake_workspace(tmp_path, {} if text is None else {"docs/page.md": text})

    with pytest.raises(WorkspaceError, match=r"docs/page\.md has no place for the table") as failure:
        TABLE.read(workspace)
    assert "`./tools/ws measure`" in failure.value.advice


def test_cells_are_what_a_line_was_made_of() -> None:
    assert cells(line(("a b", "", "c"))) == ["a b", "", "c"]
