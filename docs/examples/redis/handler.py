# SPDX-License-Identifier: Apache-2.0
"""Answers the commands of each connection, in their order."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

import anyio
from anyio.abc import TaskGroup

from commands import OK, Call, Commands
from easynetwork.exceptions import StreamProtocolParseError
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler
from pubsub import Channels, Subscriber
from resp import NULL_ARRAY, Command, Reply, RespError
from store import Store
from waiting import Waiter, Waiters

_Client = AsyncStreamClient[Reply]

Waiting = AbstractContextManager[Waiter]

WHILE_SUBSCRIBED: Final = (b"SUBSCRIBE", b"UNSUBSCRIBE", b"PING", b"QUIT")


@dataclass(frozen=True, kw_only=True)
class Limits:
    store_bytes: int = 64 * 1024 * 1024
    subscriber_bytes: int = 4 * 1024 * 1024
    """Of messages that wait for one subscriber."""


class RedisHandler(AsyncStreamRequestHandler[Command, Reply]):
    def __init__(self, limits: Limits) -> None:
        store = Store(limits.store_bytes)
        self._limits = limits
        self._waiters = Waiters(store)
        self._commands = Commands(store, self._waiters)
        self._channels = Channels()
        self._subscribers: dict[_Client, Subscriber] = {}

    async def service_init(self, exit_stack: AsyncExitStack, server: Any) -> None:
        self._tasks: TaskGroup = await exit_stack.enter_async_context(anyio.create_task_group())

    async def handle(self, client: _Client) -> AsyncGenerator[None, Command]:
        early: Command = []
        try:
            while not client.is_closing():
                command = early or (yield)
                early = []
                waiting = await self._answer(client, command)
                if waiting is not None:
                    with waiting as waiter:
                        # If the client leaves, it is here that this generator is closed. If it
                        # sends its next command already, that has to wait.
                        early = yield
                        await anyio.sleep_forever()
                    await client.send_packet(waiter.found or NULL_ARRAY)
        except StreamProtocolParseError as exc:
            await client.send_packet(RespError(f"ERR Protocol error: {exc.error}"))
            await client.aclose()

    async def on_disconnection(self, client: _Client) -> None:
        subscriber = self._subscribers.pop(client, None)
        if subscriber is not None:
            self._channels.leave(subscriber)

    async def _answer(self, client: _Client, command: Command) -> Waiting | None:
        """Answers a command, or returns what the client has to do before."""
        if not command:
            return None
        try:
            call = self._commands.check(command)
            if self._is_subscribed(client) and call.name not in WHILE_SUBSCRIBED:
                raise RespError("ERR this command is not for clients that have subscribed")
            return await self._execute(client, call)
        except RespError as exc:
            await client.send_packet(exc)
            return None

    async def _execute(self, client: _Client, call: Call) -> Waiting | None:
        match call:
            case Call(b"BLPOP", [*keys, text]):
                seconds = _timeout(text)
                found = self._waiters.take(keys)
                if found is None:
                    return self._waiters.wait(keys, seconds)
                await client.send_packet(found)
            case Call(b"PUBLISH", [channel, text]):
                await client.send_packet(self._channels.publish(channel, text))
                # Many may have come at once: subscribers get their turn before the next one.
                await client.backend().coro_yield()
            case Call(b"SUBSCRIBE", channels):
                await self._subscribe(client, channels)
            case Call(b"UNSUBSCRIBE", channels):
                await self._unsubscribe(client, channels)
            case Call(b"PING", arguments) if self._is_subscribed(client):
                await client.send_packet([b"pong", *(arguments or [b""])])
            case Call(b"QUIT"):
                await client.send_packet(OK)
                await client.aclose()
            case _:
                await client.send_packet(self._commands.answer(call))
        return None

    async def _subscribe(self, client: _Client, channels: list[bytes]) -> None:
        subscriber = self._subscriber(client)
        for channel in channels:
            # Packets leave in the order in which they are given: messages follow this one.
            self._channels.subscribe(subscriber, channel)
            await client.send_packet([b"subscribe", channel, len(subscriber.channels)])

    async def _unsubscribe(self, client: _Client, channels: list[bytes]) -> None:
        subscriber = self._subscriber(client)
        channels = channels or list(subscriber.channels)
        if not channels:
            await client.send_packet([b"unsubscribe", None, 0])
        for channel in channels:
            self._channels.unsubscribe(subscriber, channel)
            await client.send_packet([b"unsubscribe", channel, len(subscriber.channels)])

    def _subscriber(self, client: _Client) -> Subscriber:
        subscriber = self._subscribers.get(client)
        if subscriber is None:
            subscriber = Subscriber(client, self._limits.subscriber_bytes)
            self._subscribers[client] = subscriber
            self._tasks.start_soon(subscriber.deliver)
        return subscriber

    def _is_subscribed(self, client: _Client) -> bool:
        subscriber = self._subscribers.get(client)
        return subscriber is not None and bool(subscriber.channels)


def _timeout(text: bytes) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise RespError("ERR timeout is not a float or out of range")
    if seconds < 0:
        raise RespError("ERR timeout is negative")
    return seconds
