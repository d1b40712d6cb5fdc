# SPDX-License-Identifier: Apache-2.0
"""The three capabilities a serializer can have: one-shot, incremental, buffered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from typing import Generic, TypeVar

from typing_extensions import Buffer

from easynetwork.exceptions import DeserializeError

__all__ = (
    "AbstractIncrementalPacketSerializer",
    "AbstractPacketSerializer",
    "BufferedIncrementalPacketSerializer",
)

_SentT_contra = TypeVar("_SentT_contra", contravariant=True)
_ReceivedT_co = TypeVar("_ReceivedT_co", covariant=True)
_BufferT = TypeVar("_BufferT", bound=Buffer)


class AbstractPacketSerializer(ABC, Generic[_SentT_contra, _ReceivedT_co]):
    """Turns one packet into bytes and back, all at once. Enough for datagrams."""

    @abstractmethod
    def serialize(self, packet: _SentT_contra, /) -> bytes:
        """Return the bytes of a packet."""

    @abstractmethod
    def deserialize(self, data: bytes, /) -> _ReceivedT_co:
        """Return the packet whose bytes are `data`, no more and no less.

        Raises:
            DeserializeError: The data is bad, incomplete, or too long.
        """


class AbstractIncrementalPacketSerializer(AbstractPacketSerializer[_SentT_contra, _ReceivedT_co]):
    """Finds packets in a stream of chunks.

    The one-shot methods are derived from the incremental ones.
    """

    @abstractmethod
    def incremental_serialize(self, packet: _SentT_contra, /) -> Generator[bytes, None, None]:
        """Yield the bytes of a packet, with whatever marks its end in a stream."""

    @abstractmethod
    def incremental_deserialize(self) -> Generator[None, bytes, tuple[_ReceivedT_co, bytes]]:
        """Read one packet. Each ``yield None`` asks for a chunk, which is never empty.

        Returns:
            The packet, and the bytes after it.

        Raises:
            IncrementalDeserializeError: The frame is bad; its ``remaining_data`` are the bytes
                after the frame.
        """

    def serialize(self, packet: _SentT_contra, /) -> bytes:
        return b"".join(self.incremental_serialize(packet))

    def deserialize(self, data: bytes, /) -> _ReceivedT_co:
        reader = self.incremental_deserialize()
        next(reader)
        try:
            reader.send(data)
        except StopIteration as stop:
            packet: _ReceivedT_co
            packet, remaining = stop.value
        else:
            reader.close()
            raise DeserializeError("Missing data: the packet is incomplete")
        if remaining:
            raise DeserializeError("Extra data: there are bytes after the packet")
        return packet


class BufferedIncrementalPacketSerializer(
    AbstractIncrementalPacketSerializer[_SentT_contra, _ReceivedT_co],
    Generic[_SentT_contra, _ReceivedT_co, _BufferT],
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
    ) -> Generator[int | None, int, tuple[_ReceivedT_co, bytes | bytearray | memoryview]]:
        """Read one packet from `buffer`.

        Each ``yield`` gives the position at which to write (``None`` is the start, a negative
        number counts from the end) and is sent the number of bytes written there, at least one.

        Returns:
            The packet, and the bytes after it, which may be a view of `buffer`.

        Raises:
            IncrementalDeserializeError: The frame is bad; its ``remaining_data`` are the bytes
                after the frame.
        """
