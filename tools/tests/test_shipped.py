# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from pathlib import Path

import pytest

from wslib.environments import Environment
from wslib.shipped import ShippedModule, import_faults, import_shipped

FOLDER = Path("/environment")


def module(file: str = "", missing: str = "", error: str = "") -> dict[str, ShippedModule]:
    return {"easynetwork.part": ShippedModule(file=file, missing=missing, error=error)}


def test_every_module_of_a_distribution_is_imported() -> None:
    environment = Environment(Path(sys.prefix))

    modules = import_shipped(environment, "pytest-timeout")

    assert list(modules) == ["pytest_timeout"]
    assert import_faults(modules, environment.folder, optional=()) == []


def test_distribution_that_is_not_there_is_a_fault() -> None:
    environment = Environment(Path(sys.prefix))

    [fault] = import_faults(import_shipped(environment, "en-nothing"), environment.folder, optional=())

    assert fault.where == "en-nothing"
    assert "PackageNotFoundError" in fault.what


def test_module_of_the_environment_is_in_order() -> None:
    assert import_faults(module(file="/environment/lib/part.py"), FOLDER, optional=()) == []


def test_module_from_elsewhere_is_a_fault() -> None:
    [fault] = import_faults(module(file="/workspace/src/part.py"), FOLDER, optional=())

    assert fault == ("easynetwork.part", "comes from /workspace/src/part.py, not from the wheel")


@pytest.mark.parametrize("missing", ["trio", "trio.lowlevel"])
def test_module_may_miss_what_an_extra_brings(missing: str) -> None:
    found = module(missing=missing, error=f"ModuleNotFoundError: No module named {missing!r}")

    assert import_faults(found, FOLDER, optional={"trio"}) == []


@pytest.mark.parametrize("missing", ["anyio", ""])
def test_module_that_fails_for_another_reason_is_a_fault(missing: str) -> None:
    [fault] = import_faults(module(missing=missing, error="ImportError: no"), FOLDER, optional={"trio"})

    assert fault == ("easynetwork.part", "cannot be imported: ImportError: no")
