# SPDX-License-Identifier: Apache-2.0
"""The one place that drives a handler's generator."""

from __future__ import annotations

import enum
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final, Literal, TypeVar

__all__ = ("EOF", "EndOfStream", "Outcome", "converse")

_T = TypeVar("_T")


class EndOfStream(enum.Enum):
    """What a receive returns when the peer will send no more."""

    EOF = enum.auto()


EOF: Final = EndOfStream.EOF


class Outcome(enum.Enum):
    """How a conversation ended."""

    SILENT = "ended before asking"
    DONE = "ended after asking"
    EOF = "the peer will send no more"


async def converse(
    generator: AsyncGenerator[Any, _T],
    receive: Callable[[Any], Awaitable[_T | Literal[EndOfStream.EOF]]],
) -> Outcome:
    """Drives ``generator`` to its end: ``receive(what it yielded)`` gives the packet to send in, `EOF`, or raises what is to be thrown in.

    What leaves the generator leaves here. In every case the generator has ended.
    """
    try:
        wish = await anext(generator)
    except StopAsyncIteration:
        return Outcome.SILENT
    while True:
        try:
            packet = await receive(wish)
        except BaseException as exc:  # cancellation too: the generator is where the user's code waits
            answer = generator.athrow(exc)
        else:
            if packet is EOF:
                await generator.aclose()
                return Outcome.EOF
            answer = generator.asend(packet)
        try:
            wish = await answer
        except StopAsyncIteration:
            return Outcome.DONE
