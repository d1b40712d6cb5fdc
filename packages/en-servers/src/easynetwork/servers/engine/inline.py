# SPDX-License-Identifier: Apache-2.0
"""Running a coroutine in a task that would rather do something else, should it have to wait.

Most handlers of datagrams never wait: they parse, and send an answer that the kernel takes at once. A task for each of them would cost more than all
the rest. So whoever has received a datagram runs its handler too, and is replaced as the receiver only when the handler waits for the first time.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

__all__ = ("run_in_context",)

_T = TypeVar("_T")


@coroutine
def run_in_context(
    coro: Coroutine[Any, Any, _T], context: contextvars.Context, before_waiting: Callable[[], object]
) -> Generator[Any, Any, _T]:
    """Awaits ``coro``, each step of it in ``context``; ``before_waiting`` is called once, before it suspends for the first time."""
    run = context.run
    try:
        trap = run(coro.send, None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]  # a coroutine's result, which the exception does not know
    before_waiting()
    while True:
        try:
            answer = yield trap
        except BaseException as exc:
            step: Callable[..., Any] = coro.throw
            argument: Any = exc
        else:
            step, argument = coro.send, answer
        try:
            trap = run(step, argument)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]  # as above
