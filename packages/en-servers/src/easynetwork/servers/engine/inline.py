# SPDX-License-Identifier: Apache-2.0
"""Running conversations in a task that would rather do something else, should one of them have to wait.

Most handlers of datagrams never wait: they parse, and send an answer that the kernel takes at once. A task for each of them would cost more than all
the rest. So whoever has received a datagram runs its handler too, and is replaced as the receiver only when the handler waits for the first time.

All conversations of a task run in one `conversations` generator, which is stepped by hand, because each has a context of its own. It says `DONE` instead
of returning: an exception and a new coroutine for each datagram would double the price of the step.
"""

from __future__ import annotations

import contextvars
import enum
from collections.abc import Awaitable, Callable, Generator
from types import coroutine
from typing import Any, Final, TypeVar

__all__ = ("DONE", "conversations", "finish")

_T = TypeVar("_T")


class _Answer(enum.Enum):
    DONE = "the conversation has ended"


DONE: Final = _Answer.DONE
"""What a step of `conversations` gives when there is nothing to wait for. Everything else is what the event loop has to be told."""


def conversations(hold: Callable[[_T], Awaitable[object]]) -> Generator[Any, Any, None]:
    """Holds one conversation after another: each is begun by sending in whom with, and ends with `DONE`. The first step, with None, is `DONE` too."""
    peer: _T = yield DONE
    while True:
        yield from hold(peer).__await__()
        peer = yield DONE


@coroutine
def finish(talks: Generator[Any, Any, None], context: contextvars.Context, trap: Any) -> Generator[Any, Any, None]:
    """Awaits the end of a conversation whose last step gave ``trap``, each step in ``context``."""
    while trap is not DONE:
        try:
            answer = yield trap
        except BaseException as exc:
            trap = context.run(talks.throw, exc)
        else:
            trap = context.run(talks.send, answer)
