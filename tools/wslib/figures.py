# SPDX-License-Identifier: Apache-2.0
"""The table of ``docs/distributions.md``: what each distribution weighs, brings along and takes to
import.

Half of it is measured and depends on the machine, so it is written only when somebody asks for it.
What a distribution brings along is decided by the lock, and a table that says something else is a
fault.
"""

from __future__ import annotations

from .closures import Closure, closures
from .distributions import built_constraints
from .errors import Fault
from .measuring import Measured, Measurement
from .page_table import PageTable, cells, line
from .pythons import Interpreter
from .uvtool import find_uv
from .workspace import Workspace

__all__ = ("TABLE", "check_figures", "table", "write_figures")

TABLE = PageTable("docs/distributions.md", "figures")

_COLUMNS = ("distribution", "brings of ours", "of others", "wheel, kB", "import, ms", "modules loaded (ours)", "tests")
_NOTHING = "-"


def write_figures(workspace: Workspace, interpreter: Interpreter) -> None:
    """Measures every distribution and writes the table into the page.

    Raises:
        WorkspaceError: one of them cannot be built, installed, imported or tested, or the page has
            no place for the table.
    """
    TABLE.read(workspace)  # now, and not after minutes of measuring
    uv = find_uv(workspace.root)
    measurement = Measurement(workspace, interpreter, uv, built_constraints(workspace, uv))
    rows: dict[str, tuple[Closure, Measured]] = {}
    for name, closure in closures(workspace).items():
        measured = measurement.measure(workspace.members[name], closure.ours)
        print(f"ws: {name}: {measured.seconds * 1000:.0f} ms, {measured.tests} tests", flush=True)
        rows[name] = closure, measured
    TABLE.write(workspace, table(rows), f"Measured on Linux with Python {interpreter.name}.")


def check_figures(workspace: Workspace) -> list[Fault]:
    """Compares what the table says about dependencies with the lock. Measures nothing."""
    rows = TABLE.read(workspace)
    said = {name: said_of for name, *said_of in map(cells, rows.splitlines()) if name.startswith("`")}
    faults: list[Fault] = []
    for name, closure in closures(workspace).items():
        brought = _brought(closure)
        if said.pop(f"`{name}`", [])[: len(brought)] != brought:
            faults.append(Fault(TABLE.page, f"`{name}` brings {'; '.join(brought)}"))
    return [*faults, *(Fault(TABLE.page, f"{name} is no distribution") for name in said)]


def table(rows: dict[str, tuple[Closure, Measured]]) -> str:
    """Returns the table in Markdown, those first that bring least."""
    lines = [line(_COLUMNS), line("---" if index < 3 else "---:" for index in range(len(_COLUMNS)))]
    for name, (closure, measured) in sorted(rows.items(), key=lambda row: (len(row[1][0].ours), row[0])):
        ours = sum(module.partition(".")[0] == "easynetwork" for module in measured.modules)
        figures = (
            f"{measured.size / 1000:.0f}",
            f"{measured.seconds * 1000:.0f}",
            f"{len(measured.modules)} ({ours})",
            f"{measured.tests}",
        )
        lines.append(line((f"`{name}`", *_brought(closure), *figures)))
    return "".join(lines)


def _brought(closure: Closure) -> list[str]:
    return [", ".join(closure.ours) or _NOTHING, ", ".join(closure.others) or _NOTHING]
