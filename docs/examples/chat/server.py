# SPDX-License-Identifier: Apache-2.0
"""The server of a chat: ``python server.py --port 9100``. Ctrl-C or SIGTERM ends it."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

import anyio
from anyio.abc import TaskGroup

from easynetwork.exceptions import PacketConversionError, StreamProtocolParseError
from easynetwork.lowlevel.request_handler import RecvParams
from easynetwork.servers import AsyncTCPNetworkServer
from easynetwork.servers.abc import AbstractAsyncNetworkServer
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler
from messages import (
    REQUEST_LIMIT,
    Event,
    Login,
    Members,
    Notice,
    Refused,
    Request,
    Said,
    Say,
    Tell,
    Told,
    Who,
)
from messages import server_protocol as protocol
from room import Member, Room

LOOPS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "asyncio": ("asyncio", {}),
    "uvloop": ("asyncio", {"use_uvloop": True}),
    "trio": ("trio", {}),
}
"""What `anyio.run` wants to hear, by the name of the event loop."""

_Client = AsyncStreamClient[Event]


@dataclass(frozen=True, kw_only=True)
class Limits:
    login_seconds: float = 10.0
    members: int = 100
    waiting_events: int = 200


class ChatHandler(AsyncStreamRequestHandler[Request, Event]):
    """Lets clients in, and passes on what they say."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._room = Room(limits.members)
        self._members: dict[_Client, Member] = {}

    async def service_init(self, exit_stack: AsyncExitStack, server: Any) -> None:
        self._tasks: TaskGroup = await exit_stack.enter_async_context(anyio.create_task_group())

    async def on_connection(self, client: _Client) -> AsyncGenerator[RecvParams, Request]:
        try:
            request = yield RecvParams(timeout=self._limits.login_seconds)
            self._admit(client, request)
        except TimeoutError:
            why = f"no login within {self._limits.login_seconds:g} seconds"
        except StreamProtocolParseError as exc:
            why = complaint(exc)
        except ValueError as exc:
            why = str(exc)
        else:
            return
        await client.send_packet(Refused(why))
        await client.aclose()

    def _admit(self, client: _Client, request: Request) -> None:
        if not isinstance(request, Login):
            raise ValueError("the first line is: login NAME")
        member = Member(request.name, client, self._limits.waiting_events)
        self._room.enter(member)
        self._members[client] = member
        self._tasks.start_soon(member.deliver)

    async def handle(self, client: _Client) -> AsyncGenerator[None, Request]:
        member = self._members[client]
        try:
            request = yield
        except StreamProtocolParseError as exc:
            self._room.send(member, Notice(complaint(exc)))
        else:
            self._answer(member, request)
        # A thousand lines may have come at once: the members' tasks send before the next is queued.
        await client.backend().coro_yield()

    def _answer(self, member: Member, request: Request) -> None:
        match request:
            case Say(text):
                self._room.say(Said(member.name, text))
            case Tell(name, text):
                if (other := self._room.find(name)) is not None:
                    self._room.send(other, Told(member.name, text))
                else:
                    self._room.send(member, Notice(f"nobody here is called {name}"))
            case Who():
                self._room.send(member, Members(" ".join(self._room.names())))
            case Login():
                self._room.send(member, Notice(f"you are {member.name} already"))

    async def on_disconnection(self, client: _Client) -> None:
        member = self._members.pop(client, None)
        if member is not None:
            self._room.leave(member, "bye")
            await member.finish()


def complaint(error: StreamProtocolParseError) -> str:
    if isinstance(error.error, PacketConversionError):
        return str(error.error)
    return f"a line is UTF-8 text of at most {REQUEST_LIMIT} bytes"


async def shut_down_at_signal(server: AbstractAsyncNetworkServer, is_up: anyio.Event) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        await is_up.wait()  # a server that does not run yet cannot be shut down
        async for _ in signals:
            await server.shutdown()


async def serve(address: tuple[str, int], limits: Limits) -> None:
    server = AsyncTCPNetworkServer(*address, protocol(), ChatHandler(limits))
    async with server, anyio.create_task_group() as tasks:
        is_up = anyio.Event()
        tasks.start_soon(shut_down_at_signal, server, is_up)
        await server.serve_forever(is_up_event=is_up)
        tasks.cancel_scope.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(description="The server of a chat.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9100, help="0 takes a free one, see the log")
    parser.add_argument("--loop", choices=LOOPS, default="asyncio", help="the event loop")
    parser.add_argument("--login-seconds", type=float, default=Limits.login_seconds)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    backend, options = LOOPS[arguments.loop]
    limits = Limits(login_seconds=arguments.login_seconds)
    address = (arguments.host, arguments.port)
    try:
        anyio.run(serve, address, limits, backend=backend, backend_options=options)
    except OSError as exc:
        sys.exit(f"{parser.prog}: {exc.strerror or exc}")


if __name__ == "__main__":
    main()
