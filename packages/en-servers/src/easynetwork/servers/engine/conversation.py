# SPDX-License-Identifier: Apache-2.0
"""The one place that drives a handler's generators."""

from __future__ import annotations

import enum
import math
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from easynetwork.lowlevel.pauses import growing_pauses

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend

__all__ = ("EOF", "EndOfStream", "Outcome", "converse")

_T = TypeVar("_T")


class EndOfStream(enum.Enum):
    """What a receive returns when the peer will send no more."""

    EOF = enum.auto()


EOF: Final = EndOfStream.EOF

_AT_ONCE: Final = 0.001
"""Seconds between two interruptions in which nobody can have wanted to wait for a packet."""


class Outcome(enum.Enum):
    """How a conversation ended."""

    SILENT = "ended before asking"
    DONE = "ended after asking"
    INTERRUPTED = "ended in peace after a cancellation"
    EOF = "the peer will send no more"


async def converse(
    generators: Iterable[AsyncGenerator[Any, _T]],
    receive: Callable[[Any], Awaitable[_T | Literal[EndOfStream.EOF]]],
    backend: AsyncBackend,
) -> Outcome:
    """Drives one generator after the other to its end: ``receive(what it yielded)`` gives the packet to send in, `EOF`, or raises what is to be thrown in.

    Goes on to the next generator only after `Outcome.DONE`. `Outcome.INTERRUPTED` leaves open whether a scope inside the generator was cancelled, or the
    generator has swallowed what was meant for the caller; the next one would do the same, and so on. What leaves a generator leaves here. In every case
    all that were started have ended.
    """
    loop_hooks = sys.get_asyncgen_hooks()
    for generator in generators:
        # Event loops register each generator at its first step, to close those that are abandoned. None is abandoned here, and it costs too much.
        sys.set_asyncgen_hooks(None, None)
        try:
            first_step = generator.asend(None)  # type: ignore[arg-type]
        finally:
            sys.set_asyncgen_hooks(*loop_hooks)
        try:
            wish = await first_step
        except StopAsyncIteration:
            return Outcome.SILENT
        interruptions: _Interruptions | None = None
        while True:
            try:
                packet = await receive(wish)
            except BaseException as exc:  # cancellation too: the generator is where the user's code waits
                if not isinstance(exc, Exception):
                    interruptions = interruptions or _Interruptions(backend)
                    await interruptions.slow_down()
                answer = generator.athrow(exc)
            else:
                if packet is EOF:
                    await _close(generator)
                    return Outcome.EOF
                answer = generator.asend(packet)
            try:
                wish = await answer
            except StopAsyncIteration:
                break
        if interruptions is not None:
            return Outcome.INTERRUPTED
    return Outcome.DONE


class _Interruptions:
    """Those of a generator that goes on after each of them: it is cancelled for good, and would spend all of the processor's time on that."""

    def __init__(self, backend: AsyncBackend) -> None:
        self._backend = backend
        self._pauses = growing_pauses()
        self._last = -math.inf

    async def slow_down(self) -> None:
        """Waits if the generator has been interrupted just before."""
        if monotonic() - self._last < _AT_ONCE:
            await self._backend.ignore_cancellation(self._backend.sleep(next(self._pauses)))
        else:
            self._pauses = growing_pauses()
        self._last = monotonic()


async def _close(generator: AsyncGenerator[Any, Any]) -> None:
    try:
        await generator.aclose()
    except* GeneratorExit:
        pass  # wrapped by a task group that was open around the `yield`, so aclose() did not know it again
