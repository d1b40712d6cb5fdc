# SPDX-License-Identifier: Apache-2.0
"""What a peer can make a receiver hold, and how long it can make it work (rows 7, 8, 10 and 12 of
the security page).
"""

from __future__ import annotations

import bz2
import random
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from easynetwork.exceptions import DeserializeError, FrameBoundaryLostError, LimitOverrunError
from easynetwork.protocol.receivers import NEED_DATA, StreamReceiver
from easynetwork.protocol.testing import BadFrame, check_chunking_law, every_receiver, read_stream
from easynetwork.serializers import (
    CBORSerializer,
    JSONSerializer,
    MessagePackSerializer,
    StringLineSerializer,
    StructSerializer,
)
from easynetwork.serializers.abc import AbstractIncrementalPacketSerializer
from easynetwork.serializers.wrapper import Base64EncoderSerializer, BZ2CompressorSerializer, ZlibCompressorSerializer

AnySerializer = AbstractIncrementalPacketSerializer[Any, Any]
LIMIT = 64 * 1024
MIB = 1024 * 1024

line = StringLineSerializer()

# For each serializer: a frame of a given length in bytes.
FRAMES: dict[str, tuple[Callable[[int], AnySerializer], Callable[[int], bytes]]] = {
    "line": (lambda limit: StringLineSerializer(limit=limit), lambda size: b"a" * size + b"\n"),
    "line CRLF": (lambda limit: StringLineSerializer("CRLF", limit=limit), lambda size: b"a" * size + b"\r\n"),
    "json lines": (lambda limit: JSONSerializer(limit=limit), lambda size: b'"' + b"a" * (size - 2) + b'"\n'),
    "json array": (
        lambda limit: JSONSerializer(limit=limit, use_lines=False),
        lambda size: b"[" + b" " * (size - 3) + b"1]",
    ),
    "json string": (
        lambda limit: JSONSerializer(limit=limit, use_lines=False),
        lambda size: b'"' + b"a" * (size - 2) + b'"',
    ),
    "json bare": (
        lambda limit: JSONSerializer(limit=limit, use_lines=False),
        lambda size: b"1." + b"1" * (size - 2) + b"\n",
    ),
    "cbor bytes": (
        lambda limit: CBORSerializer(limit=limit),
        lambda size: b"\x5a" + (size - 5).to_bytes(4) + b"a" * (size - 5),
    ),
    "cbor array": (lambda limit: CBORSerializer(limit=limit), lambda size: b"\x9f" + b"\x01" * (size - 2) + b"\xff"),
    "msgpack bin": (
        lambda limit: MessagePackSerializer(limit=limit),
        lambda size: b"\xc6" + (size - 5).to_bytes(4) + b"a" * (size - 5),
    ),
    "msgpack array": (
        lambda limit: MessagePackSerializer(limit=limit),
        lambda size: b"\xdd" + (size - 5).to_bytes(4) + b"\x01" * (size - 5),
    ),
}


@pytest.mark.parametrize("name", FRAMES)
def test_the_limit_is_exact(name: str) -> None:
    new_serializer, frame = FRAMES[name]
    separated = name.startswith(("line", "json lines"))

    packets = check_chunking_law(new_serializer(20), frame(20) + frame(21) + frame(19))

    assert [isinstance(packet, BadFrame) for packet in packets] == (
        [False, True, False] if separated else [False, True]
    )
    assert packets[1].error is LimitOverrunError


def test_empty_packets_are_packets() -> None:
    assert check_chunking_law(line, b"\n\na\n\n") == ["", "", "a", ""]
    assert list(line.incremental_serialize("")) == [b"\n"]


def endless(name: str) -> tuple[AnySerializer, bytes, bytes]:
    """Return a serializer, the beginning of a frame, and what can be sent for ever without ending
    it.
    """
    return {
        "line": (line, b"", b"a"),
        "line CRLF": (StringLineSerializer("CRLF"), b"", b"\r"),
        "json lines": (JSONSerializer(), b'"', b"a"),
        "json array": (JSONSerializer(use_lines=False), b"", b"["),
        "json string": (JSONSerializer(use_lines=False), b'"', b"\\"),
        "json bare": (JSONSerializer(use_lines=False), b"", b"1"),
        "json white space": (JSONSerializer(use_lines=False), b"", b" "),
        "cbor": (CBORSerializer(), b"\x9f", b"\x01"),
        "msgpack": (MessagePackSerializer(), b"\xdd\xff\xff\xff\xff", b"\x01"),
        "base64": (Base64EncoderSerializer(line), b"", b"A"),
        "zlib": (ZlibCompressorSerializer(line), b"\x78\x9c", b"\x00\x00\x00\xff\xff"),
        "bz2": (BZ2CompressorSerializer(line), bz2.compress(random.Random(1).randbytes(2 * LIMIT)), b"a"),
    }[name]


ENDLESS = (
    "line",
    "line CRLF",
    "json lines",
    "json array",
    "json string",
    "json bare",
    "json white space",
    "cbor",
    "msgpack",
    "base64",
    "zlib",
    "bz2",
)


@pytest.mark.parametrize("mode", [0, 1, 3, 5])  # those of every_receiver() with an ordinary buffer
@pytest.mark.parametrize("name", ENDLESS)
def test_memory_is_bounded_by_twice_the_limit(name: str, mode: int) -> None:
    serializer, beginning, filler = endless(name)
    receiver = list(every_receiver(serializer))[mode]
    chunk = filler * (8192 // len(filler))
    beginnings = [beginning[start : start + 8192] for start in range(0, len(beginning), 8192)]

    tracemalloc.start()
    try:
        errors = len(read_stream(receiver, beginnings).packets)
        errors += sum(len(read_stream(receiver, [chunk]).packets) for _ in range(MIB // len(chunk)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert errors <= 1
    assert peak < 2 * LIMIT + 64 * 1024


BOMBS = {
    "zlib": (ZlibCompressorSerializer(line), zlib.compress(b"a" * 50 * MIB)),
    "bz2": (BZ2CompressorSerializer(line), bz2.compress(b"a" * 50 * MIB)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_not_inflated(name: str) -> None:
    serializer, bomb = BOMBS[name]
    tracemalloc.start()
    started = time.process_time()
    try:
        with pytest.raises(DeserializeError, match="inflates to more than 1048576 bytes"):
            serializer.deserialize(bomb)
        elapsed = time.process_time() - started
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 2 * MIB + 10 * MIB
    assert elapsed < 0.05
    for receiver in every_receiver(serializer):
        content = read_stream(receiver, [bomb])
        assert [packet.error for packet in content.packets] == [LimitOverrunError]
        assert content.ended


def test_the_inflated_limit_is_exact() -> None:
    for size, good in ((10, True), (11, False)):
        serializer = ZlibCompressorSerializer(line, max_decompressed_size=10)
        packets = check_chunking_law(serializer, zlib.compress(b"a" * size))

        assert isinstance(packets[0], str) is good


@pytest.mark.parametrize(
    ("serializer", "compress"),
    [(ZlibCompressorSerializer(line), zlib.compress), (BZ2CompressorSerializer(line), bz2.compress)],
)
def test_one_mib_may_be_inflated_by_default(serializer: AnySerializer, compress: Callable[[bytes], bytes]) -> None:
    just_fits, too_long = compress(b"a" * MIB), compress(b"a" * (MIB + 1))

    assert len(serializer.deserialize(just_fits)) == MIB
    with pytest.raises(DeserializeError, match="inflates to more than"):
        serializer.deserialize(too_long)
    for receiver in every_receiver(serializer):
        packet, error = read_stream(receiver, [just_fits + too_long]).packets
        assert len(packet) == MIB
        assert error.error is LimitOverrunError


TOO_LONG: list[tuple[Callable[[int], AnySerializer], bytes]] = [
    (lambda limit: ZlibCompressorSerializer(line, max_decompressed_size=limit), zlib.compress(b"a" * 11)),
    (lambda limit: BZ2CompressorSerializer(line, max_decompressed_size=limit), bz2.compress(b"a" * 11)),
]


@pytest.mark.parametrize(("new_serializer", "good"), TOO_LONG)
def test_the_first_fault_of_a_compressed_packet_is_told(
    new_serializer: Callable[[int], AnySerializer], good: bytes
) -> None:
    """A byte too much, then a wrong checksum: a decompressor that gets both at once tells of the
    checksum only.
    """
    bad = good[:-2] + bytes([good[-2] ^ 1]) + good[-1:]
    for limit, error in ((10, LimitOverrunError), (11, FrameBoundaryLostError)):
        packets = check_chunking_law(new_serializer(limit), bad)

        assert [packet.error for packet in packets] == [error]


SIZE = 2_000_000
BIG = 4 * SIZE
big_line = StringLineSerializer(limit=BIG)

HEAVY: dict[str, tuple[AnySerializer, Callable[[int], bytes]]] = {
    "one line": (big_line, lambda size: b"a" * size + b"\n"),
    "small lines": (line, lambda size: b"0123456789\n" * (size // 11)),
    "one json string": (JSONSerializer(limit=BIG, use_lines=False), lambda size: b'"' + b"\\\\a" * (size // 3) + b'"'),
    "json brackets": (JSONSerializer(limit=BIG, use_lines=False), lambda size: b"[" + b"[]" * (size // 2)),
    "small json": (JSONSerializer(use_lines=False), lambda size: b'{"a":1}' * (size // 7)),
    "one cbor array": (CBORSerializer(limit=BIG), lambda size: b"\x9f" + b"\x01" * size + b"\xff"),
    "small cbor": (CBORSerializer(), lambda size: b"\x85\1\2\3\4\5" * (size // 6)),
    "one msgpack array": (MessagePackSerializer(limit=BIG), lambda size: b"\xdd" + size.to_bytes(4) + b"\x01" * size),
    "small msgpack": (MessagePackSerializer(), lambda size: b"\x95abcde" * (size // 6)),
    "struct": (StructSerializer("8s"), lambda size: b"abcdefgh" * (size // 8)),
    "one base64 line": (Base64EncoderSerializer(big_line, limit=BIG), lambda size: b"YWFh" * (size // 4) + b"\r\n"),
    "one zlib packet": (
        ZlibCompressorSerializer(big_line, limit=BIG, max_decompressed_size=BIG, compress_level=0),
        lambda size: zlib.compress(b"a" * size, 0),
    ),
    "small zlib": (ZlibCompressorSerializer(line), lambda size: zlib.compress(b"a") * (size // 9)),
}


def cpu_time(receiver: StreamReceiver[Any], data: bytes, chunk_size: int) -> float:
    chunks = [data[start : start + chunk_size] for start in range(0, len(data), chunk_size)]
    started = time.process_time()
    for chunk in chunks:
        receiver.feed(chunk)
        while receiver.next_packet() is not NEED_DATA:
            pass
    return time.process_time() - started


# The development mode of Python (-X dev) checks every allocation.
SLOWDOWN = 2 if sys.flags.dev_mode else 1
ATTEMPTS = 5  # other processes of a shared machine spoil some


@pytest.mark.parametrize("name", HEAVY)
def test_time_grows_with_the_bytes(name: str) -> None:
    serializer, data = HEAVY[name]

    def seconds(size: int) -> float:
        return cpu_time(next(every_receiver(serializer)), data(size), 512)

    measured: list[tuple[float, float]] = []
    for _ in range(ATTEMPTS):
        # A quarter, to stand clear of the noise: two doublings.
        measured.append((seconds(SIZE), seconds(SIZE // 4)))
        whole, quarter = (min(times) for times in zip(*measured, strict=True))
        if whole <= quarter * 2.5 * 2.5 + 0.01:
            return
    pytest.fail(f"seconds for all the bytes and for a quarter of them: {measured}")


def test_many_packets_in_one_chunk_are_linear() -> None:
    data = b"123456789\n" * 100_000

    assert min(cpu_time(next(every_receiver(line)), data, len(data)) for _ in range(ATTEMPTS)) < 0.5 * SLOWDOWN


def test_a_frame_in_single_bytes_is_linear() -> None:
    data = b"a" * 60_000 + b"\n"
    for receiver in every_receiver(line):
        assert cpu_time(receiver, data, 1) < 0.5
