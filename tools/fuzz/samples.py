# SPDX-License-Identifier: Apache-2.0
"""Serializers as users write them, on the base classes and tools that are there for it."""

from __future__ import annotations

from collections.abc import Generator
from typing import IO, NamedTuple

from easynetwork.exceptions import FrameBoundaryLostError, IncrementalDeserializeError, LimitOverrunError
from easynetwork.serializers.abc import AbstractIncrementalPacketSerializer
from easynetwork.serializers.base_stream import FileBasedPacketSerializer
from easynetwork.serializers.tools import GeneratorStreamReader

__all__ = ("Named", "NamedSerializer", "Point", "PrefixedSerializer")


class Point(NamedTuple):
    """A structure with a text in it."""

    x: int
    name: str


class Named(NamedTuple):
    """A value with a name."""

    name: bytes
    value: bytes


class PrefixedSerializer(FileBasedPacketSerializer[bytes, bytes]):
    """A byte that tells the length, then as many bytes; zero is bad."""

    def __init__(self, limit: int) -> None:
        super().__init__(ValueError, limit=limit)

    def dump_to_file(self, packet: bytes, file: IO[bytes], /) -> None:
        file.write(bytes([len(packet)]) + packet)

    def load_from_file(self, file: IO[bytes], /) -> bytes:
        length = int.from_bytes(self._read(file, 1))
        if not length:
            raise ValueError
        return self._read(file, length)

    @staticmethod
    def _read(file: IO[bytes], size: int) -> bytes:
        if len(data := file.read(size)) < size:
            raise EOFError
        return data


class NamedSerializer(AbstractIncrementalPacketSerializer[Named, Named]):
    """A name up to a colon, a byte that tells the length, and as many bytes; an empty name is
    bad.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def incremental_serialize(self, packet: Named, /) -> Generator[bytes, None, None]:
        yield packet.name + b":"
        yield bytes([len(packet.value)]) + packet.value

    def incremental_deserialize(self) -> Generator[None, bytes, tuple[Named, bytes]]:
        reader = GeneratorStreamReader()
        try:
            name = yield from reader.read_until(b":", self._limit, keep_end=False)
        except LimitOverrunError:
            # Behind the colon there is still a value.
            raise FrameBoundaryLostError("The name is too long") from None
        length = yield from reader.read(1)
        value = yield from reader.read_exactly(length[0])
        if not name:
            raise IncrementalDeserializeError("The name is empty", reader.read_all())
        return Named(name, value), reader.read_all()
