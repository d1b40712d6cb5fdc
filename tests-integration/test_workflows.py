# SPDX-License-Identifier: Apache-2.0
"""CI's workflows, as far as they can be held to something without CI."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its types are a distribution of their own, for this one function
from clean_environments import ROOT, WORKSPACE

from wslib.affected import INTEGRATION, affected_by
from wslib.cli import main
from wslib.linters import test_folders as folders_with_tests

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
OF_THE_TOOL = re.compile(r"\./tools/ws ([^)|\n]+)")
OF_THE_PLAN = "${{ fromJSON(needs.plan.outputs.plan).packages }}"


def jobs(workflow: str) -> dict[str, dict[str, Any]]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / workflow).read_text())
    found: dict[str, dict[str, Any]] = loaded["jobs"]
    return found


def steps() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every step, with the name of its job and the job."""
    for path in WORKFLOWS:
        for name, job in jobs(path.name).items():
            yield from ((f"{path.stem}: {name}", job, step) for step in job["steps"])


def commands(*used: dict[str, Any]) -> list[list[str]]:
    """The words of each call of the tool."""
    return [shlex.split(found) for step in used for found in OF_THE_TOOL.findall(step.get("run", ""))]


def uses(job: dict[str, Any], action: str) -> list[dict[str, Any]]:
    """What is given to an action, each time that the job uses it."""
    return [step.get("with", {}) for step in job["steps"] if step.get("uses", "").startswith(f"actions/{action}@")]


@pytest.mark.parametrize("words", sorted({tuple(words) for _, _, step in steps() for words in commands(step)}))
def test_workflow_calls_verbs_and_options_that_exist(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    verb, *rest = words
    with pytest.raises(SystemExit) as exit_status:
        main([verb, "--help"], ROOT)

    assert exit_status.value.code == 0
    text = capsys.readouterr().out
    assert [word for word in rest if word.startswith("-") and not re.search(rf" {word}\b", text)] == []


def test_workflow_tests_packages_that_exist() -> None:
    tested = [words[1:] for _, _, step in steps() for words in commands(step) if words[0] == "test"]
    values = {word for words in tested for word in words if not word.startswith(("-", "$"))}

    assert values <= {*WORKSPACE.members, INTEGRATION}


def test_gate_waits_for_every_other_job_and_always_runs() -> None:
    found = jobs("ci.yml")
    gate = found.pop("gate")

    assert set(gate["needs"]) == set(found)
    assert gate["if"] == "always()"


def needs(**results: str) -> dict[str, Any]:
    """What GitHub hands to the gate when all went well, save for ``results``."""
    plan = json.dumps({"packages": ["en-protocol"], "folders": [INTEGRATION]})
    names = jobs("ci.yml").keys() - {"gate"}
    found: dict[str, Any] = {name: {"result": results.get(name, "success"), "outputs": {}} for name in names}
    found["plan"]["outputs"] = {"plan": plan}
    return found


def idle(**results: str) -> dict[str, Any]:
    """The same where the plan has found nothing to test."""
    found = needs(**{"package": "skipped", "lowest": "skipped", "integration": "skipped", **results})
    found["plan"]["outputs"] = {"plan": '{"packages": [], "folders": []}'}
    return found


def without_a_plan() -> dict[str, Any]:
    found = needs(**dict.fromkeys(needs(), "skipped") | {"plan": "failure"})
    found["plan"]["outputs"] = {}
    return found


@pytest.mark.parametrize(
    ("results", "complaints"),
    [
        (needs(), set[str]()),
        (needs(package="failure"), {"package: failure"}),
        (needs(types="cancelled", docs="failure"), {"types: cancelled", "docs: failure"}),
        (needs(package="skipped", integration="skipped"), {"package: skipped", "integration: skipped"}),
        (idle(), set[str]()),
        (idle(build="failure"), {"build: failure"}),
        (idle(types="skipped"), {"types: skipped"}),
        (without_a_plan(), {f"{name}: skipped" for name in without_a_plan() if name != "plan"} | {"plan: failure"}),
    ],
)
def test_gate_lets_pass_what_has_succeeded_or_had_nothing_to_do(
    results: dict[str, Any], complaints: set[str], tmp_path: Path
) -> None:
    [step] = jobs("ci.yml")["gate"]["steps"]
    words = ["bash", "-e", "-c", step["run"]]
    environment = {**os.environ, "NEEDS": json.dumps(results)}

    result = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert set(result.stderr.splitlines()) == complaints
    assert result.returncode == bool(complaints)


def test_matrix_has_the_pythons_that_the_manifests_name() -> None:
    named = {tuple(_pythons(member.project["classifiers"])) for member in WORKSPACE.members.values()}

    assert named == {tuple(jobs("ci.yml")["package"]["strategy"]["matrix"]["python"])}


def test_release_is_tested_on_the_pythons_that_the_manifests_name() -> None:
    found = jobs("release.yml")
    [first] = uses(found["build"], "setup-python")
    pythons = [first["python-version"], *found["test"]["strategy"]["matrix"]["python"]]

    assert pythons == jobs("ci.yml")["package"]["strategy"]["matrix"]["python"]


def _pythons(classifiers: list[str]) -> list[str]:
    return [found[1] for line in classifiers if (found := re.search(r":: Python :: (3\.\d+)$", line))]


@pytest.mark.parametrize("job", ["package", "lowest"])
def test_matrix_reaches_every_package_that_has_tests(job: str) -> None:
    with_tests = {name for name, member in WORKSPACE.members.items() if member.tests in folders_with_tests(WORKSPACE)}
    when_the_tool_changes = {affected.name for affected in affected_by(WORKSPACE, ["tools/ws"])}

    assert jobs("ci.yml")[job]["strategy"]["matrix"]["package"] == OF_THE_PLAN
    assert with_tests
    assert with_tests <= when_the_tool_changes


def test_what_asks_the_history_has_all_of_it() -> None:
    asking = [job for _, job, step in steps() if {"affected", "release-check"} & {words[0] for words in commands(step)}]

    assert len(asking) == 2
    assert all(depth["fetch-depth"] == 0 for job in asking for depth in uses(job, "checkout"))


def test_wheels_are_built_by_one_job_and_taken_from_there_by_the_others() -> None:
    for path in WORKFLOWS:
        for name, job in jobs(path.name).items():
            if any({"--wheel", "--lowest"} & set(words) for words in commands(*job["steps"])):
                action = "upload-artifact" if name == "build" else "download-artifact"
                assert {"name": "wheels", "path": "build/wheels"}.items() <= uses(job, action)[0].items(), name
                assert name == "build" or "build" in job["needs"]


def test_no_job_has_rights_that_it_does_not_need() -> None:
    rights = {where: job["permissions"] for where, job, _ in steps() if "permissions" in job}

    assert all(yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"} for path in WORKFLOWS)
    assert rights == {"release: publish": {"id-token": "write"}}
    assert all(options["persist-credentials"] is False for _, job, _ in steps() for options in uses(job, "checkout"))


def test_job_that_may_publish_runs_nothing_of_ours_and_one_project_only() -> None:
    found = jobs("release.yml")
    publish = found["publish"]

    assert uses(publish, "checkout") == []
    assert commands(*publish["steps"]) == []
    assert publish["environment"] == "${{ needs.check.outputs.package }}"
    assert set(publish["needs"]) == set(found) - {"publish"}


def test_actions_are_githubs_own() -> None:
    used = {step["uses"] for _, _, step in steps() if "uses" in step}

    assert used
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", action) for action in used)


def test_no_expression_stands_in_a_script() -> None:
    """Its value would be read as shell: a branch may have any name."""
    assert [where for where, _, step in steps() if "${{" in step.get("run", "")] == []
