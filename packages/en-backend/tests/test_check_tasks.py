# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from easynetwork.lowlevel.api_async.backend.abc import CancelScope
from easynetwork.lowlevel.testing import MemoryBackend, check_tasks

pytestmark = pytest.mark.anyio


async def test_what_anyio_gives_passes_on_both_of_its_loops(backend: MemoryBackend) -> None:
    await check_tasks(backend)


async def test_a_rule_that_is_not_kept_is_named() -> None:
    class Impatient(MemoryBackend):
        def move_on_after(self, delay: float) -> CancelScope:
            return self.open_cancel_scope(deadline=self.current_time() - 1)

        async def sleep(self, delay: float) -> None:
            await self.coro_yield()

    with pytest.raises(AssertionError) as caught:
        await check_tasks(Impatient())

    assert caught.value.__notes__ == ["in the check 'time_goes_on'"]


async def test_the_portal_can_be_passed_over() -> None:
    class Unreachable(MemoryBackend):
        def create_threads_portal(self) -> None:  # type: ignore[override]  # for a loop that has none
            raise AssertionError("not asked for")

    await check_tasks(Unreachable(), threads_portal=False)
