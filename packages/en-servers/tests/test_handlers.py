# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from easynetwork.exceptions import UnsupportedOperation
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.servers.handlers import (
    AsyncDatagramClient,
    AsyncDatagramRequestHandler,
    AsyncStreamClient,
    AsyncStreamRequestHandler,
    INETClientAttribute,
    UNIXClientAttribute,
)

pytestmark = pytest.mark.anyio


class StreamHandler(AsyncStreamRequestHandler[str, str]):
    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
        yield


class DatagramHandler(AsyncDatagramRequestHandler[str, str]):
    async def handle(self, client: AsyncDatagramClient[str]) -> AsyncGenerator[None, str]:
        yield


class Client(AsyncStreamClient[str]):
    async def send_packet(self, packet: str, /) -> None: ...

    async def aclose(self) -> None: ...

    def is_closing(self) -> bool:
        return False

    def backend(self) -> AsyncBackend:
        raise AssertionError("not asked for")


@pytest.mark.parametrize("handler", [StreamHandler(), DatagramHandler()])
async def test_only_handle_has_to_be_written(handler: Any) -> None:
    async with contextlib.AsyncExitStack() as stack:
        await handler.service_init(stack, None)


async def test_the_hooks_of_streams_do_nothing() -> None:
    handler, client = StreamHandler(), Client()
    greeting = handler.on_connection(client)

    assert inspect.iscoroutine(greeting)
    await greeting
    await handler.on_disconnection(client)


@pytest.mark.parametrize(
    "cls", [AsyncStreamRequestHandler, AsyncDatagramRequestHandler, AsyncStreamClient, AsyncDatagramClient]
)
def test_interfaces_cannot_be_instantiated(cls: type) -> None:
    with pytest.raises(TypeError, match="abstract"):
        cls()


async def test_control_messages_are_optional() -> None:
    with pytest.raises(UnsupportedOperation):
        await Client().send_packet_with_ancillary("x", [])


def test_clients_have_attributes_of_their_own() -> None:
    inet = [INETClientAttribute.socket, INETClientAttribute.local_address, INETClientAttribute.remote_address]
    unix = [
        UNIXClientAttribute.socket,
        UNIXClientAttribute.local_name,
        UNIXClientAttribute.peer_name,
        UNIXClientAttribute.peer_credentials,
    ]

    assert len(set(map(id, inet + unix))) == 7
