# SPDX-License-Identifier: Apache-2.0
"""The verb, with a tiny program in the place of the fuzzer that says what libFuzzer says."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from wslib.errors import WorkspaceError
from wslib.fuzzing import Budget, Fuzzer, fuzz, shares

from .fakes import fake_workspace

PROGRAM = """
import sys
from pathlib import Path

arguments = sys.argv[1:]
if arguments == ["--list"]:
    print("bad good", file=sys.stdout)
    sys.exit()
target, option, folder, *rest = arguments
if option == "--reproduce":
    sys.exit(Path(folder).read_text() == "breaks a rule")
if target == "dies":
    sys.exit("cannot start")
print("told:", *rest)
corpus = Path(folder, "corpus", target)
corpus.mkdir(parents=True, exist_ok=True)
(corpus / "input").touch()
print("stat::number_of_executed_units: 1234", "stat::peak_rss_mb: 55", sep="\\n", file=sys.stderr)
if target == "bad":
    finding = Path(folder, "findings", "bad", "crash-1")
    print("artifact_prefix='x/'; Test unit written to slow-unit-1", file=sys.stderr)
    print(f"artifact_prefix='x/'; Test unit written to {finding}", file=sys.stderr)
    sys.exit(77)
"""


def fuzzer_in(root: Path) -> Fuzzer:
    return Fuzzer(fake_workspace(root, {"tools/fuzz/__main__.py": PROGRAM}), Path(sys.executable))


def test_no_name_means_every_target(tmp_path: Path) -> None:
    fuzzer = fuzzer_in(tmp_path)

    assert fuzzer.choose([]) == ["bad", "good"]
    assert fuzzer.choose(["good"]) == ["good"]


def test_unknown_target_is_a_failure_that_names_the_others(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"no target named 'ugly'(.|\n)*use one of: bad, good"):
        fuzzer_in(tmp_path).choose(["ugly"])


def test_targets_that_cannot_be_read_are_a_failure_with_the_reason(tmp_path: Path) -> None:
    workspace = fake_workspace(tmp_path, {"tools/fuzz/__main__.py": "import atheris_of_another_world\n"})

    with pytest.raises(WorkspaceError, match=r"No module named 'atheris_of_another_world'(.|\n)*Linux"):
        Fuzzer(workspace, Path(sys.executable)).choose([])


def test_outcome_tells_what_was_done(tmp_path: Path) -> None:
    outcome = fuzzer_in(tmp_path).run("good", Budget(7, None))

    assert (outcome.executions, outcome.corpus, outcome.mebibytes, outcome.fault) == (1234, 1, 55, None)
    assert str(outcome).startswith("good  ")
    assert " 1,234 " in str(outcome)
    assert str(outcome).endswith(" ok")
    assert (tmp_path / "build/fuzz/logs/good.log").read_text().startswith("told: --seconds 7\n")


def test_number_of_executions_is_handed_on(tmp_path: Path) -> None:
    fuzzer_in(tmp_path).run("good", Budget(None, 9))

    assert (tmp_path / "build/fuzz/logs/good.log").read_text().startswith("told: --executions 9\n")


def test_crash_is_told_with_its_reproducer_after_all_targets_have_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(WorkspaceError, match=r"bad: build/fuzz/findings/bad/crash-1(.|\n)*--reproduce FILE"):
        fuzz(fuzzer_in(tmp_path), ["bad", "good"], Budget(60, None))

    head, bad, good, total = capsys.readouterr().out.splitlines()
    assert head.split()[:2] == ["target", "executions"]
    assert bad.endswith("CRASH build/fuzz/findings/bad/crash-1")
    assert good.endswith("ok")
    assert total.startswith("2,468 executions in ")


def test_target_that_cannot_start_is_told_with_its_log(tmp_path: Path) -> None:
    outcome = fuzzer_in(tmp_path).run("dies", Budget(1, None))

    assert (outcome.executions, outcome.fault) == (0, "build/fuzz/logs/dies.log")
    assert (tmp_path / "build/fuzz/logs/dies.log").read_text() == "cannot start\n"


def test_reproducer_that_breaks_a_rule_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fuzzer = fuzzer_in(tmp_path)
    for name in ("harmless", "breaks a rule"):
        (tmp_path / name).write_text(name)
    monkeypatch.chdir(tmp_path)  # the path is relative to where the user is

    fuzzer.reproduce("good", Path("harmless"))
    with pytest.raises(WorkspaceError, match="ended with status 1"):
        fuzzer.reproduce("good", Path("breaks a rule"))


def test_budget_is_shared_out() -> None:
    assert shares(Budget(60, None), 10, 2) == Budget(12, None)
    assert shares(Budget(None, 1000), 10, 2) == Budget(None, 100)
    assert shares(Budget(1, None), 10, 2) == Budget(1, None)  # none is without a bound


def test_a_machine_without_cores_to_count_has_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: None)

    fuzz(fuzzer_in(tmp_path), ["good"], Budget(1, None))
