# SPDX-License-Identifier: Apache-2.0
"""The interface between easynetwork and an event loop.

A third party adds one by implementing `AsyncBackend`.
"""

from __future__ import annotations

from ._runtime import Runtime
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
    "Runtime",
    "Task",
    "TaskGroup",
    "TaskInfo",
    "ThreadsPortal",
)


class AsyncBackend(Runtime, NameResolution, StreamSockets, DatagramSockets, UnixSockets):
    """All that easynetwork asks of an event loop, and what request handlers get from
    ``client.backend()``.
    """
