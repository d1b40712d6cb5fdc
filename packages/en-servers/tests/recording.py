# SPDX-License-Identifier: Apache-2.0
"""A stream that remembers what it was given to send, as the kernel would see it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from easynetwork.lowlevel.api_async.backend.abc import Runtime
from easynetwork.lowlevel.streams import ByteStream

__all__ = ("RecordingStream",)


class RecordingStream(ByteStream):
    """Does what ``stream`` does.

    Args:
        stream: carries the bytes.
        sends: is given the bytes of each `send_nowait`, also of those that could not leave.
    """

    def __init__(self, stream: ByteStream, sends: list[bytes]) -> None:
        self._stream = stream
        self._sends = sends

    def receive_nowait(self, max_bytes: int) -> bytes | None:
        return self._stream.receive_nowait(max_bytes)

    def until_readable(self, deadline: float | None = None) -> Iterable[Any]:
        return self._stream.until_readable(deadline)

    def interrupt_receive(self, error: Exception) -> None:
        self._stream.interrupt_receive(error)

    def send_nowait(self, data: bytes | bytearray | memoryview) -> int:
        if self._has_sender:
            return 0
        self._sends.append(bytes(data))
        return self._stream.send_nowait(data)

    def until_writable(self) -> Iterable[Any]:
        return self._stream.until_writable()

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()

    def abort(self) -> None:
        self._stream.abort()

    def is_closing(self) -> bool:
        return self._stream.is_closing()

    def backend(self) -> Runtime:
        return self._stream.backend()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return self._stream.extra_attributes
