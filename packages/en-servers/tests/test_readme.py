# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_examples_run_one_after_the_other() -> None:
    examples = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)

    exec(compile("\n".join(examples), README.name, "exec"), {})
