# SPDX-License-Identifier: Apache-2.0
"""No page of ``docs/`` prints code that does not run.

What the code does is told by the tests of each page.
"""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import DOCS, Page

import easynetwork.clients
import easynetwork.serializers
import easynetwork.servers

_PAGES = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
_RUN_BY_A_TEST = {"python", "console", "sh"}
_NOT_CODE = {"", "text", "toml", "{eval-rst}", "{toctree}"}
_INCLUDED = "{literalinclude} "


@pytest.mark.parametrize("name", _PAGES)
def test_code_of_a_page_runs_from_top_to_bottom(name: str) -> None:
    Page(name).run()


@pytest.mark.parametrize("name", [name for name in _PAGES if Page(name).programs()])
def test_programs_of_a_page_start(name: str, tmp_path: Path) -> None:
    programs = Page(name).programs()
    for file, source in programs.items():
        (tmp_path / file).write_text(source)
    imports = "; ".join(f"import {file.removesuffix('.py')}" for file in programs)
    subprocess.run([sys.executable, "-W", "error", "-c", imports], cwd=tmp_path, check=True, timeout=20)


@pytest.mark.parametrize("name", _PAGES)
def test_page_has_no_block_that_nobody_runs(name: str) -> None:
    languages = {language for language in Page(name).languages() if not language.startswith(_INCLUDED)}

    assert languages <= _RUN_BY_A_TEST | _NOT_CODE


def test_reference_has_every_module_that_users_import_from() -> None:
    documented = set(
        re.findall(r"automodule:: ([\w.]+)", "".join(path.read_text() for path in DOCS.glob("reference/*.md")))
    )
    packages = (easynetwork.clients, easynetwork.servers, easynetwork.serializers)
    modules = {
        f"{package.__name__}.{module.name}"
        for package in packages
        for module in pkgutil.iter_modules(package.__path__)
        if not module.name.startswith("_")
    }

    assert modules - documented == {"easynetwork.servers.engine", "easynetwork.serializers.wrapper"}
