# SPDX-License-Identifier: Apache-2.0
"""The driver: steps the generators of a request handler, wherever their packets come from.

It is one flat generator-based coroutine, as near to the task as can be, because each frame that is
suspended above the handler is walked through at each wake. A `PacketSource` answers without
suspending; the driver alone waits.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from typing import Any, Final, Literal, Protocol, TypeAlias, TypeVar

from easynetwork.protocol.receivers import NEED_DATA, NeedData

__all__ = ("END", "Answer", "End", "Outcome", "PacketSource", "drive")

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)
_SourceT = TypeVar("_SourceT", bound="PacketSource[Any]")


class _End(enum.Enum):
    END = "the peer will send no more"


End: TypeAlias = Literal[_End.END]

END: Final = _End.END
"""What a source answers when no packet will come any more."""

Answer: TypeAlias = _T | NeedData | End

_IGNORED_EXIT: Final = "async generator ignored GeneratorExit"
"""What Python says of a generator that yields when it is closed."""


class Outcome(enum.Enum):
    """How the last generator ended."""

    NOT_STARTED = "returned before its first yield"
    FINISHED = "returned after a packet"
    CANCELLED = "returned after a cancellation"
    END = "was closed, because the peer will send no more"


class PacketSource(Protocol[_T_co]):
    """Where the driver gets packets from. No method suspends."""

    corked: bool
    """Whether answers are held back during the next step, because more packets are here already."""

    closed: bool
    """Whether no generator is to be started any more."""

    is_over: bool
    """Whether a cancellation is meant for the caller of the driver: the server is ending."""

    def take(self, yielded: Any, /) -> Answer[_T_co]:
        """Gives the next packet, as the handler has asked for it; `NEED_DATA` if it must be waited
        for.

        Raises:
            Exception: what is to be thrown in at the ``yield``.
        """
        ...

    def until_readable(self) -> Iterable[Any]:
        """Gives what to wait for after `NEED_DATA`, for a ``yield from``."""
        ...

    def read(self) -> Answer[_T_co]:
        """Goes on after the wait, and answers as `take` does."""
        ...

    def receive_failed(self, error: Exception, /) -> Answer[_T_co]:
        """Answers as `take` does when the wait or `read` has raised one of `receive_errors`."""
        ...

    receive_errors: tuple[type[Exception], ...]

    def uncork(self) -> None:
        """Sends what was held back: something else than a packet of this source is about to be
        waited for.
        """


def drive(
    handle: Callable[[_SourceT], AsyncGenerator[Any, Any]], source: _SourceT, *, once: bool = False
) -> Generator[Any, Any, Outcome]:
    """Drives the generators of ``handle(source)``, one after the other, each to its end.

    It goes on to the next one after `Outcome.FINISHED` only, and not if ``once`` is true.
    `Outcome.CANCELLED` leaves open whether a scope inside the generator was cancelled, or the
    generator has swallowed what was meant for the caller; the next one would do the same, and so
    on. While ``source.is_over``, a generator that goes on after a cancellation is closed at the
    next one, because there would be no end to them. What leaves a generator leaves here. In every
    case all that were started have ended.
    """
    set_hook, loop_hook = sys.set_asyncgen_hooks, sys.get_asyncgen_hooks().firstiter
    while True:
        generator = handle(source)
        # Event loops register each generator at its first step, to close those that are abandoned.
        # None is abandoned here, and it costs too much.
        set_hook(None)
        try:
            step: Any = generator.asend(None)
        finally:
            set_hook(loop_hook)
        started = cancelled = False
        while True:
            try:
                if not source.corked:
                    yielded = yield from step  # pyright: ignore[reportUnknownVariableType]  # whatever users yield
                else:
                    try:
                        trap = step.send(None)
                    except StopIteration as stop:
                        yielded = stop.value
                    else:
                        source.uncork()  # before the handler's own wait reaches the event loop
                        yielded = yield from _resume(step, trap)
            except StopAsyncIteration:
                break
            finally:
                # It has the error, whose traceback has this frame: a cycle would keep all that a
                # bad packet was.
                del step
            started = True
            try:
                packet = source.take(yielded)
                while packet is NEED_DATA:
                    try:
                        yield from source.until_readable()
                        packet = source.read()
                    except source.receive_errors as exc:
                        packet = source.receive_failed(exc)
            except BaseException as exc:  # cancellation too: the generator is where the user's code waits
                if not isinstance(exc, Exception):
                    if cancelled and source.is_over:
                        yield from _close(generator).__await__()
                        return Outcome.CANCELLED
                    cancelled = True
                step = generator.athrow(exc)
            else:
                if packet is END:
                    yield from _close(generator).__await__()
                    return Outcome.END
                step = generator.asend(packet)
        if not started:
            return Outcome.NOT_STARTED
        if cancelled:
            return Outcome.CANCELLED
        if once or source.closed:
            return Outcome.FINISHED


def _resume(step: Any, trap: Any) -> Generator[Any, Any, Any]:
    """Awaits the rest of a step that was begun by hand and gave ``trap``."""
    while True:
        try:
            answer = yield trap
        except BaseException as exc:
            advance, argument = step.throw, exc
        else:
            advance, argument = step.send, answer
        try:
            trap = advance(argument)
        except StopIteration as stop:
            return stop.value
        finally:
            del argument  # an error has this frame in its traceback


async def _close(generator: AsyncGenerator[Any, Any]) -> None:
    try:
        try:
            await generator.aclose()
        except* GeneratorExit:
            pass  # wrapped by a task group that was open around the `yield`, so aclose() did not know it again
    except RuntimeError as exc:
        if exc.args == (_IGNORED_EXIT,):
            name = getattr(generator, "__qualname__", "the handler")
            exc.add_note(f"{name}() catches too much at a `yield`: let everything but `Exception` pass")
        raise
