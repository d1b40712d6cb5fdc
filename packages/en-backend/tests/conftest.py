# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NoReturn, TypeVar, TypeVarTuple

import anyio
import pytest
import trio.lowlevel

from easynetwork.lowlevel.api_async.backend.anyio_backend import AnyIOBackend

Args = TypeVarTuple("Args")
T = TypeVar("T")


class BareBackend(AnyIOBackend):
    """What anyio gives on both of its event loops, with as little as possible added."""

    def bootstrap(
        self,
        coro_func: Callable[[*Args], Coroutine[Any, Any, T]],
        *args: *Args,
        runner_options: Mapping[str, Any] | None = None,
    ) -> T:
        return anyio.run(coro_func, *args, **(runner_options or {}))

    def thread_safe_call_soon(self) -> Callable[[Callable[[], object]], object]:
        try:
            token = trio.lowlevel.current_trio_token()
        except RuntimeError:
            return asyncio.get_running_loop().call_soon_threadsafe
        return lambda func: token.run_sync_soon(contextvars.copy_context().run, func)

    async def create_tcp_connection(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError

    async def create_tcp_listeners(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError

    async def wrap_stream_socket(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError

    async def create_udp_endpoint(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError

    async def create_udp_listeners(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError

    async def wrap_connected_datagram_socket(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError


@pytest.fixture
def backend() -> AnyIOBackend:
    return BareBackend()
