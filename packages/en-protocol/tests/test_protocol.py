# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from easynetwork.converter import AbstractPacketConverter, StapledPacketConverter
from easynetwork.exceptions import (
    DatagramProtocolParseError,
    DeserializeError,
    IncrementalDeserializeError,
    PacketConversionError,
    StreamProtocolParseError,
)
from easynetwork.protocol import BufferedStreamProtocol, DatagramProtocol, StreamProtocol
from easynetwork.protocol.encoders import make_datagram_decoder, make_datagram_encoder
from easynetwork.protocol.receivers import make_receiver
from easynetwork.serializers import JSONSerializer, StringLineSerializer
from easynetwork.serializers.abc import AbstractIncrementalPacketSerializer, AbstractPacketSerializer


class IntegerConverter(AbstractPacketConverter[int, str]):
    def create_from_dto_packet(self, packet: str, /) -> int:
        try:
            return int(packet)
        except ValueError as exc:
            raise PacketConversionError("not a number") from exc

    def convert_to_dto_packet(self, obj: int, /) -> str:
        return str(obj)


class OneShotSerializer(AbstractPacketSerializer[bytes, bytes]):
    def serialize(self, packet: bytes, /) -> bytes:
        return packet

    def deserialize(self, data: bytes, /) -> bytes:
        return data


class PlainSerializer(AbstractIncrementalPacketSerializer[str, str]):
    def incremental_serialize(self, packet: str, /) -> Generator[bytes, None, None]:
        yield packet.encode()
        yield b";"

    def incremental_deserialize(self) -> Generator[None, bytes, tuple[str, bytes]]:
        buffer = yield
        while b";" not in buffer:
            buffer += yield
        packet, _, remaining = buffer.partition(b";")
        return packet.decode(), remaining


class BuggySerializer(PlainSerializer):
    def incremental_deserialize(self) -> Generator[None, bytes, tuple[str, bytes]]:
        yield
        raise DeserializeError("plain")


PROTOCOLS: list[Any] = [StreamProtocol, BufferedStreamProtocol, DatagramProtocol]


@pytest.mark.parametrize("protocol_class", PROTOCOLS)
def test_the_serializer_is_checked(protocol_class: Any) -> None:
    with pytest.raises(TypeError, match=r"^serializer:"):
        protocol_class(object())


@pytest.mark.parametrize("protocol_class", PROTOCOLS)
def test_the_converter_is_checked(protocol_class: Any) -> None:
    with pytest.raises(TypeError, match=r"^converter:"):
        protocol_class(JSONSerializer(), object())


def test_streams_need_incremental_serializers() -> None:
    one_shot: Any = OneShotSerializer()
    plain: Any = PlainSerializer()

    with pytest.raises(TypeError, match=r"^serializer:"):
        StreamProtocol(one_shot)
    with pytest.raises(TypeError, match=r"^serializer:"):
        BufferedStreamProtocol(plain)
    assert DatagramProtocol(OneShotSerializer()).make_datagram(b"") == b""


def test_a_datagram_is_converted_both_ways() -> None:
    protocol = DatagramProtocol(StringLineSerializer(), IntegerConverter())

    assert protocol.make_datagram(42) == b"42"
    assert protocol.build_packet_from_datagram(b"42") == 42


@pytest.mark.parametrize(("data", "cause"), [(b"\xff", DeserializeError), (b"x", PacketConversionError)])
def test_a_bad_datagram_tells_the_cause(data: bytes, cause: type[Exception]) -> None:
    protocol = DatagramProtocol(StringLineSerializer(), IntegerConverter())

    with pytest.raises(DatagramProtocolParseError) as info:
        protocol.build_packet_from_datagram(data)

    assert type(info.value.error) is cause


def test_a_stream_is_converted_both_ways() -> None:
    protocol = StreamProtocol(StringLineSerializer(), IntegerConverter())
    reader = protocol.build_packet_from_chunks()
    next(reader)

    with pytest.raises(StopIteration) as info:
        reader.send(b"42\n43\n")

    assert info.value.value == (42, b"43\n")
    assert b"".join(protocol.generate_chunks(42)) == b"42\n"


def test_a_buffer_is_read_in_place() -> None:
    protocol = BufferedStreamProtocol(StringLineSerializer(), IntegerConverter())
    buffer: Any = protocol.create_buffer(100)
    reader = protocol.build_packet_from_buffer(buffer)
    position = next(reader) or 0
    buffer[position : position + 5] = b"42\n43"

    with pytest.raises(StopIteration) as info:
        reader.send(5)

    packet, remaining = info.value.value
    assert (packet, bytes(remaining)) == (42, b"43")


@pytest.mark.parametrize(
    ("data", "cause"), [(b"\xff\nrest", IncrementalDeserializeError), (b"x\nrest", PacketConversionError)]
)
def test_a_bad_frame_tells_the_cause_and_what_remains(data: bytes, cause: type[Exception]) -> None:
    reader = StreamProtocol(StringLineSerializer(), IntegerConverter()).build_packet_from_chunks()
    next(reader)

    with pytest.raises(StreamProtocolParseError) as info:
        reader.send(data)

    assert type(info.value.error) is cause
    assert info.value.remaining_data == b"rest"


def test_a_plain_deserialize_error_in_a_stream_is_a_bug() -> None:
    reader = StreamProtocol(BuggySerializer()).build_packet_from_chunks()
    next(reader)

    with pytest.raises(RuntimeError, match=r"^DeserializeError raised instead of IncrementalDeserializeError$"):
        reader.send(b"x")


@pytest.mark.parametrize(("data", "message"), [(b"abc", "Missing data"), (b"abc;d", "Extra data")])
def test_one_shot_methods_are_derived_from_incremental_ones(data: bytes, message: str) -> None:
    assert PlainSerializer().serialize("abc") == b"abc;"
    assert PlainSerializer().deserialize(b"abc;") == "abc"
    with pytest.raises(DeserializeError, match=message):
        PlainSerializer().deserialize(data)


def test_receivers_need_a_stream_protocol() -> None:
    datagram: Any = DatagramProtocol(JSONSerializer())

    with pytest.raises(TypeError, match=r"^protocol:"):
        make_receiver(datagram, 1024)
    with pytest.raises(ValueError, match=r"^max_recv_size:"):
        make_receiver(StreamProtocol(JSONSerializer()), 0)


def test_stapled_converters_are_asked_in_their_direction() -> None:
    class Doubling(IntegerConverter):
        def convert_to_dto_packet(self, obj: int, /) -> str:
            return super().convert_to_dto_packet(2 * obj)

    sent, received = Doubling(), IntegerConverter()
    converter: StapledPacketConverter[int, int, str, str] = StapledPacketConverter(sent, received)

    assert (converter.convert_to_dto_packet(2), converter.create_from_dto_packet("2")) == ("4", 2)
    assert converter == StapledPacketConverter(sent, received)
    assert hash(converter) == hash(StapledPacketConverter(sent, received))
    wrong: Any = object()
    with pytest.raises(TypeError, match=r"^received_packet_converter:"):
        StapledPacketConverter(sent, wrong)


class _Datagrams(DatagramProtocol[str, str]):
    """Does it all itself, and has no serializer."""

    def __init__(self) -> None: ...

    def make_datagram(self, packet: str) -> bytes:
        return packet.encode()

    def build_packet_from_datagram(self, datagram: bytes) -> str:
        return datagram.decode()


class _Nothing(DatagramProtocol[str, str]):
    def __init__(self) -> None: ...


def test_a_protocol_that_does_it_all_itself_needs_no_serializer() -> None:
    protocol = _Datagrams()

    assert make_datagram_encoder(protocol)("x") == b"x"
    assert make_datagram_decoder(protocol)(b"x") == "x"


def test_a_protocol_that_was_never_initialised_crashes_when_it_is_used_and_not_before() -> None:
    encode, decode = make_datagram_encoder(_Nothing()), make_datagram_decoder(_Nothing())

    with pytest.raises(RuntimeError, match=r"protocol\.make_datagram\(\) crashed"):
        encode("x")
    with pytest.raises(RuntimeError, match=r"protocol\.build_packet_from_datagram\(\) crashed"):
        decode(b"x")
