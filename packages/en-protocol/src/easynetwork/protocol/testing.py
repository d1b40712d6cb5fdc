# SPDX-License-Identifier: Apache-2.0
"""The examination that every incremental serializer must pass, yours too.

def test_my_serializer_obeys_the_chunking_law():
    packets = check_chunking_law(MySerializer(), b"some packets\\nand bad ones\\n")
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from easynetwork.exceptions import StreamProtocolParseError
from easynetwork.serializers.abc import AbstractIncrementalPacketSerializer, BufferedIncrementalPacketSerializer

from ._stream import BufferedStreamProtocol, StreamProtocol
from .receivers import NEED_DATA, StreamReceiver, make_receiver

__all__ = (
    "BadFrame",
    "StreamContent",
    "check_chunking_law",
    "every_chunking",
    "every_protocol",
    "every_receiver",
    "read_stream",
)


@dataclass(frozen=True)
class BadFrame:
    """Stands for a frame that raised an error."""

    error: type[Exception]
    message: str


@dataclass
class StreamContent:
    """What a receiver has made of a stream."""

    packets: list[Any] = field(default_factory=list[Any])
    """In their order, with a `BadFrame` for each bad one."""

    ended: bool = False
    has_partial_frame: bool = False


def read_stream(receiver: StreamReceiver[Any], chunks: Iterable[bytes]) -> StreamContent:
    """Read chunks with a receiver."""
    content = StreamContent()
    for chunk in chunks:
        receiver.feed(chunk)
        content.packets.extend(_take_packets(receiver))
    content.ended = receiver.ended
    content.has_partial_frame = receiver.has_partial_frame
    return content


def every_chunking(data: bytes) -> Iterator[list[bytes]]:
    """Yield `data` in one piece, in two pieces cut at every place, and in pieces of one to three
    bytes.
    """
    yield [data]
    for cut in range(1, len(data)):
        yield [data[:cut], data[cut:]]
    for size in (1, 2, 3):
        yield [data[start : start + size] for start in range(0, len(data), size)]


def every_protocol(
    serializer: AbstractIncrementalPacketSerializer[Any, Any],
) -> Iterator[StreamProtocol[Any, Any] | BufferedStreamProtocol[Any, Any]]:
    """Make protocol objects for every mode of the serializer, with and without bypassing its
    generators.
    """
    yield StreamProtocol(serializer)
    yield _GeneratorProtocol(serializer)
    if isinstance(serializer, BufferedIncrementalPacketSerializer):
        buffered: BufferedIncrementalPacketSerializer[Any, Any, Any] = cast(Any, serializer)
        yield BufferedStreamProtocol(buffered)
        yield _BufferedGeneratorProtocol(buffered)


def every_receiver(serializer: AbstractIncrementalPacketSerializer[Any, Any]) -> Iterator[StreamReceiver[Any]]:
    """Make receivers for `every_protocol`; those with a buffer come with a small and with an
    ordinary one.
    """
    for protocol in every_protocol(serializer):
        for sizehint in (5, 65536) if isinstance(protocol, BufferedStreamProtocol) else (65536,):
            yield make_receiver(protocol, sizehint)


def check_chunking_law(
    serializer: AbstractIncrementalPacketSerializer[Any, Any],
    data: bytes,
    chunkings: Iterable[list[bytes]] | None = None,
) -> list[Any]:
    """Check that the packets and the errors in `data` do not depend on its chunks, nor on the mode
    of reading.

    Args:
        serializer: The serializer to examine.
        data: Bytes of a stream, good or bad.
        chunkings: The ways to cut `data` that are tried; `every_chunking` if not given.

    Returns:
        The packets, with a `BadFrame` for each bad one.

    Raises:
        AssertionError: Two readings differ.
    """
    expected = read_stream(make_receiver(StreamProtocol(serializer), 65536), [data])
    for chunks in every_chunking(data) if chunkings is None else chunkings:
        for receiver in every_receiver(serializer):
            content = read_stream(receiver, chunks)
            # By representation, because a NaN does not equal itself.
            same = repr(content.packets) == repr(expected.packets) and content.ended == expected.ended
            assert same, f"{content} instead of {expected} for {chunks}"
    return expected.packets


def _take_packets(receiver: StreamReceiver[Any]) -> Iterator[Any]:
    while True:
        try:
            packet = receiver.next_packet()
        except StreamProtocolParseError as exc:
            yield BadFrame(type(exc.error), str(exc.error))
        else:
            if packet is NEED_DATA:
                return
            yield packet


class _GeneratorProtocol(StreamProtocol[Any, Any]):
    # An override, so that receivers use the generators.
    def build_packet_from_chunks(self) -> Generator[None, bytes, tuple[Any, bytes]]:
        return super().build_packet_from_chunks()


class _BufferedGeneratorProtocol(BufferedStreamProtocol[Any, Any]):
    def build_packet_from_buffer(self, buffer: Any) -> Generator[int | None, int, tuple[Any, Any]]:
        return super().build_packet_from_buffer(buffer)
