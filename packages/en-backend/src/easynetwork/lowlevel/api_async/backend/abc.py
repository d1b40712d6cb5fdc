# SPDX-License-Identifier: Apache-2.0
"""The interface between easynetwork and an event loop. A third party adds one by implementing `AsyncBackend`."""

from __future__ import annotations

from ...fair_lock import FairLock
from ._operations import Cancellation, Synchronization, Tasks, Threads
from ._scopes import CancelScope
from ._sockets import DatagramSockets, NameResolution, StreamSockets, UnixSockets
from ._sync import ICondition, IEvent, ILock
from ._tasks import Task, TaskGroup, TaskInfo
from ._threads import ThreadsPortal

__all__ = (
    "AsyncBackend",
    "CancelScope",
    "ICondition",
    "IEvent",
    "ILock",
    "Task",
    "TaskGroup",
    "TaskInfo",
    "ThreadsPortal",
)


class AsyncBackend(
    Tasks,
    Cancellation,
    Synchronization,
    NameResolution,
    Threads,
    StreamSockets,
    DatagramSockets,
    UnixSockets,
):
    """All that easynetwork asks of an event loop, and what request handlers get from ``client.backend()``.

    Except for `bootstrap` and the creation of locks and events, everything needs the event loop to be running.
    A backend keeps no state of its own: one instance serves every event loop of its kind, in every thread.
    """

    def create_fair_lock(self) -> ILock:
        """Makes a lock that is handed over in the order of the requests, cheap enough to be taken for each packet.

        It does not suspend while it is free, and does not know its owner: a task that takes it twice waits for itself.
        """
        return FairLock(self)
