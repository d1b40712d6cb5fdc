# SPDX-License-Identifier: Apache-2.0
"""How many bytes of its stream an object holds.

Looking once, when all bytes of an input have been read, is enough: each beginning of an input is an
input as well. What libraries hold is not seen here; the limit on the memory of the whole process is
for that.
"""

from __future__ import annotations

import gc
from collections import deque
from io import BytesIO
from types import GeneratorType

__all__ = ("held_bytes",)

_CONTAINERS = (deque, dict, list, tuple, GeneratorType)


def held_bytes(owner: object) -> int:
    """Counts the bytes in the attributes of `owner`, and in the local variables of generators that
    they hold.
    """
    total = 0
    seen: set[int] = set()
    found: list[object] = list(vars(owner).values())
    while found:
        item = found.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, (bytes, bytearray)):
            total += len(item)
        elif isinstance(item, BytesIO):
            total += item.getbuffer().nbytes
        elif isinstance(item, _CONTAINERS):
            found += gc.get_referents(item)
    return total
