# SPDX-License-Identifier: Apache-2.0
"""The executable half of `AsyncBackend`, without its sockets: tasks, cancellation, time, locks and
threads.
"""

from __future__ import annotations

from ..api_async.backend.abc import AsyncBackend
from ._portal_rules import PORTAL_RULES
from ._rules import named
from ._scope_rules import SCOPE_RULES
from ._sync_rules import SYNC_RULES
from ._task_rules import TASK_RULES
from ._thread_rules import THREAD_RULES

__all__ = ("check_tasks",)


async def check_tasks(backend: AsyncBackend, *, threads_portal: bool = True) -> None:
    """Examines ``backend`` in its running event loop.

    A rule that is not kept raises, and is named in a note on the exception.

    Args:
        threads_portal: False passes over `AsyncBackend.create_threads_portal`, for an event loop
            that other threads cannot reach.
    """
    portal_rules = PORTAL_RULES if threads_portal else ()
    for rule in (*SCOPE_RULES, *TASK_RULES, *SYNC_RULES, *THREAD_RULES, *portal_rules):
        with named(rule):
            await rule(backend)
