# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

from wslib.pages import extract_pages

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
