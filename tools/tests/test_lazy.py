# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from wslib.lazy import check_lazy_names
from wslib.workspace import Workspace

from .fakes import LOWER, fake_workspace

OFFER = f"{LOWER}/__init__.py"
DOOR = "packages/en-upper/src/easynetwork/lower/door/__init__.py"


def offering(root: Path, row: str, names: str = '__all__ = ("Door",)\n') -> Workspace:
    return fake_workspace(root, {OFFER: f"_TRANSPORTS = {{{row}}}\n", DOOR: names})


def test_name_that_is_there_is_in_order(tmp_path: Path) -> None:
    assert check_lazy_names(offering(tmp_path, '"Door": ("door", "en-upper")')) == []


@pytest.mark.parametrize(
    ("row", "names", "what"),
    [
        ('"Door": ("door", "en-gone")', '__all__ = ("Door",)\n', "there is no distribution en-gone"),
        ('"Door": ("gate", "en-upper")', '__all__ = ("Door",)\n', "en-upper ships no easynetwork.lower.gate"),
        ('"Door": ("door", "en-lower")', '__all__ = ("Door",)\n', "en-lower ships no easynetwork.lower.door"),
        ('"Gate": ("door", "en-upper")', '__all__ = ("Door",)\n', "no such name in its __all__"),
        ('"Door": ("door", "en-upper")', "class Door: ...\n", "has no __all__"),
    ],
)
def test_name_that_nobody_ships_is_found(tmp_path: Path, row: str, names: str, what: str) -> None:
    (fault,) = check_lazy_names(offering(tmp_path, row, names))

    assert fault.where == f"{OFFER}:1"
    assert what in fault.what


def test_packages_without_a_table_offer_nothing(tmp_path: Path) -> None:
    assert check_lazy_names(fake_workspace(tmp_path)) == []
