# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc
import weakref
from collections.abc import Generator
from typing import Any

import pytest

from easynetwork.converter import AbstractPacketConverter
from easynetwork.exceptions import LimitOverrunError, PacketConversionError, StreamProtocolParseError
from easynetwork.protocol import BufferedStreamProtocol, StreamProtocol
from easynetwork.protocol.receivers import NEED_DATA, StreamReceiver, make_receiver
from easynetwork.protocol.testing import every_receiver, read_stream
from easynetwork.serializers import CBORSerializer, StringLineSerializer
from easynetwork.serializers.base_stream import AutoSeparatedPacketSerializer, FixedSizePacketSerializer


class Crash(Exception):
    pass


class CrashingSerializer(AutoSeparatedPacketSerializer[bytes, bytes]):
    def __init__(self) -> None:
        super().__init__(b"\n")

    def serialize(self, packet: bytes, /) -> bytes:
        return packet

    def deserialize(self, data: bytes, /) -> bytes:
        raise Crash


class CrashingConverter(AbstractPacketConverter[str, str]):
    def create_from_dto_packet(self, packet: str, /) -> str:
        raise PacketConversionError("refused") if packet == "refused" else Crash

    def convert_to_dto_packet(self, obj: str, /) -> str:
        return obj


class UpperCaseProtocol(StreamProtocol[str, str]):
    """A subclass with its own way to read."""

    def build_packet_from_chunks(self) -> Generator[None, bytes, tuple[str, bytes]]:
        packet, remaining = yield from super().build_packet_from_chunks()
        return packet.upper(), remaining


class BufferedUpperCaseProtocol(BufferedStreamProtocol[str, str]):
    def build_packet_from_buffer(self, buffer: Any) -> Generator[int | None, int, tuple[str, Any]]:
        packet, remaining = yield from super().build_packet_from_buffer(buffer)
        return packet.upper(), remaining


class UpperCaseSerializer(StringLineSerializer):
    def incremental_deserialize(self) -> Generator[None, bytes, tuple[str, bytes]]:
        packet, remaining = yield from super().incremental_deserialize()
        return packet.upper(), remaining


class FixedSizeBufferProtocol(BufferedStreamProtocol[Any, bytes]):
    """Wants its four bytes at the end of a buffer of ten."""

    def __init__(self) -> None:
        serializer: Any = StringLineSerializer()  # never asked
        super().__init__(serializer)

    def create_buffer(self, sizehint: int) -> memoryview:
        return memoryview(bytearray(20))[10:]

    def build_packet_from_buffer(self, buffer: memoryview) -> Generator[int | None, int, tuple[bytes, memoryview]]:
        filled = 0
        while filled < 4:
            filled += yield filled - 4
        return bytes(buffer[6:]), buffer[10:]


class NoRoomProtocol(BufferedStreamProtocol[Any, bytes]):
    """Asks for bytes behind the end of its buffer."""

    def __init__(self) -> None:
        serializer: Any = StringLineSerializer()  # never asked
        super().__init__(serializer)

    def build_packet_from_buffer(self, buffer: Any) -> Generator[int | None, int, tuple[bytes, bytes]]:
        yield len(buffer)
        return b"", b""


MODES = range(6)  # how many receivers every_receiver() makes for a buffered serializer: two are fed chunks


@pytest.fixture(params=MODES)
def receiver(request: pytest.FixtureRequest) -> StreamReceiver[str]:
    mode: int = request.param
    return list(every_receiver(StringLineSerializer(limit=5)))[mode]


def test_a_receiver_needs_data_at_first(receiver: StreamReceiver[str]) -> None:
    assert receiver.next_packet() is NEED_DATA
    assert not receiver.ended
    assert not receiver.has_partial_frame


def test_a_partial_frame_is_told(receiver: StreamReceiver[str]) -> None:
    receiver.feed(b"a\nb")

    assert receiver.next_packet() == "a"
    assert receiver.next_packet() is NEED_DATA
    assert receiver.has_partial_frame
    receiver.feed(b"\n")
    assert receiver.next_packet() == "b"
    assert receiver.next_packet() is NEED_DATA
    assert not receiver.has_partial_frame


def test_chunks_can_be_fed_before_the_packets_are_taken(receiver: StreamReceiver[str]) -> None:
    for chunk in (b"a\nb", b"c\n", b"", b"d", b"\n"):
        receiver.feed(chunk)

    assert [receiver.next_packet() for _ in range(4)] == ["a", "bc", "d", NEED_DATA]


def test_an_over_long_frame_is_thrown_away_while_it_comes(receiver: StreamReceiver[str]) -> None:
    receiver.feed(b"123456")
    with pytest.raises(StreamProtocolParseError) as info:
        receiver.next_packet()

    assert isinstance(info.value.error, LimitOverrunError)
    assert not info.value.error.separator_found
    assert receiver.next_packet() is NEED_DATA
    assert receiver.has_partial_frame
    receiver.feed(b"789")
    assert receiver.next_packet() is NEED_DATA
    receiver.feed(b"0\nok\n")
    assert receiver.next_packet() == "ok"
    assert receiver.next_packet() is NEED_DATA
    assert not receiver.has_partial_frame


def test_errors_do_not_carry_the_bytes_of_other_packets(receiver: StreamReceiver[str]) -> None:
    receiver.feed(b"\xff\nsecret\n")

    with pytest.raises(StreamProtocolParseError) as info:
        receiver.next_packet()

    assert info.value.remaining_data == b""
    assert not isinstance(info.value.error, PacketConversionError)
    assert info.value.error.remaining_data == b""


@pytest.mark.parametrize("mode", MODES)
def test_an_over_long_frame_without_separator_ends_the_stream(mode: int) -> None:
    receiver = list(every_receiver(CBORSerializer(limit=5)))[mode]
    receiver.feed(b"\x58\x20")
    with pytest.raises(StreamProtocolParseError):
        receiver.next_packet()

    assert receiver.ended
    assert not receiver.has_partial_frame
    receiver.feed(b"\x01\x01")
    assert receiver.next_packet() is NEED_DATA


@pytest.mark.parametrize("mode", MODES)
def test_a_crash_of_the_protocol_ends_the_stream(mode: int) -> None:
    receiver = list(every_receiver(CrashingSerializer()))[mode]
    method = "build_packet_from_chunks" if mode < 2 else "build_packet_from_buffer"
    receiver.feed(b"a\nb\n")

    with pytest.raises(RuntimeError, match=rf"^protocol\.{method}\(\) crashed$") as info:
        receiver.next_packet()

    assert isinstance(info.value.__cause__, Crash)
    assert receiver.ended
    assert receiver.next_packet() is NEED_DATA


@pytest.mark.parametrize("overridden", [False, True])
def test_converters_refuse_or_crash(overridden: bool) -> None:
    protocol_class: type[StreamProtocol[str, str]] = UpperCaseProtocol if overridden else StreamProtocol
    receiver = make_receiver(protocol_class(StringLineSerializer(), CrashingConverter()), 1024)
    receiver.feed(b"refused\nrefused\ncrash\n")

    for _ in range(2):
        with pytest.raises(StreamProtocolParseError) as info:
            receiver.next_packet()
        assert isinstance(info.value.error, PacketConversionError)
    with pytest.raises(RuntimeError, match=r"crashed$"):
        receiver.next_packet()


@pytest.mark.parametrize(
    "protocol",
    [
        UpperCaseProtocol(StringLineSerializer()),
        StreamProtocol(UpperCaseSerializer()),
        BufferedStreamProtocol(UpperCaseSerializer()),
    ],
)
def test_overridden_generators_are_used(protocol: StreamProtocol[str, str] | BufferedStreamProtocol[str, str]) -> None:
    assert read_stream(make_receiver(protocol, 1024), [b"abc\nde", b"f\n"]).packets == ["ABC", "DEF"]


def test_bytes_are_written_where_the_protocol_wants() -> None:
    receiver = make_receiver(FixedSizeBufferProtocol(), 1024)
    receiver.feed(b"abc")
    assert receiver.next_packet() is NEED_DATA
    receiver.feed(b"defghi")

    assert [receiver.next_packet() for _ in range(3)] == [b"abcd", b"efgh", NEED_DATA]


def test_a_protocol_without_room_has_crashed() -> None:
    receiver = make_receiver(NoRoomProtocol(), 1024)
    receiver.feed(b"a")

    with pytest.raises(RuntimeError, match=r"^protocol\.build_packet_from_buffer\(\) crashed$"):
        receiver.next_packet()

    assert receiver.ended


def test_a_chunk_is_not_copied_before_its_packets_are_taken() -> None:
    class Identity(FixedSizePacketSerializer[bytes, bytes]):
        def serialize(self, packet: bytes, /) -> bytes:
            return packet

        def deserialize(self, data: bytes, /) -> bytes:
            return data

    chunk = b"x" * 1000
    receiver = make_receiver(StreamProtocol(Identity(1000)), 1024)
    receiver.feed(chunk)

    # A slice of the whole is the object itself.
    assert receiver.next_packet() is chunk


def test_an_idle_receiver_holds_no_buffer() -> None:
    class Buffer(bytearray):
        """One that can be referred to weakly."""

    made: list[weakref.ref[Buffer]] = []

    class Lines(StringLineSerializer):
        def create_deserializer_buffer(self, sizehint: int) -> bytearray:
            buffer = Buffer(sizehint)
            made.append(weakref.ref(buffer))
            return buffer

    receiver = make_receiver(BufferedStreamProtocol(Lines()), 65536)
    receiver.feed(b"a\n")
    assert [receiver.next_packet(), receiver.next_packet()] == ["a", NEED_DATA]

    assert [reference() for reference in made] == [None]


@pytest.mark.parametrize("mode", MODES)
def test_an_error_and_all_that_it_holds_is_gone_with_its_last_owner(mode: int) -> None:
    """A reference cycle would keep a bad packet, inflated maybe, until the collector comes."""
    receiver = list(every_receiver(StringLineSerializer()))[mode]
    receiver.feed(b"\xff\n")
    errors: list[weakref.ref[Exception]] = []

    gc.disable()
    try:
        try:
            receiver.next_packet()
        except StreamProtocolParseError as exc:
            errors.append(weakref.ref(exc))
            errors.append(weakref.ref(exc.error))
        assert [error() for error in errors] == [None, None]
    finally:
        gc.enable()
