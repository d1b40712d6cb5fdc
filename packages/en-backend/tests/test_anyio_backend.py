# SPDX-License-Identifier: Apache-2.0
"""Names and what is optional; the tasks have their examination (`test_check_tasks`)."""

from __future__ import annotations

import socket

import anyio
import pytest

from easynetwork.exceptions import UnsupportedOperation
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend

pytestmark = pytest.mark.anyio


async def test_numeric_addresses_need_no_thread(backend: AsyncBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anyio.to_thread, "run_sync", None)

    infos = await backend.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)

    assert [info[4] for info in infos] == [("127.0.0.1", 80)]


async def test_names_are_resolved(backend: AsyncBackend) -> None:
    infos = await backend.getaddrinfo("localhost", 80, family=socket.AF_INET, type=socket.SOCK_STREAM)

    assert ("127.0.0.1", 80) in [info[4] for info in infos]
    assert await backend.getnameinfo(("127.0.0.1", 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV) == (
        "127.0.0.1",
        "80",
    )


async def test_unknown_names_are_os_errors(backend: AsyncBackend) -> None:
    with pytest.raises(socket.gaierror):
        await backend.getaddrinfo("not a name", 80)


async def test_unix_sockets_are_optional(backend: AsyncBackend) -> None:
    with pytest.raises(UnsupportedOperation, match="MemoryBackend"):
        await backend.create_unix_stream_listener("/nowhere", 1)
