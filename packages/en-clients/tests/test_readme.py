# SPDX-License-Identifier: Apache-2.0
"""The examples of the README run one after another, as in one file."""

from __future__ import annotations

import re
import threading
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_examples_run() -> None:
    examples = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)
    before = set(threading.enumerate())

    exec(compile("".join(examples), README.name, "exec"), {"__name__": "readme"})

    for thread in set(threading.enumerate()) - before:
        thread.join()
