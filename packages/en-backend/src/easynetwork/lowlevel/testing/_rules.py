# SPDX-License-Identifier: Apache-2.0
"""What the examinations have in common."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ..api_async.backend.abc import AsyncBackend

__all__ = ("PATIENCE", "SHORT", "must_raise", "named", "until_idle")

SHORT: Final = 0.05
"""Seconds within which something that must not happen would have happened."""

PATIENCE: Final = 10
"""Seconds after which something that must happen has failed to."""

_TURNS: Final = 10


@contextlib.contextmanager
def named(rule: Callable[..., object]) -> Generator[None]:
    """Notes on an exception which rule was not kept."""
    try:
        yield
    except BaseException as exc:
        exc.add_note(f"in the check {rule.__name__[1:]!r}")
        raise


async def must_raise(kind: type[BaseException], awaitable: Awaitable[object]) -> Any:
    """Returns the exception of ``kind`` that ``awaitable`` raises, or fails."""
    try:
        result = await awaitable
    except kind as exc:
        return exc
    raise AssertionError(f"expected {kind.__name__}, got {result!r}")


async def until_idle(backend: AsyncBackend) -> None:
    """Lets the other tasks run until they wait for something that this one has to do."""
    for _ in range(_TURNS):
        await backend.coro_yield()
