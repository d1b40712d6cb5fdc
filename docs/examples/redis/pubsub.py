# SPDX-License-Identifier: Apache-2.0
"""Who has subscribed to what, and the messages on their way. Publishing waits for nobody."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import Final

import anyio

from easynetwork.servers.handlers import AsyncStreamClient
from resp import Reply, RespError

CHANNELS: Final = 1000
"""That one client may subscribe to."""

CHANNEL_BYTES: Final = 1000
"""Of the name of a channel."""

OVERHEAD: Final = 200
"""Bytes that a message takes beside what is in it."""


class Subscriber:
    """One client's channels, with a bounded queue of messages that one task sends.

    Args:
        max_bytes: of messages that wait.
    """

    def __init__(self, client: AsyncStreamClient[Reply], max_bytes: int) -> None:
        self.channels: dict[bytes, None] = {}
        self._client = client
        self._max_bytes = max_bytes
        self._waiting: deque[tuple[bytes, bytes]] = deque()
        self._waiting_bytes = 0
        self._changed = anyio.Event()
        self._delivery = anyio.CancelScope()
        self._too_slow = False

    def post(self, channel: bytes, text: bytes) -> bool:
        """Queues a message; False if there is no place."""
        size = _size(channel, text)
        if self._waiting_bytes + size > self._max_bytes:
            return False
        self._waiting.append((channel, text))
        self._waiting_bytes += size
        self._changed.set()
        return True

    def forget(self, channel: bytes) -> None:
        """Throws away the messages of a channel that have not been sent."""
        self._waiting = deque(message for message in self._waiting if message[0] != channel)
        self._waiting_bytes = sum(_size(*message) for message in self._waiting)

    async def deliver(self) -> None:
        """Sends messages, until it is told to stop, or the client cannot be reached."""
        with self._delivery, suppress(OSError):
            while True:
                while self._waiting:
                    channel, text = self._waiting.popleft()
                    self._waiting_bytes -= _size(channel, text)
                    await self._client.send_packet([b"message", channel, text])
                await self._changed.wait()
                self._changed = anyio.Event()
        if self._too_slow:
            # An orderly close waits for the peer, and this one reads nothing. A cancelled close
            # resets the connection.
            with anyio.CancelScope() as now:
                now.cancel()
                await self._client.aclose()

    def stop(self) -> None:
        self._delivery.cancel()

    def drop(self) -> None:
        """Gives the connection up."""
        self._too_slow = True
        self.stop()


class Channels:
    """The subscribers of each channel that has some."""

    def __init__(self) -> None:
        self._subscribers: dict[bytes, dict[Subscriber, None]] = {}

    def subscribe(self, subscriber: Subscriber, channel: bytes) -> None:
        """Adds a subscriber.

        Raises:
            RespError: the name is too long, or the subscriber has too many of them.
        """
        if len(channel) > CHANNEL_BYTES:
            raise RespError(f"ERR the name of a channel has {CHANNEL_BYTES} bytes at most")
        if channel not in subscriber.channels and len(subscriber.channels) == CHANNELS:
            raise RespError(f"ERR a client may subscribe to {CHANNELS} channels")
        subscriber.channels[channel] = None
        self._subscribers.setdefault(channel, {})[subscriber] = None

    def unsubscribe(self, subscriber: Subscriber, channel: bytes) -> None:
        if channel in subscriber.channels:
            del subscriber.channels[channel]
            subscriber.forget(channel)
            del self._subscribers[channel][subscriber]
            if not self._subscribers[channel]:
                del self._subscribers[channel]

    def leave(self, subscriber: Subscriber) -> None:
        for channel in list(subscriber.channels):
            self.unsubscribe(subscriber, channel)
        subscriber.stop()

    def publish(self, channel: bytes, text: bytes) -> int:
        """Returns how many get the message. Who has too many waiting already is dropped."""
        subscribers = list(self._subscribers.get(channel, {}))
        late = [subscriber for subscriber in subscribers if not subscriber.post(channel, text)]
        for subscriber in late:
            subscriber.drop()
            self.leave(subscriber)
        return len(subscribers) - len(late)


def _size(channel: bytes, text: bytes) -> int:
    return len(channel) + len(text) + OVERHEAD
