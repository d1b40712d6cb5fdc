# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from pathlib import Path

import pytest

from wslib.documents import build, check
from wslib.environments import Environment
from wslib.errors import WorkspaceError
from wslib.workspace import Workspace

from .fakes import fake_workspace

ENVIRONMENT = Environment(Path(sys.prefix))


def site(root: Path, page: str) -> Workspace:
    return fake_workspace(root, {"docs/conf.py": 'extensions = ["myst_parser"]\n', "docs/index.md": page})


def test_site_has_a_first_page(tmp_path: Path) -> None:
    assert "Hello" in build(site(tmp_path, "# Hello\n"), ENVIRONMENT).read_text()


def test_link_to_nowhere_is_a_fault_of_its_line(tmp_path: Path) -> None:
    (fault,) = check(site(tmp_path, "# Hello\n\n[there](nowhere.md)\n"), ENVIRONMENT)

    assert "docs/index.md:3" in fault.what
    assert "nowhere.md" in fault.what


def test_site_with_a_warning_is_not_called_made(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"nowhere\.md"):
        build(site(tmp_path, "# Hello\n\n[there](nowhere.md)\n"), ENVIRONMENT)
