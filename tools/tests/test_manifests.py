# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from wslib.manifests import check_cycles, check_layout, check_licenses, check_manifests, check_versions

from .fakes import LOWER, UPPER, fake_workspace, manifest_of


def test_workspace_in_order_has_no_faults(tmp_path: Path) -> None:
    workspace = fake_workspace(tmp_path)

    for check in (check_versions, check_cycles, check_licenses, check_layout, check_manifests):
        assert check(workspace) == []


@pytest.mark.parametrize("bounds", ["", ">=1.2.0", ">=1.1,<2", ">=1.3.0,<2", ">=1.2.0,<3", "==1.2.0"])
def test_internal_requirement_has_the_siblings_version_as_floor_and_a_cap(tmp_path: Path, bounds: str) -> None:
    manifest = manifest_of("en-upper").replace(">=1.2.0,<2", bounds)

    [fault] = check_versions(fake_workspace(tmp_path, {"packages/en-upper/pyproject.toml": manifest}))

    assert fault.where == "packages/en-upper/pyproject.toml"
    assert "wants >=1.2.0,<2" in fault.what


def test_extras_are_internal_requirements_too(tmp_path: Path) -> None:
    manifest = manifest_of("en-upper").replace("uvloop>=0.21", "en-lower[fast]>=0.9")

    [fault] = check_versions(fake_workspace(tmp_path, {"packages/en-upper/pyproject.toml": manifest}))

    assert "asks for en-lower>=0.9" in fault.what


@pytest.mark.parametrize("old", ["dependencies = []", '"uvloop>=0.21"'])
def test_distributions_that_need_each_other_are_found(tmp_path: Path, old: str) -> None:
    """An extra closes a circle as well."""
    new = old.replace("[]", '["en-upper>=1.2.0,<2"]').replace("uvloop>=0.21", "en-upper>=1.2.0,<2")
    manifest = manifest_of("en-lower").replace(old, new)

    (fault,) = check_cycles(fake_workspace(tmp_path, {"packages/en-lower/pyproject.toml": manifest}))

    assert "needs itself" in fault.what
    assert {"en-lower", "en-upper"} <= set(fault.what.split())


def test_licence_that_drifted_is_found(tmp_path: Path) -> None:
    workspace = fake_workspace(tmp_path, {"packages/en-lower/LICENSE": "another licence\n"})

    assert [fault.where for fault in check_licenses(workspace)] == ["packages/en-lower/LICENSE"]


def test_missing_licence_is_found(tmp_path: Path) -> None:
    workspace = fake_workspace(tmp_path)
    (tmp_path / "packages/en-upper/LICENSE").unlink()

    assert [fault.where for fault in check_licenses(workspace)] == ["packages/en-upper/LICENSE"]


@pytest.mark.parametrize("namespace", ["easynetwork", "easynetwork/backends"])
def test_init_in_a_shared_namespace_is_found(tmp_path: Path, namespace: str) -> None:
    path = f"packages/en-lower/src/{namespace}/__init__.py"

    [fault] = check_layout(fake_workspace(tmp_path, {path: ""}))

    assert fault == (path, "closes a shared namespace")


def test_package_without_types_is_found(tmp_path: Path) -> None:
    workspace = fake_workspace(tmp_path)
    (tmp_path / UPPER / "py.typed").unlink()

    [fault] = check_layout(workspace)

    assert fault.where == UPPER
    assert "py.typed" in fault.what


def test_bare_module_in_a_namespace_is_found(tmp_path: Path) -> None:
    path = "packages/en-lower/src/easynetwork/loose.py"

    [fault] = check_layout(fake_workspace(tmp_path, {path: ""}))

    assert fault.where == path


@pytest.mark.parametrize("name", ["tests/test_x.py", "loose.py", "easynetwork_extra/__init__.py"])
def test_what_would_lie_beside_the_namespace_is_found(tmp_path: Path, name: str) -> None:
    faults = check_layout(fake_workspace(tmp_path, {f"packages/en-lower/src/{name}": ""}))

    assert f"packages/en-lower/src/{name.partition('/')[0]}" in [fault.where for fault in faults]


def test_path_of_two_distributions_is_found(tmp_path: Path) -> None:
    shared = f"{LOWER.replace('en-lower', 'en-upper')}/py.typed"

    [fault] = check_layout(fake_workspace(tmp_path, {shared: ""}))

    assert fault == ("easynetwork/lower/py.typed", "is shipped by en-lower and by en-upper")


@pytest.mark.parametrize(
    ("name", "old", "new", "what"),
    [
        ("packages/en-lower/pyproject.toml", 'version = "1.2.0"', 'dynamic = ["version"]', "static version"),
        ("packages/en-lower/pyproject.toml", ">=3.11", ">=3.12", "requires-python"),
        ("packages/en-lower/pyproject.toml", 'installer = "uv"', 'installer = "pip"', "pip"),
        ("pyproject.toml", "en-lower = { workspace = true }", "", "tool.uv.sources"),
        ("pyproject.toml", '"$MYPY_CONFIG_FILE_DIR/packages/en-lower/src", ', "", "mypy_path"),
    ],
)
def test_setting_that_every_member_needs_is_missed(tmp_path: Path, name: str, old: str, new: str, what: str) -> None:
    fake_workspace(tmp_path)
    text = (tmp_path / name).read_text()

    [fault] = check_manifests(fake_workspace(tmp_path, {name: text.replace(old, new)}))

    assert what in fault.what
