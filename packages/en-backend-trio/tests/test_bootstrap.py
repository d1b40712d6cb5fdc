# SPDX-License-Identifier: Apache-2.0
"""How programs run on trio, beyond what the suite of all backends asks for."""

from __future__ import annotations

import asyncio
import sys

import pytest
import trio
import trio.testing

from easynetwork.backends.trio import TrioBackend
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.api_async.backend.utils import ensure_backend, new_builtin_backend


def test_the_entry_point_leads_here() -> None:
    assert isinstance(new_builtin_backend("trio"), TrioBackend)


def test_the_running_loop_finds_its_backend() -> None:
    async def main() -> AsyncBackend:
        return ensure_backend(None)

    assert trio.run(main) is new_builtin_backend("trio")


def test_options_go_to_trio_run(backend: AsyncBackend) -> None:
    clock = trio.testing.MockClock(autojump_threshold=0)

    async def main() -> float:
        start = backend.current_time()
        with backend.move_on_after(1000):
            await backend.sleep_forever()
        return backend.current_time() - start

    assert backend.bootstrap(main, runner_options={"clock": clock}) == 1000


def test_unknown_options_are_refused(backend: AsyncBackend) -> None:
    with pytest.raises(TypeError, match="loop_factory"):
        backend.bootstrap(trio.lowlevel.checkpoint, runner_options={"loop_factory": asyncio.SelectorEventLoop})


def test_no_program_begins_where_asyncio_is_running(backend: AsyncBackend) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match=r"running.*asyncio"):
            backend.bootstrap(trio.lowlevel.checkpoint)

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(main())


def test_an_exit_out_of_nested_nurseries_keeps_its_status(backend: AsyncBackend) -> None:
    async def main() -> None:
        async with trio.open_nursery(), backend.create_task_group():
            sys.exit(3)

    with pytest.raises(SystemExit) as caught:
        backend.bootstrap(main)

    assert caught.value.code == 3


def test_an_error_out_of_a_nursery_is_a_group(backend: AsyncBackend) -> None:
    async def main() -> None:
        async with trio.open_nursery():
            raise LookupError("mine")

    with pytest.raises(ExceptionGroup) as caught:
        backend.bootstrap(main)

    assert caught.group_contains(LookupError, match="mine", depth=1)
