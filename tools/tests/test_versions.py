# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from wslib.versions import Version, bounds_of, next_version

IN_ORDER = [
    "1.2.0.dev1",
    "1.2.0a1.dev1",
    "1.2.0a1",
    "1.2.0a2",
    "1.2.0b1",
    "1.2.0rc1",
    "1.2.0rc10",
    "1.2.0",
    "1.2.0.post0.dev1",
    "1.2.0.post0",
    "1.2.0.post1",
    "1.2.1",
    "1.10.0",
    "10.0.0",
]


def parsed(text: str) -> Version:
    version = Version.parse(text)
    assert version is not None
    return version


def test_versions_are_ordered_as_pep_440_orders_them() -> None:
    versions = [parsed(text) for text in IN_ORDER]

    assert versions == sorted(versions)
    assert len(set(versions)) == len(IN_ORDER)


def test_zeros_at_the_end_make_no_other_version() -> None:
    assert parsed("1.2") == parsed("1.2.0")
    assert parsed("10") == parsed("10.0")


@pytest.mark.parametrize(
    "text",
    ["", "v1.2.0", "1.2.0-beta", "1.2.0-rc1", "1.2.0.rc1", "1.2.0-SNAPSHOT", "01.2.0", "1.2.", "1!1.2", "1.2+cuda"],
)
def test_version_in_another_spelling_than_the_index_has_is_none(text: str) -> None:
    assert Version.parse(text) is None


@pytest.mark.parametrize(("part", "wanted"), [("major", "2.0.0"), ("minor", "1.10.0"), ("patch", "1.9.4")])
def test_part_that_is_raised_sets_the_later_ones_to_zero(part: str, wanted: str) -> None:
    assert next_version("1.9.3", part) == wanted


@pytest.mark.parametrize("version", ["", "1.2", "1.2.0rc1", "1.2.0.1"])
def test_what_follows_another_form_is_for_people_to_say(version: str) -> None:
    assert next_version(version, "minor") is None


def test_siblings_accept_the_version_and_what_follows_until_the_next_major_one() -> None:
    assert bounds_of("1.9.3") == ">=1.9.3,<2"
