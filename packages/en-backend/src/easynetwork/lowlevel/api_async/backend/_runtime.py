# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ...fair_lock import FairLock
from ._operations import Cancellation, Synchronization, Tasks, Threads
from ._sync import ILock

__all__ = ("Runtime",)


class Runtime(Tasks, Cancellation, Synchronization, Threads):
    """What a stream, a listener or a lock may ask of an event loop: tasks, clock, scopes, events,
    locks and threads, but no sockets.

    Except for `bootstrap` and the creation of locks and events, everything needs the event loop to
    be running. It keeps no state of its own: one instance serves every event loop of its kind, in
    every thread.
    """

    def create_fair_lock(self) -> ILock:
        """Makes a lock that is handed over in the order of the requests, cheap enough to be taken
        for each packet.

        It does not suspend while it is free, and does not know its owner: a task that takes it
        twice waits for itself.
        """
        return FairLock(self)
