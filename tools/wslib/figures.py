# SPDX-License-Identifier: Apache-2.0
"""The table of ``docs/distributions.md``: what each distribution weighs, brings along and takes to import.

Half of it is measured and depends on the machine, so it is written only when somebody asks for it. What a distribution brings along is decided by the lock,
and a table that says something else is a fault.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .closures import Closure, closures
from .distributions import built_constraints
from .errors import Fault, WorkspaceError
from .measuring import Measured, Measurement
from .pythons import Interpreter
from .uvtool import find_uv
from .workspace import Workspace

__all__ = ("BEGIN", "END", "check_figures", "table", "write_figures")

PAGE = "docs/distributions.md"

BEGIN = "<!-- Written by `./tools/ws figures`: begin -->\n"
END = "<!-- Written by `./tools/ws figures`: end -->\n"

_COLUMNS = ("distribution", "brings of ours", "of others", "wheel, kB", "import, ms", "modules loaded (ours)", "tests")
_NOTHING = "-"


def write_figures(workspace: Workspace, interpreter: Interpreter) -> None:
    """Measures every distribution and writes the table into the page.

    Raises:
        WorkspaceError: one of them cannot be built, installed, imported or tested, or the page has no place for the table.
    """
    page = workspace.root / PAGE
    before, _, after = _split(page)
    uv = find_uv(workspace.root)
    measurement = Measurement(workspace, interpreter, uv, built_constraints(workspace, uv))
    rows: dict[str, tuple[Closure, Measured]] = {}
    for name, closure in closures(workspace).items():
        measured = measurement.measure(workspace.members[name], closure.ours)
        print(f"ws: {name}: {measured.seconds * 1000:.0f} ms, {measured.tests} tests", flush=True)
        rows[name] = closure, measured
    said = f"Measured on Linux with Python {interpreter.name}.\n"
    page.write_text("".join([before, BEGIN, "\n", table(rows), "\n", said, "\n", END, after]), encoding="utf-8")


def check_figures(workspace: Workspace) -> list[Fault]:
    """Compares what the table says about dependencies with the lock. Measures nothing."""
    _, rows, _ = _split(workspace.root / PAGE)
    said = {name: cells for name, *cells in map(_cells, rows.splitlines()) if name.startswith("`")}
    faults: list[Fault] = []
    for name, closure in closures(workspace).items():
        brought = _brought(closure)
        if said.pop(f"`{name}`", [])[: len(brought)] != brought:
            faults.append(Fault(PAGE, f"`{name}` brings {'; '.join(brought)}"))
    return [*faults, *(Fault(PAGE, f"{name} is no distribution") for name in said)]


def table(rows: dict[str, tuple[Closure, Measured]]) -> str:
    """Returns the table in Markdown, those first that bring least."""
    lines = [_line(_COLUMNS), _line("---" if index < 3 else "---:" for index in range(len(_COLUMNS)))]
    for name, (closure, measured) in sorted(rows.items(), key=lambda row: (len(row[1][0].ours), row[0])):
        ours = sum(module.partition(".")[0] == "easynetwork" for module in measured.modules)
        figures = (
            f"{measured.size / 1000:.0f}",
            f"{measured.seconds * 1000:.0f}",
            f"{len(measured.modules)} ({ours})",
            f"{measured.tests}",
        )
        lines.append(_line((f"`{name}`", *_brought(closure), *figures)))
    return "".join(lines)


def _brought(closure: Closure) -> list[str]:
    return [", ".join(closure.ours) or _NOTHING, ", ".join(closure.others) or _NOTHING]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _split(page: Path) -> tuple[str, str, str]:
    """Returns the page before the table, the table, and the page after it."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    before, found_begin, rest = text.partition(BEGIN)
    middle, found_end, after = rest.partition(END)
    if not (found_begin and found_end):
        raise WorkspaceError(
            f"{PAGE} has no place for the table.", f"put these two lines into it:\n{BEGIN}{END}".rstrip("\n")
        )
    return before, middle, after
