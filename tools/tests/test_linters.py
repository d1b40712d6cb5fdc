# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

from wslib.errors import Fault
from wslib.linters import pyright_faults

ROOT = Path("/somewhere")


def report(analyzed: int, *findings: tuple[str, str]) -> str:
    diagnostics = [
        {
            "file": "/somewhere/src/module.py",
            "severity": severity,
            "message": message,
            "range": {"start": {"line": 6, "character": 0}, "end": {"line": 6, "character": 1}},
        }
        for severity, message in findings
    ]
    return json.dumps({"generalDiagnostics": diagnostics, "summary": {"filesAnalyzed": analyzed}})


def test_errors_are_faults_and_hints_are_not() -> None:
    output = report(3, ("error", "this is wrong"), ("information", "by the way"))

    assert pyright_faults(output, "", 3, ROOT) == [Fault("src/module.py:7", "this is wrong")]


def test_a_report_about_fewer_files_than_there_are_is_not_believed() -> None:
    (fault,) = pyright_faults(report(2), "", 3, ROOT)

    assert "2 files of 3" in fault.what


def test_no_report_is_a_fault() -> None:
    (fault,) = pyright_faults("", "it crashed", 3, ROOT)

    assert "it crashed" in fault.what
