# SPDX-License-Identifier: Apache-2.0
"""A key-value store over UDP: ``python server.py --port 9200``. Ctrl-C or SIGTERM ends it."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Final

import anyio

from easynetwork.exceptions import DatagramProtocolParseError, PacketConversionError
from easynetwork.servers import AsyncUDPNetworkServer
from easynetwork.servers.abc import AbstractAsyncNetworkServer
from easynetwork.servers.handlers import AsyncDatagramClient, AsyncDatagramRequestHandler
from messages import Answer, CompareAndSet, Delete, Failure, Get, Request, Set, server_protocol
from store import GivenAnswers, Store, StoreFullError

LOOPS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "asyncio": ("asyncio", {}),
    "uvloop": ("asyncio", {"use_uvloop": True}),
    "trio": ("trio", {}),
}
"""What `anyio.run` wants to hear, by the name of the event loop."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    keys: int = 10_000
    answers: int = 20_000
    answer_seconds: float = 60.0
    """Longer than any client goes on asking."""


class KeyValueHandler(AsyncDatagramRequestHandler[Request, Answer | Failure]):
    """Answers every datagram that has an id, and no other."""

    def __init__(self, limits: Limits) -> None:
        self._store = Store(limits.keys)
        self._given = GivenAnswers(limits.answers, limits.answer_seconds)

    async def handle(
        self, client: AsyncDatagramClient[Answer | Failure]
    ) -> AsyncGenerator[None, Request]:
        answer: Answer | Failure | None
        try:
            request = yield
        except DatagramProtocolParseError as exc:
            answer = refusal(exc)
        else:
            answer = self._answer(request)
        if answer is not None:
            await client.send_packet(answer)

    def _answer(self, request: Request) -> Answer | Failure:
        if isinstance(request.command, Get):  # to read twice does no harm
            return Answer(request.id, self._store.get(request.command.key))
        given = self._given.find(request.id)
        if given is not None:
            return given
        if self._given.are_full():
            return Failure(request.id, "busy", "too many changes at once")
        answer = self._change(request.id, request.command)
        self._given.keep(answer)
        return answer

    def _change(self, number: str, command: Set | Delete | CompareAndSet) -> Answer | Failure:
        before = self._store.get(command.key)
        try:
            match command:
                case CompareAndSet(expected=expected) if before != expected:
                    return Failure(number, "conflict", "the key has another value")
                case Set(key, value, seconds) | CompareAndSet(key, _, value, seconds):
                    self._store.set(key, value, seconds)
                case Delete(key):
                    self._store.delete(key)
        except StoreFullError:
            return Failure(number, "full", "there is no place for another key")
        return Answer(number, before)


def refusal(error: DatagramProtocolParseError) -> Failure | None:
    """The answer to a datagram that makes no sense, if it tells whose."""
    match error.error:
        case PacketConversionError(error_info=str(number)):
            return Failure(number, "bad-request", str(error.error))
        case _:
            return None


async def shut_down_at_signal(server: AbstractAsyncNetworkServer, is_up: anyio.Event) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        await is_up.wait()  # a server that does not run yet cannot be shut down
        async for _ in signals:
            await server.shutdown()


async def serve(address: tuple[str, int], limits: Limits) -> None:
    server = AsyncUDPNetworkServer(*address, server_protocol(), KeyValueHandler(limits))
    async with server, anyio.create_task_group() as tasks:
        is_up = anyio.Event()
        tasks.start_soon(shut_down_at_signal, server, is_up)
        await server.serve_forever(is_up_event=is_up)
        tasks.cancel_scope.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(description="A key-value store over UDP.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9200, help="0 takes a free one, see the log")
    parser.add_argument("--loop", choices=LOOPS, default="asyncio", help="the event loop")
    parser.add_argument("--keys", type=int, default=Limits.keys, help="how many there may be")
    parser.add_argument("--answers", type=int, default=Limits.answers, help="how many are kept")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    backend, options = LOOPS[arguments.loop]
    address = (arguments.host, arguments.port)
    limits = Limits(keys=arguments.keys, answers=arguments.answers)
    try:
        anyio.run(serve, address, limits, backend=backend, backend_options=options)
    except OSError as exc:
        sys.exit(f"{parser.prog}: {exc.strerror or exc}")


if __name__ == "__main__":
    main()
