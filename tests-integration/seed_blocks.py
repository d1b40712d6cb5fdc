# SPDX-License-Identifier: Apache-2.0
"""The Python blocks of a page that was copied out of a browser, with the numbers of their lines in
front.
"""

from __future__ import annotations

import re
from collections.abc import Iterator


def numbered_blocks(text: str) -> Iterator[str]:
    """Yields the blocks of lines that are numbered from 1, without their numbers."""
    block: list[str] = []
    for line in text.splitlines():
        found = _line(len(block) + 1, line)
        if found is None and block:
            yield "\n".join(block) + "\n"
            block = []
            found = _line(1, line)
        if found is not None:
            block.append(found)
    if block:
        yield "\n".join(block) + "\n"


def _line(number: int, line: str) -> str | None:
    found = re.match(rf" {{0,2}}{number}(?![.\d])(.*)$", line)
    return None if found is None else found[1]
