# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and ``sys.exit()`` inside of task groups."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import cast

__all__ = ("unwrapped_interrupts",)


@contextmanager
def unwrapped_interrupts() -> Generator[None, None, None]:
    """Lets `KeyboardInterrupt` and `SystemExit` out of the exception groups that task groups
    wrapped them in, if they hold nothing else.

    asyncio takes both past its task groups. trio does not, and Python would print a group and
    forget the exit status.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        _, others = group.split((KeyboardInterrupt, SystemExit))
        if others is not None:
            raise
        raise _first(group) from None


def _first(error: BaseException) -> BaseException:
    if isinstance(error, BaseExceptionGroup):
        return _first(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])
    return error
