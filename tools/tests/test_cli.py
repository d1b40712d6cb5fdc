# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ast
from pathlib import Path

import pytest

from wslib.cli import main

from .fakes import fake_workspace

TOOL = Path(__file__).parents[1] / "ws"

VERBS = (
    "sync",
    "demo",
    "test",
    "affected",
    "check",
    "docs",
    "build",
    "figures",
    "lock",
    "bump",
    "release-check",
    "fuzz",
    "bench",
)


def test_entry_is_readable_for_old_pythons() -> None:
    ast.parse(TOOL.read_text(), feature_version=(3, 8))


def test_help_names_every_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"], tmp_path)

    text = capsys.readouterr().out
    assert all(f"    {verb}" in text.splitlines() or f"\n    {verb} " in text for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(tmp_path: Path, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_status:
        main([verb, "--help"], tmp_path)

    assert exit_status.value.code == 0
    assert len(capsys.readouterr().out.splitlines()) > 3


def test_unknown_package_is_a_failure_that_names_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake_workspace(tmp_path)

    assert main(["test", "en-nothing"], tmp_path) == 1
    error = capsys.readouterr().err
    assert "no package named 'en-nothing'" in error
    assert "What to do: use one of: en-lower, en-upper." in error


def test_package_without_tests_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake_workspace(tmp_path)

    assert main(["test", "en-lower"], tmp_path) == 1
    assert "en-lower has no tests" in capsys.readouterr().err


def test_folder_that_is_no_workspace_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync"], tmp_path) == 1
    error = capsys.readouterr().err
    assert "pyproject.toml is missing" in error
    assert "What to do: " in error


def test_broken_manifest_is_a_failure_that_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake_workspace(tmp_path, {"uv.lock": "", "packages/en-lower/pyproject.toml": "[project\n"})

    assert main(["sync"], tmp_path) == 1
    assert "en-lower/pyproject.toml is not valid TOML" in capsys.readouterr().err


def test_affected_picks_and_so_no_package_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake_workspace(tmp_path)

    assert main(["test", "en-lower", "--affected", "main"], tmp_path) == 1
    assert "leave out their names" in capsys.readouterr().err


def test_reproducing_needs_the_target(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake_workspace(tmp_path)

    assert main(["fuzz", "--reproduce", "file"], tmp_path) == 1
    assert "the one TARGET" in capsys.readouterr().err


@pytest.mark.parametrize("others", [["en-upper"], ["--wheel"], ["--lowest"], ["--affected", "main"]])
def test_attacks_are_picked_by_themselves(
    tmp_path: Path, others: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    fake_workspace(tmp_path)

    assert main(["test", *others, "--attack"], tmp_path) == 1
    assert "--attack picks the tests by itself" in capsys.readouterr().err


@pytest.mark.parametrize("others", [["--write"], ["--minutes", "1"]])
def test_options_of_attacks_are_for_attacks(
    tmp_path: Path, others: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    fake_workspace(tmp_path)

    assert main(["test", *others], tmp_path) == 1
    assert "mean nothing without --attack" in capsys.readouterr().err


def test_row_that_is_none_is_a_failure_before_anything_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake_workspace(tmp_path)

    assert main(["test", "--attack", "slow-reader"], tmp_path) == 1
    assert "'slow-reader' is no row" in capsys.readouterr().err
