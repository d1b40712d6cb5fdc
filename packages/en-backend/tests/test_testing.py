# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import easynetwork.lowlevel.testing as kit


def test_everything_public_is_offered_at_the_top() -> None:
    offered = set(kit.__all__)

    for module in pkgutil.iter_modules(kit.__path__):
        if module.name.startswith("check_"):
            assert offered.issuperset(importlib.import_module(f"{kit.__name__}.{module.name}").__all__)
    assert all(hasattr(kit, name) for name in offered)


def test_the_kit_needs_no_test_framework_and_no_trio() -> None:
    program = f"import sys, {kit.__name__}; print(sorted({{'pytest', 'trio', 'hypothesis'}} & set(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert output.strip() == "[]"
