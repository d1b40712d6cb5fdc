# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from wslib.errors import Fault
from wslib.pages import check_width, extract_pages

from .fakes import fake_workspace

PAGE = """# A page

```python
a = 1
```

Text.

```python
# program.py
print("hello")
```

```sh
ls
```

```python
b = a
```
"""


def test_lines_keep_their_numbers_and_programs_their_names(tmp_path: Path) -> None:
    workspace = fake_workspace(tmp_path, {"docs/how-to/a-page.md": PAGE, "docs/prose.md": "# Nothing to run\n"})

    (folder,) = extract_pages(workspace)

    assert folder == tmp_path / "build" / "pages" / "how_to_a_page"
    module = (folder / "how_to_a_page.py").read_text().splitlines()
    assert [(number, line) for number, line in enumerate(module, 1) if line] == [(4, "a = 1"), (19, "b = a")]
    assert (folder / "program.py").read_text() == '# program.py\nprint("hello")\n'


def test_what_a_page_does_not_print_any_more_is_gone(tmp_path: Path) -> None:
    page = tmp_path / "docs" / "page.md"
    workspace = fake_workspace(tmp_path, {"docs/page.md": PAGE})
    extract_pages(workspace)
    page.write_text("# Nothing\n")

    assert extract_pages(workspace) == []
    assert not (tmp_path / "build" / "pages").exists()


WIDE = "word " * 20 + "word"
URL = f"https://example.org/{'x' * 100}"


def test_prose_is_no_wider_than_a_hundred_columns(tmp_path: Path) -> None:
    text = f"# A page\n\n{WIDE[:100]}\n{WIDE}\n\n* {WIDE}\n\n:::{{warning}}\n{WIDE}\n:::\n{WIDE}\n"
    workspace = fake_workspace(tmp_path, {"docs/page.md": text, "README.md": f"{WIDE}\n"})

    faults = check_width(workspace)

    assert [fault.where for fault in faults] == ["README.md:1", *(f"docs/page.md:{line}" for line in (4, 6, 9, 11))]
    assert faults[0] == Fault("README.md:1", "104 columns, 100 are the limit")


@pytest.mark.parametrize(
    "text",
    [
        f"```python\n{WIDE}\n```",
        f"````\n```\n{WIDE}\n````",
        f":::{{eval-rst}}\n{WIDE}\n:::",
        f"| {WIDE} |",
        URL,
        f"a {URL} b",
    ],
)
def test_what_cannot_be_broken_may_be_wider(tmp_path: Path, text: str) -> None:
    workspace = fake_workspace(tmp_path, {"packages/one/README.md": f"# A page\n\n{text}\n\nText.\n"})

    assert check_width(workspace) == []
