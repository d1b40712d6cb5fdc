# SPDX-License-Identifier: Apache-2.0
"""The modules that an installed distribution ships: each is imported, in a process of its
environment.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import TypedDict

from .environments import Environment
from .errors import Fault
from .processes import Words, capture
from .workspace import canonical_name

__all__ = ("ShippedModule", "import_faults", "import_shipped")

# Isolated (-I), so that nothing but the environment is importable. `files` is the distribution's
# RECORD.
_IMPORT_ALL = """
import importlib, importlib.metadata, json, sys
modules = {}
for file in importlib.metadata.distribution(sys.argv[1]).files:
    if file.suffix == ".py":
        name = ".".join(file.parent.parts if file.name == "__init__.py" else file.with_suffix("").parts)
        try:
            modules[name] = {"file": importlib.import_module(name).__file__, "missing": "", "error": ""}
        except Exception as exc:
            cause = exc.__cause__ or exc  # a module may say in its own words what it needs
            missing = cause.name if isinstance(cause, ModuleNotFoundError) else ""
            modules[name] = {"file": "", "missing": missing, "error": f"{type(exc).__name__}: {exc}"}
print(json.dumps(modules))
"""


class ShippedModule(TypedDict):
    """What became of one module."""

    file: str
    """Where it was imported from; empty if it was not."""
    missing: str
    """The module that it could not find, if that is why."""
    error: str


def import_shipped(environment: Environment, name: str) -> dict[str, ShippedModule]:
    """Imports every module of a distribution, with warnings as errors."""
    words: Words = [environment.python, "-I", "-W", "error", "-c", _IMPORT_ALL, name]
    result = capture(words, cwd=environment.folder)
    if result.returncode:
        return {name: ShippedModule(file="", missing="", error=result.stderr.strip())}
    modules: dict[str, ShippedModule] = json.loads(result.stdout)
    return modules


def import_faults(modules: dict[str, ShippedModule], folder: Path, optional: Collection[str]) -> list[Fault]:
    """Returns what is wrong with them.

    Args:
        modules: what `import_shipped` has found.
        folder: the environment that each must come from.
        optional: distributions that may be missing, because only an extra brings them.
    """
    faults: list[Fault] = []
    for name, module in modules.items():
        if module["error"]:
            if canonical_name(module["missing"].partition(".")[0]) not in optional:
                faults.append(Fault(name, f"cannot be imported: {module['error']}"))
        elif not Path(module["file"]).is_relative_to(folder):
            faults.append(Fault(name, f"comes from {module['file']}, not from the wheel"))
    return faults
