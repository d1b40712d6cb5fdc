# SPDX-License-Identifier: Apache-2.0
"""What is in built wheels.

The sources are checked before; the build backend's settings decide what becomes of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

from .boundaries import NAMESPACE
from .errors import Fault

__all__ = ("check_wheels",)


def check_wheels(wheels: Iterable[Path]) -> list[Fault]:
    """Nothing but the open namespace lies at a wheel's root, each leaf is typed, and no file is in
    two wheels.
    """
    faults: list[Fault] = []
    owners: dict[PurePosixPath, list[str]] = defaultdict(list)
    for wheel in wheels:
        files = [path for path in _files(wheel) if not path.parts[0].endswith(".dist-info")]
        faults += [
            Fault(wheel.name, f"has {path} at its root, where only {NAMESPACE}/ may be")
            for path in files
            if path.parts[0] != NAMESPACE
        ]
        if PurePosixPath(NAMESPACE, "__init__.py") in files:
            faults.append(Fault(wheel.name, f"closes the namespace {NAMESPACE}, which other wheels share"))
        if files and not any(path.name == "py.typed" for path in files):
            faults.append(Fault(wheel.name, "has no py.typed, so users get no types"))
        for path in files:
            owners[path].append(wheel.name)
    faults += [Fault(str(path), f"is in {' and in '.join(names)}") for path, names in owners.items() if len(names) > 1]
    return faults


def _files(wheel: Path) -> list[PurePosixPath]:
    with ZipFile(wheel) as archive:
        return [PurePosixPath(name) for name in archive.namelist() if not name.endswith("/")]
