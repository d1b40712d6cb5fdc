# SPDX-License-Identifier: Apache-2.0
"""The buffered interface on top of the plain one.

Reading in place would spare one copy for each chunk, at the price of a second parser for each
serializer. The copy costs less than the system call that filled the buffer, and with one parser the
two modes cannot disagree.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from ._validation import check_positive_int
from .abc import BufferedIncrementalPacketSerializer

__all__ = ("PlainBufferSerializer",)

_SentT_contra = TypeVar("_SentT_contra", contravariant=True)
_ReceivedT_co = TypeVar("_ReceivedT_co", covariant=True)


class PlainBufferSerializer(BufferedIncrementalPacketSerializer[_SentT_contra, _ReceivedT_co, bytearray]):
    """Derives buffered reading from `incremental_deserialize`."""

    def create_deserializer_buffer(self, sizehint: int) -> bytearray:
        return bytearray(check_positive_int("sizehint", sizehint))

    def buffered_incremental_deserialize(
        self, buffer: bytearray
    ) -> Generator[int | None, int, tuple[_ReceivedT_co, bytes]]:
        plain = self.incremental_deserialize()
        next(plain)
        with memoryview(buffer) as view:
            while True:
                written = yield None
                try:
                    plain.send(bytes(view[:written]))
                except StopIteration as stop:
                    result: tuple[_ReceivedT_co, bytes] = stop.value
                    return result
