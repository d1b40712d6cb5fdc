# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from wslib.errors import WorkspaceError
from wslib.manifest_text import with_bounds, with_version

MANIFEST = """\
[build-system]  # its version = "0.9" is none of ours
requires = ["hatchling>=1.27"]

[project]
name = "en-upper"
version = '1.0.0'  # static
keywords = ["en-lower"]
dependencies = [
    # "en-lower>=1.0.0,<2" was narrower once
    "en-lower>=1.0.0,<2",  # frames
    "en-lower-extra>=1.0.0,<2",
    'en_lower[fast] >=1.0.0, <2 ; sys_platform != "win32"', "anyio>=4",
]

[project.optional-dependencies]
fast = ["en-lower[fast]>=1.0.0,<2"]

[dependency-groups]
test = ["en-lower>=1.0.0,<2", "en-lower", { include-group = "other" }]
other = []

[tool.thing]
version = "1.0.0"
"""


def test_version_changes_on_its_line_only() -> None:
    assert with_version(MANIFEST, "1.1.0") == MANIFEST.replace("version = '1.0.0'", 'version = "1.1.0"')


def test_bounds_change_in_dependencies_extras_and_groups_and_the_layout_stays() -> None:
    wanted = MANIFEST.replace('   "en-lower>=1.0.0,<2"', '   "en-lower>=2.0.0,<3"')
    wanted = wanted.replace("en_lower[fast] >=1.0.0, <2 ;", "en_lower[fast]>=2.0.0,<3 ;")
    wanted = wanted.replace('fast = ["en-lower[fast]>=1.0.0,<2"]', 'fast = ["en-lower[fast]>=2.0.0,<3"]')
    wanted = wanted.replace('test = ["en-lower>=1.0.0,<2"', 'test = ["en-lower>=2.0.0,<3"')

    assert with_bounds(MANIFEST, "en-lower", ">=2.0.0,<3") == wanted


def test_manifest_that_does_not_require_it_stays() -> None:
    assert with_bounds(MANIFEST, "en-other", ">=2.0.0,<3") == MANIFEST


@pytest.mark.parametrize(
    "project",
    [
        'version = """1.0.0"""\n',
        'dynamic = ["version"]\n',
        'description = """\nversion = "1.0.0"\n"""\nversion = "1.0.0"\n',
    ],
)
def test_version_that_the_edit_would_miss_is_refused(project: str) -> None:
    with pytest.raises(WorkspaceError, match=r"en-upper is written in a way(.|\n)*one line"):
        with_version(f'[project]\nname = "en-upper"\n{project}', "1.1.0")


@pytest.mark.parametrize(
    "rest",
    [
        'dependencies = ["""en-lower\n>=1.0.0"""]\n',
        'dependencies = ["en-lower\\u003e=1.0.0"]\n',
        'dependencies = ["en-lower>=1.0.0"]\n[tool.other]\npins = ["en-lower>=1.0.0"]\n',
    ],
)
def test_requirement_that_the_edit_would_miss_or_that_is_none_is_refused(rest: str) -> None:
    with pytest.raises(WorkspaceError, match="written in a way"):
        with_bounds(f'[project]\nname = "en-upper"\nversion = "1.0.0"\n{rest}', "en-lower", ">=2.0.0,<3")
