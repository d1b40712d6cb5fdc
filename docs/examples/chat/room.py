# SPDX-License-Identifier: Apache-2.0
"""Who is in the chat, and what is to be sent to each of them. The room waits for nobody."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import Final

import anyio

from easynetwork.servers.handlers import AsyncStreamClient
from messages import Event, Joined, Left

FAREWELL_SECONDS: Final = 2.0
"""How long a member that leaves may take to read what was said before."""


class Member:
    """One who has logged in, with a bounded queue of events that one task sends.

    Args:
        capacity: events that may wait.
    """

    def __init__(self, name: str, client: AsyncStreamClient[Event], capacity: int) -> None:
        self.name = name
        self._client = client
        self._capacity = capacity
        self._waiting: deque[Event] = deque()
        self._leaving = False
        self._changed = anyio.Event()
        self._delivery = anyio.CancelScope()
        self._delivered = anyio.Event()

    def post(self, event: Event) -> bool:
        """Queues an event; False if the queue is full."""
        if len(self._waiting) == self._capacity:
            return False
        self._waiting.append(event)
        self._changed.set()
        return True

    async def deliver(self) -> None:
        """Sends what is posted, until the member leaves, is dropped, or cannot be reached."""
        with self._delivery, suppress(OSError):
            while self._waiting or not self._leaving:
                if self._waiting:
                    await self._client.send_packet(self._waiting.popleft())
                else:
                    await self._changed.wait()
                    self._changed = anyio.Event()
        self._delivered.set()
        if self._delivery.cancel_called:
            # An orderly close waits for the peer, and this one reads nothing. A cancelled close
            # resets the connection.
            with anyio.CancelScope() as now:
                now.cancel()
                await self._client.aclose()

    async def finish(self) -> None:
        """Waits, for a limited time, until everything is sent."""
        self._leaving = True
        self._changed.set()
        with anyio.move_on_after(FAREWELL_SECONDS):
            await self._delivered.wait()
        self.drop()

    def drop(self) -> None:
        """Gives the connection up, if it is still used."""
        if not self._delivered.is_set():
            self._delivery.cancel()


class Room:
    """The members, each under a name of its own.

    Args:
        capacity: members that there may be.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._members: dict[str, Member] = {}

    def enter(self, member: Member) -> None:
        """Lets a member in and tells everybody.

        Raises:
            ValueError: there is no place, or one with this name is there.
        """
        if len(self._members) == self._capacity:
            raise ValueError("the room is full")
        if member.name in self._members:
            raise ValueError(f"the name {member.name} is taken")
        self._members[member.name] = member
        self.say(Joined(member.name))

    def leave(self, member: Member, why: str) -> None:
        """Tells everybody else that a member is gone, once."""
        if self._members.get(member.name) is member:
            del self._members[member.name]
            self.say(Left(member.name, why))

    def names(self) -> list[str]:
        return sorted(self._members)

    def say(self, event: Event) -> None:
        """Tells everybody."""
        for member in list(self._members.values()):
            self.send(member, event)

    def send(self, member: Member, event: Event) -> None:
        """Tells one member, or drops it if too much is waiting for it already."""
        if not member.post(event):
            member.drop()
            self.leave(member, "it reads too slowly")

    def find(self, name: str) -> Member | None:
        return self._members.get(name)
