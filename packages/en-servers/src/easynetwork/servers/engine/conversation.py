# SPDX-License-Identifier: Apache-2.0
"""The one place that drives a handler's generators."""

from __future__ import annotations

import enum
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import Any, Final, Literal, TypeVar

__all__ = ("EOF", "EndOfStream", "Outcome", "converse")

_T = TypeVar("_T")


class EndOfStream(enum.Enum):
    """What a receive returns when the peer will send no more."""

    EOF = enum.auto()


EOF: Final = EndOfStream.EOF

_ASKED_AFTER_ITS_END: Final = "async generator ignored GeneratorExit"
"""What Python says of a generator that yields when it is closed."""


class Outcome(enum.Enum):
    """How a conversation ended."""

    SILENT = "ended before asking"
    DONE = "ended after asking"
    INTERRUPTED = "ended in peace after a cancellation"
    EOF = "the peer will send no more"


async def converse(
    generators: Iterable[AsyncGenerator[Any, _T]],
    receive: Callable[[Any], Awaitable[_T | Literal[EndOfStream.EOF]]],
    is_over: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Drives one generator after the other to its end: ``receive(what it yielded)`` gives the packet to send in, `EOF`, or raises what is to be thrown in.

    Goes on to the next generator only after `Outcome.DONE`. `Outcome.INTERRUPTED` leaves open whether a scope inside the generator was cancelled, or the
    generator has swallowed what was meant for the caller; the next one would do the same, and so on. What leaves a generator leaves here. In every case
    all that were started have ended.

    Args:
        is_over: whether an interruption is meant for the caller. A generator that goes on after one then is closed at the next, because there would be no end to
            them.
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
        interrupted = False
        while True:
            try:
                packet = await receive(wish)
            except BaseException as exc:  # cancellation too: the generator is where the user's code waits
                if not isinstance(exc, Exception):
                    if interrupted and is_over():
                        await _close(generator)
                        return Outcome.INTERRUPTED
                    interrupted = True
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
            finally:
                # It has the error, whose traceback has this frame: a circle would keep all that a bad packet was.
                del answer
        if interrupted:
            return Outcome.INTERRUPTED
    return Outcome.DONE


async def _close(generator: AsyncGenerator[Any, Any]) -> None:
    try:
        try:
            await generator.aclose()
        except* GeneratorExit:
            pass  # wrapped by a task group that was open around the `yield`, so aclose() did not know it again
    except RuntimeError as exc:
        if exc.args == (_ASKED_AFTER_ITS_END,):
            name = getattr(generator, "__qualname__", "the handler")
            exc.add_note(f"{name}() catches too much at a `yield`: let everything but `Exception` pass")
        raise
