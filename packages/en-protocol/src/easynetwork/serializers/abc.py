# SPDX-License-Identifier: Apache-2.0
"""The three capabilities a serializer can have: one-shot, incremental, buffered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from typing import Generic, TypeVar

from easynetwork.exceptions import DeserializeError
from typing_extensions import Buffer

__all__ = (
    "AbstractIncrementalPacketSerializer",
    "AbstractPacketSerializer",
    "BufferedIncrementalPacketSerializer",
)

_SentT = TypeVar("_SentT", contravariant=True)
_ReceivedT = TypeVar("_ReceivedT", covariant=True)
_BufferT = TypeVar("_BufferT", bound=Buffer)


class AbstractPacketSerializer(ABC, Generic[_SentT, _ReceivedT]):
    """Turns one packet into bytes and back, all at once. Enough for datagrams."""

    @abstractmethod
    def serialize(self, packet: _SentT, /) -> bytes:
        """Return the bytes of a packet."""

    @abstractmethod
    def deserialize(self, data: bytes, /) -> _ReceivedT:
        """Return the packet whose bytes are `data`, no more and no less.

        Raises:
            DeserializeError: The data is bad, incomplete, or too long.
        """


class AbstractIncrementalPacketSerializer(AbstractPacketSerializer[_SentT, _ReceivedT]):
    """Finds packets in a stream of chunks. The one-shot methods are derived from the incremental ones."""

    @abstractmethod
    def incremental_serialize(self, packet: _SentT, /) -> Generator[bytes, None, None]:
        """Yield the bytes of a packet, with whatever marks its end in a stream."""

    @abstractmethod
    def incremental_deserialize(self) -> Generator[None, bytes, tuple[_ReceivedT, bytes]]:
        """Read one packet. Each ``yield None`` asks for a chunk, which is never empty.

        Returns:
            The packet, and the bytes after it.

        Raises:
            IncrementalDeserializeError: The frame is bad; its ``remaining_data`` are the bytes after the frame.
        """

    def serialize(self, packet: _SentT, /) -> bytes:
        return b"".join(self.incremental_serialize(packet))

    def deserialize(self, data: bytes, /) -> _ReceivedT:
        reader = self.incremental_deserialize()
        next(reader)
        try:
            reader.send(data)
        except StopIteration as stop:
            packet: _ReceivedT
            packet, remaining = stop.value
        else:
            reader.close()
            raise DeserializeError("Missing data: the packet is incomplete")
        if remaining:
            raise DeserializeError("Extra data: there are bytes after the packet")
        return packet


class BufferedIncrementalPacketSerializer(
    AbstractIncrementalPacketSerializer[_SentT, _ReceivedT],
    Generic[_SentT, _ReceivedT, _BufferT],
):
    """Finds packets in a buffer that a transport writes into."""

    @abstractmethod
    def create_deserializer_buffer(self, sizehint: int, /) -> _BufferT:
        """Make a writable buffer of at least one byte.

        Args:
            sizehint: How many bytes the transport likes to read at once.
        """

    @abstractmethod
    def buffered_incremental_deserialize(
        self, buffer: _BufferT, /
    ) -> Generator[int | None, int, tuple[_ReceivedT, bytes | bytearray | memoryview]]:
        """Read one packet from `buffer`.

        Each ``yield`` gives the position at which to write (``None`` is the start, a negative number counts from the end)
        and is sent the number of bytes written there, at least one.

        Returns:
            The packet, and the bytes after it, which may be a view of `buffer`.

        Raises:
            IncrementalDeserializeError: The frame is bad; its ``remaining_data`` are the bytes after the frame.
        """
