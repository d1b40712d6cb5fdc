# SPDX-License-Identifier: Apache-2.0
"""Generators that are stepped in two ways, and all that their code, their caller and their task
have seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import socket
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import coroutine
from typing import Any, NamedTuple

from easynetwork.backends.asyncio.watch import AsyncIOSocketWatch

where: contextvars.ContextVar[str] = contextvars.ContextVar("where", default="nowhere")

Steps = Generator[Any, Any, Any]


@coroutine
def run_plainly(steps: Steps) -> Steps:
    """Does what `run_steps` does, in the task alone."""
    return (yield from steps)


def waiting_for(awaitable: Awaitable[Any]) -> Steps:
    """An ``await`` in a generator."""
    return (yield from awaitable.__await__())


def current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


def is_run_by_task() -> bool:
    """Whether the frame of the running task's coroutine is among those that have led here."""
    coroutine: Any = current_task().get_coro()
    frame = inspect.currentframe()
    while frame is not None and frame is not coroutine.cr_frame:
        frame = frame.f_back
    return frame is not None


async def let_others_run() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class Connection:
    """A socket, whose peer sends when it is told to."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self.watch = AsyncIOSocketWatch(asyncio.get_running_loop(), self._ours.fileno())

    def close(self) -> None:
        self.watch.stop(ConnectionAbortedError("closed"))
        self._ours.close()
        self._theirs.close()

    def send(self) -> None:
        self._theirs.send(b"x")

    def until_received(self, deadline: float | None = None) -> Steps:
        """A wait for one byte."""
        yield from self.watch.until_readable(deadline)
        self._ours.recv(1)


class World:
    """Two connections to wait for, and what the steps have seen."""

    def __init__(self) -> None:
        self.connection, self.other = Connection(), Connection()
        self.seen: list[Any] = []
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def close(self) -> None:
        self.connection.close()
        self.other.close()

    def until_received(self) -> Steps:
        return self.connection.until_received()

    def trying(self, steps: Steps) -> Steps:
        """Writes down how ``steps`` end, and goes on; also with a cancellation, and how many the
        task has then.
        """
        try:
            how: Any = yield from steps
        except BaseException as exc:
            how = (type(exc), *exc.args)
        self.seen.append((how, current_task().cancelling()))


Scenario = Callable[[World], Steps]
Outside = Callable[[World, asyncio.Task[Any]], Coroutine[Any, Any, None]]


class Outcome(NamedTuple):
    """What all concerned have seen."""

    seen: list[Any]
    result: Any
    error: tuple[Any, ...] | None
    was_cancelled: bool
    cancellations: int


async def send_thrice(world: World, task: asyncio.Task[Any]) -> None:
    """Lets the steps go on whenever they wait for a socket."""
    for _ in range(3):
        await let_others_run()
        world.connection.send()
        await let_others_run()
        world.other.send()


async def outcome_of(
    run: Callable[[Steps], Awaitable[Any]],
    scenario: Scenario,
    outside: Outside = send_thrice,
    create_task: Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]] = asyncio.create_task,
) -> Outcome:
    with contextlib.closing(World()) as world:

        async def main() -> Any:
            where.set("inside")
            current_task().set_name("stepped")
            return await run(scenario(world))

        task = create_task(main())
        await outside(world, task)
        await let_others_run()
        assert task.done(), world.seen
        error = None if task.cancelled() else task.exception()
        result = None if task.cancelled() or error is not None else task.result()
        what = None if error is None else (type(error), *error.args)
        return Outcome(world.seen, result, what, task.cancelled(), task.cancelling())
