# SPDX-License-Identifier: Apache-2.0
"""What the page "Serializers" says, section by section."""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest
from page_sessions import replayed, write_programs
from pages import Page
from tcp_peers import serving

from easynetwork.clients import AsyncTCPNetworkClient
from easynetwork.exceptions import (
    DeserializeError,
    FrameBoundaryLostError,
    IncrementalDeserializeError,
    LimitOverrunError,
    StreamProtocolParseError,
)
from easynetwork.protocol import BufferedStreamProtocol, StreamProtocol
from easynetwork.protocol.receivers import make_receiver
from easynetwork.protocol.testing import BadFrame, StreamContent, check_chunking_law, every_chunking, read_stream
from easynetwork.serializers import (
    CBORSerializer,
    JSONSerializer,
    MessagePackSerializer,
    PickleSerializer,
    StringLineSerializer,
    StructSerializer,
)
from easynetwork.serializers.abc import AbstractIncrementalPacketSerializer
from easynetwork.serializers.wrapper import Base64EncoderSerializer, BZ2CompressorSerializer, ZlibCompressorSerializer
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler
from easynetwork.warnings import EasyNetworkWarning

PAGE = Page("howto/serializers.md")
CODE = PAGE.run()

Reading: Any = CODE["Reading"]
LengthPrefixedJSON: Any = CODE["LengthPrefixedJSONSerializer"]

in_event_loop = pytest.mark.anyio


class Echo(AsyncStreamRequestHandler[Any, Any]):
    """Answers a bad packet with nothing, and goes on."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []

    async def handle(self, client: AsyncStreamClient[Any]) -> AsyncGenerator[None, Any]:
        try:
            packet = yield
        except StreamProtocolParseError as exc:
            self.errors.append(exc.error)
        else:
            await client.send_packet(packet)


def content_of(serializer: AbstractIncrementalPacketSerializer[Any, Any], data: bytes) -> StreamContent:
    return read_stream(make_receiver(StreamProtocol(serializer), 65536), [data])


def in_stream(serializer: AbstractIncrementalPacketSerializer[Any, Any], *packets: Any) -> bytes:
    return b"".join(chunk for packet in packets for chunk in serializer.incremental_serialize(packet))


# What there is


def test_the_program_prints_what_the_page_shows(tmp_path: Path) -> None:
    write_programs(PAGE, tmp_path)
    for shown, printed in replayed(PAGE, tmp_path):
        assert printed == shown


BUILT_IN: dict[str, tuple[AbstractIncrementalPacketSerializer[Any, Any], Any, bytes]] = {
    "lines": (StringLineSerializer(), "a", b"a\n"),
    "CR": (StringLineSerializer("CR"), "a", b"a\r"),
    "CRLF": (StringLineSerializer("CRLF"), "a", b"a\r\n"),
    "JSON lines": (JSONSerializer(), {"a": [1, None]}, b'{"a":[1,null]}\n'),
    "JSON": (JSONSerializer(use_lines=False), {"a": [1, None]}, b'{"a":[1,null]}'),
    "CBOR": (CBORSerializer(), [1, None], b"\x82\x01\xf6"),
    "MessagePack": (MessagePackSerializer(), [1, None], b"\x92\x01\xc0"),
    "structure": (StructSerializer("HB"), (1, 2), b"\0\1\2"),
    "Base64": (Base64EncoderSerializer(StringLineSerializer()), "abc", b"YWJj\r\n"),
    "zlib": (ZlibCompressorSerializer(StringLineSerializer()), "abc", zlib.compress(b"abc", 9)),
}


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_serializers_give_the_bytes_of_the_table(name: str) -> None:
    serializer, packet, expected = BUILT_IN[name]

    assert in_stream(serializer, packet) == expected
    assert check_chunking_law(serializer, expected * 2) == [packet, packet]
    assert serializer.deserialize(serializer.serialize(packet)) == packet


@pytest.mark.parametrize(("kind", "library"), [(CBORSerializer, "cbor2"), (MessagePackSerializer, "msgpack")])
def test_a_library_that_is_not_there_is_named_with_its_extra(
    kind: Callable[[], object], library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(ModuleNotFoundError, match=rf"en-protocol\[{library.rstrip('2')}\]"):
        kind()


def test_a_newline_inside_is_refused_and_the_empty_line_is_a_packet() -> None:
    lines = CODE["lines"]
    with pytest.raises(ValueError, match="inside"):
        in_stream(lines, "a\r\nb")

    assert in_stream(lines, "") == b"\r\n"
    assert check_chunking_law(lines, b"\r\na\r\n") == ["", "a"]
    assert check_chunking_law(StringLineSerializer(keep_end=True), b"\na\n") == ["\n", "a\n"]


def test_strict_json_has_no_nan() -> None:
    strict = CODE["strict_json"]
    with pytest.raises(ValueError, match="not JSON compliant"):
        strict.serialize(float("nan"))
    with pytest.raises(DeserializeError):
        strict.deserialize(b"NaN")

    assert JSONSerializer().serialize([float("nan"), float("inf")]) == b"[NaN,Infinity]"
    assert in_stream(JSONSerializer(use_lines=False), 3, 4) == b"3\n4\n"
    assert check_chunking_law(JSONSerializer(use_lines=False), b'{\n"a":\n1}') == [{"a": 1}]


def test_cbor_refuses_items_that_cost_more_than_their_bytes() -> None:
    regular_expression = b"\xd8\x23\x64(a+)"
    with pytest.raises(DeserializeError):
        CBORSerializer().deserialize(regular_expression)


def test_a_text_that_is_too_long_for_its_field_is_refused() -> None:
    with pytest.raises(ValueError, match="station"):
        CODE["winds"].serialize(CODE["Wind"]("longyearbyen", 0, 0.0))


def test_pickles_warn_unless_they_are_restricted_and_are_no_stream() -> None:
    with pytest.warns(EasyNetworkWarning):
        unrestricted = PickleSerializer()
    pickled = unrestricted.serialize(os.getcwd)

    assert unrestricted.deserialize(pickled) is os.getcwd
    with pytest.raises(DeserializeError):
        CODE["plain_pickles"].deserialize(pickled)
    assert not isinstance(unrestricted, AbstractIncrementalPacketSerializer)


# Wrap another serializer


@pytest.mark.parametrize("forged_with", [None, Base64EncoderSerializer.generate_key()])
def test_with_a_key_nothing_of_a_stranger_is_inflated(forged_with: bytes | None) -> None:
    bomb: Any = Base64EncoderSerializer(
        ZlibCompressorSerializer(StringLineSerializer()), checksum=forged_with or False
    ).serialize("x" * 10_000_000)
    with pytest.raises(DeserializeError, match="checksum is wrong"):
        CODE["signed"].deserialize(bomb)


def test_a_digest_finds_accidents() -> None:
    with_digest = Base64EncoderSerializer(StringLineSerializer(), checksum=True)
    data = bytearray(with_digest.serialize("abc"))
    data[0] ^= 1

    with pytest.raises(DeserializeError, match="checksum is wrong"):
        with_digest.deserialize(bytes(data))


def test_a_wrapper_carries_a_one_shot_format_over_streams() -> None:
    wrapped = Base64EncoderSerializer(CODE["ReadingSerializer"]())

    assert check_chunking_law(wrapped, in_stream(wrapped, Reading("oslo", -3))) == [Reading("oslo", -3)]


@pytest.mark.parametrize("kind", [ZlibCompressorSerializer, BZ2CompressorSerializer])
def test_nothing_is_inflated_beyond_its_bound(kind: Callable[..., Any]) -> None:
    serializer = kind(StringLineSerializer())
    fits, bomb = serializer.serialize("x" * 1024 * 1024), serializer.serialize("x" * (1024 * 1024 + 1))

    assert len(serializer.deserialize(fits)) == 1024 * 1024
    with pytest.raises(DeserializeError, match="inflates to more than 1048576 bytes"):
        serializer.deserialize(bomb)
    content = content_of(serializer, bomb + fits)
    assert [packet.error for packet in content.packets] == [LimitOverrunError]
    assert content.ended


# Limits


def test_the_limit_is_64_kib_unless_it_is_said_otherwise() -> None:
    limited: list[Any] = [StringLineSerializer(), JSONSerializer(), CBORSerializer(), MessagePackSerializer()]
    limited.append(Base64EncoderSerializer(StringLineSerializer()))

    assert {serializer.buffer_limit for serializer in limited} == {65536}


def test_the_limit_does_not_count_for_datagrams() -> None:
    assert StringLineSerializer(limit=8).deserialize(b"x" * 100) == "x" * 100
    assert JSONSerializer(limit=8).deserialize(b'"%s"' % (b"x" * 100)) == "x" * 100
    for kind in (CBORSerializer, MessagePackSerializer):
        binary = kind(limit=8)
        assert binary.deserialize(binary.serialize("x" * 100)) == "x" * 100


GOES_ON: dict[str, tuple[AbstractIncrementalPacketSerializer[Any, Any], bytes, type[Exception], Any]] = {
    "lines, long": (StringLineSerializer(limit=8), b"x" * 100 + b"\n", LimitOverrunError, "a"),
    "lines, bad": (StringLineSerializer(), b"\xff\n", IncrementalDeserializeError, "a"),
    "JSON lines, long": (JSONSerializer(limit=8), b"[" + b"1," * 100 + b"1]\n", LimitOverrunError, [1]),
    "JSON lines, bad": (JSONSerializer(), b"{\n", IncrementalDeserializeError, [1]),
    "Base64, long": (
        Base64EncoderSerializer(StringLineSerializer(), limit=8),
        b"A" * 100 + b"\r\n",
        LimitOverrunError,
        "a",
    ),
    "Base64, bad": (Base64EncoderSerializer(StringLineSerializer()), b"?\r\n", IncrementalDeserializeError, "a"),
    "JSON, bad": (JSONSerializer(use_lines=False), b"{1}", IncrementalDeserializeError, [1]),
    "CBOR, bad": (CBORSerializer(), b"\x61\xff", IncrementalDeserializeError, [1]),
    "MessagePack, bad": (MessagePackSerializer(), b"\xa1\xff", IncrementalDeserializeError, [1]),
    "zlib, bad inside": (
        ZlibCompressorSerializer(JSONSerializer()),
        zlib.compress(b"{"),
        IncrementalDeserializeError,
        [1],
    ),
    "fixed size, bad": (CODE["CelsiusSerializer"](), b"\x80\0", IncrementalDeserializeError, -3),
}


@pytest.mark.parametrize("name", GOES_ON)
def test_one_error_then_the_next_packet(name: str) -> None:
    serializer, bad, error, packet = GOES_ON[name]
    found = check_chunking_law(serializer, bad + in_stream(serializer, packet))

    assert [type(found[0]), found[0].error, found[1:]] == [BadFrame, error, [packet]]


ENDS: dict[str, tuple[AbstractIncrementalPacketSerializer[Any, Any], bytes, type[Exception]]] = {
    "JSON, long": (JSONSerializer(use_lines=False, limit=8), b"[" + b"1," * 100 + b"1]", LimitOverrunError),
    "CBOR, long": (CBORSerializer(limit=8), b"\x78\x64" + b"x" * 100, LimitOverrunError),
    "CBOR, no end": (CBORSerializer(), b"\x1c", FrameBoundaryLostError),
    "MessagePack, long": (MessagePackSerializer(limit=8), b"\xd9\x64" + b"x" * 100, LimitOverrunError),
    "MessagePack, no end": (MessagePackSerializer(), b"\xc1", FrameBoundaryLostError),
    "zlib, long": (ZlibCompressorSerializer(JSONSerializer(), limit=8), zlib.compress(b"[" * 9), LimitOverrunError),
    "zlib, bad": (ZlibCompressorSerializer(JSONSerializer()), b"garbage", FrameBoundaryLostError),
    "file, too hot": (CODE["ReportSerializer"](), b"\1\xff", FrameBoundaryLostError),
    "prefix, long": (LengthPrefixedJSON(limit=8), b"\xff\xff\xff\xff[1]", LimitOverrunError),
}


@pytest.mark.parametrize("name", ENDS)
def test_one_error_then_the_stream_reads_as_ended(name: str) -> None:
    serializer, bad, error = ENDS[name]
    content = content_of(serializer, bad + b"\x00\n[1]")

    assert [packet.error for packet in content.packets] == [error]
    assert content.ended


@in_event_loop
async def test_a_handler_sees_an_overlong_packet_once_and_then_the_next_one() -> None:
    handler = Echo()
    async with serving(handler, protocol=StreamProtocol(StringLineSerializer(limit=8))) as (_, peer):
        await peer.send("x" * 100_000)
        assert await peer.ask("bergen") == "bergen"

    assert [type(error) for error in handler.errors] == [LimitOverrunError]


@in_event_loop
async def test_a_connection_ends_whose_next_packet_cannot_be_found() -> None:
    handler = Echo()
    protocol = StreamProtocol(JSONSerializer(use_lines=False, limit=8))
    async with serving(handler, protocol=protocol) as (_, peer):
        await peer.send("[" + "1," * 100, "[1]")
        assert await peer.is_closed()

    assert [type(error) for error in handler.errors] == [LimitOverrunError]


# Write your own

IMAGE = bytes(range(256)) * 16

OWN: dict[str, list[Any]] = {
    "ReadingLineSerializer": [Reading("oslo", -3), Reading("bergen", 5)],
    "CelsiusSerializer": [-273, 0, 40],
    "ReportSerializer": [[1, 2, 3], [], [100]],
    "LengthPrefixedJSONSerializer": [{"a": 1}, None, "x" * 1000],
    "RadarImageSerializer": [IMAGE, IMAGE[::-1]],
}


@pytest.mark.parametrize("name", OWN)
def test_the_serializers_of_the_page_keep_the_laws(name: str) -> None:
    serializer, packets = CODE[name](), OWN[name]
    data = in_stream(serializer, *packets)
    chunkings = [[data], *(list(pieces) for pieces in list(every_chunking(data))[:: max(1, len(data) // 40)])]

    assert check_chunking_law(serializer, data, chunkings) == packets
    assert [serializer.deserialize(serializer.serialize(packet)) for packet in packets] == packets


@in_event_loop
@pytest.mark.parametrize("kind", [StreamProtocol, BufferedStreamProtocol])
@pytest.mark.parametrize("name", OWN)
async def test_the_serializers_of_the_page_work_on_a_server(name: str, kind: Callable[[Any], Any]) -> None:
    if kind is BufferedStreamProtocol and name == "LengthPrefixedJSONSerializer":
        with pytest.raises(TypeError, match="serializer"):
            kind(CODE[name]())
        return
    async with serving(Echo(), protocol=kind(CODE[name]())) as (server, _):
        address = server.get_addresses()[0].for_connection()
        async with AsyncTCPNetworkClient[Any, Any](address, kind(CODE[name]())) as client:
            for packet in OWN[name]:
                await client.send_packet(packet)
            for packet in OWN[name]:
                assert await client.recv_packet() == packet


@pytest.mark.parametrize("data", [b"", b"oslo", b"oslo=cold", b"a=1=2", b"\xff=1"])
def test_a_one_shot_serializer_raises_one_error_for_all_bad_data(data: bytes) -> None:
    with pytest.raises(DeserializeError):
        CODE["ReadingSerializer"]().deserialize(data)


def test_a_separator_inside_is_refused_and_at_the_end_stripped() -> None:
    serializer = CODE["ReadingLineSerializer"]()
    with pytest.raises(ValueError, match="inside"):
        in_stream(serializer, Reading("os;lo", 1))

    assert in_stream(StringLineSerializer(), "a\n\n") == b"a\n"


def test_bad_documents_behind_a_length_are_errors_and_reading_goes_on() -> None:
    found = check_chunking_law(LengthPrefixedJSON(), b"\0\0\0\1{\0\0\0\x011")

    assert [found[0].error, found[1]] == [IncrementalDeserializeError, 1]


@in_event_loop
async def test_a_plain_error_of_an_incremental_serializer_is_a_bug(caplog: pytest.LogCaptureFixture) -> None:
    class Buggy(LengthPrefixedJSON):  # type: ignore[misc]  # it comes from the page
        def incremental_deserialize(self) -> Any:
            yield
            raise DeserializeError("which bytes are next?")

    async with serving(Echo(), protocol=StreamProtocol(Buggy())) as (_, peer):
        await peer.send("anything")
        assert await peer.is_closed()

    (error,) = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert isinstance(error, RuntimeError)
    assert str(error.__cause__) == "DeserializeError raised instead of IncrementalDeserializeError"
