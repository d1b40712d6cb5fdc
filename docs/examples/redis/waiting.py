# SPDX-License-Identifier: Apache-2.0
"""Clients that wait for an item of a list. They are served in the order in which they came."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress

import anyio

from resp import RespError
from store import Store


class Waiter:
    """One client that waits.

    Args:
        keys: the lists, the first of which has precedence.
        seconds: how long it waits; zero is for ever.
    """

    def __init__(self, keys: Iterable[bytes], seconds: float) -> None:
        self.keys = list(dict.fromkeys(keys))
        self.found: tuple[bytes, bytes] | None = None
        """The key and the item, once there is one."""

        deadline = anyio.current_time() + seconds if seconds else math.inf
        self.scope = anyio.CancelScope(deadline=deadline)
        """What the client does in it ends when an item is found, or the time is up."""

    def give(self, key: bytes, item: bytes) -> None:
        self.found = (key, item)
        self.scope.cancel()


class Waiters:
    """All that wait for the lists of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # A dictionary is a queue from whose middle one can leave.
        self._queues: dict[bytes, dict[Waiter, None]] = {}

    def take(self, keys: Iterable[bytes]) -> tuple[bytes, bytes] | None:
        """Takes the head of the first list that has one; the key and the item.

        Raises:
            RespError: one of the keys has a value of another kind.
        """
        for key in keys:
            if (item := self._store.pop(key)) is not None:
                return key, item
        return None

    @contextmanager
    def wait(self, keys: Iterable[bytes], seconds: float) -> Generator[Waiter]:
        """Runs a block, as long as it likes, until there is an item or the time is up."""
        waiter = Waiter(keys, seconds)
        for key in waiter.keys:
            self._queues.setdefault(key, {})[waiter] = None
        try:
            with waiter.scope:
                yield waiter
        except BaseException:
            self._put_back(waiter)
            raise
        finally:
            self._leave(waiter)

    def serve(self, key: bytes) -> None:
        """Gives the items of a list to those who wait for it."""
        queue = self._queues.get(key, {})
        while queue and (item := self._store.pop(key)) is not None:
            waiter = next(iter(queue))
            self._leave(waiter)
            waiter.give(key, item)

    def _leave(self, waiter: Waiter) -> None:
        for key in waiter.keys:
            queue = self._queues.get(key, {})
            queue.pop(waiter, None)
            if not queue:
                self._queues.pop(key, None)

    def _put_back(self, waiter: Waiter) -> None:
        # The client has left just when its item came: the next one gets it.
        if waiter.found is not None:
            key, item = waiter.found
            with suppress(RespError):  # the key has got another kind of value
                self._store.push(key, [item])
                self.serve(key)
