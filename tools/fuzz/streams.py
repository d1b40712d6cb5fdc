# SPDX-License-Identifier: Apache-2.0
"""The rules for deserializers, with the receivers and the datagram protocol in front of them, where
a peer's bytes arrive.

An input is three bytes that choose (a variant of the serializer, a way to read, the cuts), then the
bytes that the peer sends.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from typing import Any, TypeAlias

from easynetwork.exceptions import (
    DatagramProtocolParseError,
    DeserializeError,
    FrameBoundaryLostError,
    IncrementalDeserializeError,
    LimitOverrunError,
)
from easynetwork.protocol import BufferedStreamProtocol, DatagramProtocol
from easynetwork.protocol.receivers import StreamReceiver, make_receiver
from easynetwork.protocol.testing import BadFrame, StreamContent, every_protocol, read_stream
from easynetwork.serializers.abc import AbstractIncrementalPacketSerializer

from .memory import held_bytes
from .target import MAX_LENGTH, Target, require

__all__ = ("Reading", "Variant", "deserializer_target")

AnySerializer: TypeAlias = AbstractIncrementalPacketSerializer[Any, Any]

_HEADER = 3
_LONGEST_CHUNK = 48
# Few cuts are as good as many, because the fuzzer tries so many of them, and are read sooner.
_SIZES_OF_CHUNKS = [random.Random(cuts).choices((1, 2, 3, 5, 8, 13, _LONGEST_CHUNK), k=16) for cuts in range(256)]
_SIZE_HINTS = (16, 8192)
"""For buffers that are too small for a chunk, and for those that are too large to be kept."""

_SLACK = 8
"""Bytes that a receiver may hold besides those of a frame and of a chunk: separators, most of
all."""


@dataclass(frozen=True)
class Variant:
    """A serializer with one choice of options, and what is known about it."""

    serializer: AnySerializer
    packets: Sequence[Any]
    """Good ones. The first must be read whatever has come before it."""
    limit: int
    """Of a packet in bytes, of the inflated one if it is compressed."""
    separator: bytes = b""
    """What ends every frame, also a bad one."""
    model: Callable[[bytes], Iterator[Any]] | None = None
    """Another way to read packets one after the other; it may raise where they are bad."""
    wrap: Callable[[bytes], bytes] = bytes
    """Makes the outside of a frame, which no mutation would get right, so that the serializer
    inside is reached."""
    seeds: Sequence[bytes] = ()
    """What a peer may send besides the packets: before `wrap`, if there is one."""


class Reading:
    """All ways to read what a peer sends, for one variant."""

    def __init__(self, variant: Variant) -> None:
        self._variant = variant
        self._datagrams = DatagramProtocol(variant.serializer)
        self._ways = list(_ways(variant.serializer))
        self._good = b"".join(variant.serializer.incremental_serialize(variant.packets[0]))

    def run(self, way: int, cuts: int, data: bytes) -> None:
        """Reads what one peer has sent.

        Args:
            way: Which way to read; every number means one.
            cuts: Which cuts to make, 0 to 255.
            data: The bytes.

        Raises:
            BrokenRule: The contract does not allow what came out.
        """
        data = self._variant.wrap(data)
        way %= 1 + len(self._ways)
        if not way:
            self._read_datagram(data)
            return
        hint, new_receiver = self._ways[way - 1]
        receiver = new_receiver()
        chunks = list(_chunks(data, cuts))
        content = read_stream(receiver, chunks)
        held = held_bytes(receiver)
        bound = 2 * self._variant.limit + max(hint, *map(len, chunks), 0) + _SLACK
        require(held <= bound, f"A receiver holds {bound} bytes at most", held, receiver)
        self._check_content(content, data)
        self._check_going_on(receiver)

    def seeds(self) -> Iterator[bytes]:
        """Yields inputs without the byte that chooses the variant."""
        variant = self._variant
        frames = [b"".join(variant.serializer.incremental_serialize(packet)) for packet in variant.packets]
        for way in range(1, 1 + len(self._ways)):
            yield bytes([way, 7 * way]) + b"".join(frames)
        for data in (*map(variant.serializer.serialize, variant.packets), *variant.seeds):
            yield bytes([0, 0]) + data
            yield bytes([1, 7]) + data

    def _read_datagram(self, data: bytes) -> None:
        try:
            self._datagrams.build_packet_from_datagram(data)
        except DatagramProtocolParseError as exc:
            require(isinstance(exc.error, DeserializeError), "The error is the serializer's", exc.error)
            require(exc.error.error_info is None, "No payload leaks into errors", exc.error.error_info)

    def _check_content(self, content: StreamContent, data: bytes) -> None:
        whole = read_stream(self._ways[0][1](), [data])
        same = _are_alike(content.packets, whole.packets) and content.ended == whole.ended
        require(same, "Packets and errors depend neither on the cuts nor on the way", content, whole)
        bad = [packet for packet in content.packets if isinstance(packet, BadFrame)]
        for frame in bad:
            require(issubclass(frame.error, IncrementalDeserializeError), "A bad frame tells what remains", frame)
        lost = [self._is_lost(frame) for frame in bad]
        require(content.ended == any(lost), "A stream ends with the frame boundary, and not without", content)
        require(not any(lost[:-1]), "Nothing is read behind the end", content)
        if self._variant.model is not None:
            self._check_model(content, self._variant.model(data))

    def _is_lost(self, frame: BadFrame) -> bool:
        if issubclass(frame.error, LimitOverrunError):
            return not self._variant.separator
        return issubclass(frame.error, FrameBoundaryLostError)

    def _check_model(self, content: StreamContent, model: Iterator[Any]) -> None:
        good: list[Any] = []
        for packet in content.packets:
            if isinstance(packet, BadFrame):
                break  # where the next frame starts is for us to say
            good.append(packet)
        try:
            expected = list(islice(model, len(good)))
        except Exception as exc:
            require(False, "A packet that another reader refuses is none", good, exc)
        else:
            require(_are_alike(good, expected), "Another reader sees the same packets", good, expected)

    def _check_going_on(self, receiver: StreamReceiver[Any]) -> None:
        if receiver.ended:
            after = read_stream(receiver, [self._good])
            silent = not after.packets and after.ended and not after.has_partial_frame
            require(silent, "What has ended reads nothing more", after)
        elif self._variant.separator or not receiver.has_partial_frame:
            after = read_stream(receiver, [self._variant.separator + self._good])
            require(after.packets[-1:] == [self._variant.packets[0]], "Reading goes on with the next frame", after)


def deserializer_target(*variants: Variant, words: tuple[bytes, ...] = ()) -> Target:
    """Makes the target for the variants of one serializer."""
    readings = [Reading(variant) for variant in variants]

    def run(data: bytes) -> None:
        if len(data) >= _HEADER:
            readings[data[0] % len(readings)].run(data[1], data[2], data[_HEADER:])

    seeds = tuple(bytes([number]) + seed for number, reading in enumerate(readings) for seed in reading.seeds())
    return Target(run, tuple(seed[:MAX_LENGTH] for seed in seeds), words)


def _ways(serializer: AnySerializer) -> Iterator[tuple[int, Callable[[], StreamReceiver[Any]]]]:
    """Yields functions that make receivers, each with the size of the buffer that it asks for."""
    for protocol in every_protocol(serializer):
        if isinstance(protocol, BufferedStreamProtocol):
            for size in _SIZE_HINTS:
                yield size, partial(make_receiver, protocol, size)
        else:
            yield 0, partial(make_receiver, protocol, _LONGEST_CHUNK)


def _are_alike(packets: list[Any], others: list[Any]) -> bool:
    """Compares representations, because a NaN does not equal itself; in any order, because in a set
    it has no place of its own.
    """
    pairs = zip(map(repr, packets), map(repr, others), strict=False)
    return len(packets) == len(others) and all(one == two or sorted(one) == sorted(two) for one, two in pairs)


def _chunks(data: bytes, cuts: int) -> Iterator[bytes]:
    start = 0
    for size in cycle(_SIZES_OF_CHUNKS[cuts]):
        if start >= len(data):
            return
        yield data[start : start + size]
        start += size
