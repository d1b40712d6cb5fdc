# SPDX-License-Identifier: Apache-2.0
"""What the page "Protocols and converters" says, section by section."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from datagram_peers import udp_peer
from page_sessions import replayed, write_programs
from pages import Page
from running_server import running
from stream_peers import trouble
from tcp_peers import LinePeer, connected, serving

from easynetwork.clients import AsyncTCPNetworkClient
from easynetwork.converter import AbstractPacketConverter, AbstractPacketConverterComposite
from easynetwork.exceptions import (
    DatagramProtocolParseError,
    LimitOverrunError,
    PacketConversionError,
    StreamProtocolParseError,
)
from easynetwork.protocol import AnyStreamProtocolType, BufferedStreamProtocol, DatagramProtocol, StreamProtocol
from easynetwork.protocol.receivers import make_receiver
from easynetwork.serializers import JSONSerializer, PickleSerializer, StringLineSerializer
from easynetwork.serializers.abc import AbstractIncrementalPacketSerializer
from easynetwork.serializers.composite import StapledPacketSerializer
from easynetwork.servers.async_udp import AsyncUDPNetworkServer
from easynetwork.servers.handlers import (
    AsyncDatagramClient,
    AsyncDatagramRequestHandler,
    AsyncStreamClient,
    AsyncStreamRequestHandler,
)
from easynetwork.warnings import EasyNetworkWarning

PAGE = Page("howto/protocols.md")
CODE = PAGE.run()

Parcel: Any = CODE["Parcel"]
Postage: Any = CODE["Postage"]
Counter: Any = CODE["Counter"]
ServerProtocol: Any = CODE["ServerProtocol"]
ClientProtocol: Any = CODE["ClientProtocol"]

in_event_loop = pytest.mark.anyio


# The first program


def test_the_program_prints_what_the_page_shows(tmp_path: Path) -> None:
    write_programs(PAGE, tmp_path)
    for shown, printed in replayed(PAGE, tmp_path):
        assert printed == shown


# Choose the kind


def test_a_serializer_that_cannot_do_what_is_asked_for_is_refused() -> None:
    class OnlyIncremental(AbstractIncrementalPacketSerializer[Any, Any]):
        incremental_serialize = incremental_deserialize = None  # type: ignore[assignment]  # never called

    with pytest.warns(EasyNetworkWarning):
        one_shot: Any = PickleSerializer()
    DatagramProtocol(one_shot)
    with pytest.raises(TypeError, match="serializer"):
        StreamProtocol(one_shot)
    incremental: Any = OnlyIncremental()
    StreamProtocol(incremental)
    with pytest.raises(TypeError, match="serializer"):
        BufferedStreamProtocol(incremental)


@in_event_loop
@pytest.mark.parametrize("kind", [StreamProtocol, BufferedStreamProtocol])
async def test_servers_and_clients_of_streams_take_either_kind(kind: Callable[[Any], Any]) -> None:
    def protocol() -> AnyStreamProtocolType[Any, Any]:
        return kind(StringLineSerializer())  # type: ignore[no-any-return]  # one of two kinds

    async with serving(Echo(), protocol=protocol()) as (server, _):
        address = server.get_addresses()[0].for_connection()
        async with AsyncTCPNetworkClient(address, protocol()) as client:
            await client.send_packet("hello")
            assert await client.recv_packet() == "hello"


@in_event_loop
async def test_one_protocol_object_serves_connections_that_are_in_the_middle_of_packets() -> None:
    async with serving(Echo()) as (server, peer), connected(server) as other:
        await peer.stream.send(b"he")
        await other.stream.send(b"good")
        await peer.stream.send(b"llo\n")
        await other.stream.send(b"bye\n")

        assert [await peer.receive(), await other.receive()] == ["hello", "goodbye"]


class Echo(AsyncStreamRequestHandler[Any, Any]):
    async def handle(self, client: AsyncStreamClient[Any]) -> AsyncGenerator[None, Any]:
        packet = yield
        await client.send_packet(packet)


# Say once what is exchanged; use your own classes


def received_by(protocol: Any, data: bytes) -> Any:
    receiver = make_receiver(protocol, 65536)
    receiver.feed(data)
    return receiver.next_packet()


def test_a_derived_protocol_needs_no_arguments() -> None:
    assert received_by(CODE["NotesProtocol"](), "größer\n".encode()) == "größer"
    with pytest.raises(StreamProtocolParseError) as caught:
        received_by(CODE["NotesProtocol"](), b"x" * 501 + b"\n")
    assert isinstance(caught.value.error, LimitOverrunError)


def test_a_converter_goes_in_both_directions() -> None:
    protocol = CODE["ParcelProtocol"]()
    sent = b"".join(protocol.generate_chunks(Parcel(450, "NO")))

    assert received_by(protocol, sent) == Parcel(450, "NO")


@pytest.mark.parametrize("document", [b"[]", b"3", b"null", b'{"grams":0,"country":"NO"}', b'{"grams":"1"}'])
def test_what_does_not_fit_is_refused_whatever_its_type(document: bytes) -> None:
    with pytest.raises(StreamProtocolParseError) as caught:
        received_by(CODE["ParcelProtocol"](), document + b"\n")

    assert isinstance(caught.value.error, PacketConversionError)


# Send one class, receive another


@in_event_loop
async def test_server_and_client_staple_the_same_two_converters() -> None:
    async with serving(Counter(), protocol=ServerProtocol()) as (server, _):
        address = server.get_addresses()[0].for_connection()
        async with AsyncTCPNetworkClient(address, ClientProtocol()) as client:
            await client.send_packet(Parcel(450, "NO"))
            assert await client.recv_packet() == Postage(135)


def test_a_composite_has_both_directions_in_one_class() -> None:
    class Both(AbstractPacketConverterComposite[int, str, str, int]):
        def convert_to_dto_packet(self, obj: int, /) -> str:
            return str(obj)

        def create_from_dto_packet(self, packet: int, /) -> str:
            return f"number {packet}"

    protocol = DatagramProtocol(JSONSerializer(), Both())

    assert protocol.make_datagram(3) == b'"3"'
    assert protocol.build_packet_from_datagram(b"3") == "number 3"


def test_stapled_serializers_have_a_format_for_each_direction() -> None:
    protocol = DatagramProtocol(StapledPacketSerializer(JSONSerializer(), StringLineSerializer()))

    assert protocol.make_datagram([1]) == b"[1]"
    assert protocol.build_packet_from_datagram(b"[1]") == "[1]"


# Answer bad packets


@in_event_loop
async def test_a_bad_packet_is_lost_and_the_connection_is_not(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "counter")
    async with serving(Counter(), protocol=ServerProtocol()) as (_, peer):
        await peer.send('{"grams":-1}', "{oops", '{"grams":450,"country":"NO"}')
        answers = [await peer.receive() for _ in range(3)]

    assert answers == ['{"cents":0}', '{"cents":0}', '{"cents":135}']
    assert [record.getMessage() for record in caplog.records if record.name == "counter"] == [
        "refused: not a parcel",
        "not even JSON",
    ]
    assert trouble(caplog) == []


class Muddled(Echo):
    async def on_connection(self, client: AsyncStreamClient[Any]) -> None:
        await client.send_packet('{"cents":"many"}')
        await client.send_packet('{"cents":5}')


@in_event_loop
async def test_a_client_can_go_on_after_a_bad_packet() -> None:
    async with serving(Muddled()) as (server, _):
        address = server.get_addresses()[0].for_connection()
        async with AsyncTCPNetworkClient(address, ClientProtocol()) as client:
            with pytest.raises(StreamProtocolParseError) as caught:
                await client.recv_packet()
            assert isinstance(caught.value.error, PacketConversionError)
            assert caught.value.error.error_info == {"cents": "many"}
            assert caught.value.remaining_data == b""

            assert await client.recv_packet() == Postage(5)


@pytest.mark.parametrize(("debug", "expected"), [(False, None), (True, {"data": b"{oops"})])
def test_serializers_tell_more_in_debug_mode_only(debug: bool, expected: object) -> None:
    with pytest.raises(StreamProtocolParseError) as caught:
        received_by(StreamProtocol(JSONSerializer(debug=debug)), b"{oops\n")

    assert caught.value.error.error_info == expected
    assert isinstance(caught.value.error.__cause__, ValueError) == debug
    assert "oops" not in str(caught.value)


# Bad input or a bug


class Careless(AbstractPacketConverter[Any, Any]):
    """Written for good peers."""

    def convert_to_dto_packet(self, obj: Any, /) -> Any:
        return {"it": obj["it"]}

    def create_from_dto_packet(self, packet: Any, /) -> Any:
        return packet["it"]


class Outraged(AsyncStreamRequestHandler[Any, Any]):
    """Sends what it has caught."""

    async def handle(self, client: AsyncStreamClient[Any]) -> AsyncGenerator[None, Any]:
        try:
            packet = yield
            await client.send_packet(packet)
        except RuntimeError as exc:
            await client.send_packet({"it": f"{exc}: {exc.__cause__!r}"})


@asynccontextmanager
async def outraged(kind: Callable[..., Any] = StreamProtocol) -> AsyncGenerator[LinePeer]:
    async with serving(Outraged(), protocol=kind(JSONSerializer(), Careless())) as (_, peer):
        yield peer


@in_event_loop
@pytest.mark.parametrize(("kind", "source"), [(StreamProtocol, "chunks"), (BufferedStreamProtocol, "buffer")])
async def test_another_exception_is_a_bug_after_which_a_stream_cannot_be_read(
    kind: Callable[..., Any], source: str
) -> None:
    async with outraged(kind) as peer:
        await peer.send('{"that":1}', '{"it":{"it":2}}')

        assert await peer.receive() == (f'{{"it":"protocol.build_packet_from_{source}() crashed: KeyError(\'it\')"}}')
        assert await peer.is_closed()


@in_event_loop
async def test_a_packet_that_cannot_be_sent_is_a_bug_and_the_connection_goes_on() -> None:
    async with outraged() as peer:
        assert await peer.ask('{"it":{"that":1}}') == ('{"it":"protocol.generate_chunks() crashed: KeyError(\'it\')"}')
        assert await peer.ask('{"it":{"it":2}}') == '{"it":2}'


class OutragedDesk(AsyncDatagramRequestHandler[Any, Any]):
    async def handle(self, client: AsyncDatagramClient[Any]) -> AsyncGenerator[None, Any]:
        try:
            packet = yield
            await client.send_packet(packet)
        except RuntimeError as exc:
            await client.send_packet({"it": f"{exc}: {exc.__cause__!r}"})


@in_event_loop
async def test_a_bug_costs_one_datagram() -> None:
    server: Any = AsyncUDPNetworkServer("127.0.0.1", 0, DatagramProtocol(JSONSerializer(), Careless()), OutragedDesk())
    async with running(server):
        with udp_peer(server) as peer:
            answer = '{"it":"protocol.%s() crashed: KeyError(\'it\')"}'
            assert await peer.ask('{"that":1}') == answer % "build_packet_from_datagram"
            assert await peer.ask('{"it":{"that":1}}') == answer % "make_datagram"
            assert await peer.ask('{"it":{"it":2}}') == '{"it":2}'


# Test without a network


def test_the_generator_hands_back_what_is_behind_a_bad_packet() -> None:
    reader = ServerProtocol().build_packet_from_chunks()
    next(reader)
    with pytest.raises(StreamProtocolParseError) as caught:
        reader.send(b'{"grams":0}\n{"grams":')

    assert caught.value.error.error_info == {"grams": 0}
    assert caught.value.remaining_data == b'{"grams":'


def test_a_datagram_is_read_in_one_call() -> None:
    with pytest.raises(DatagramProtocolParseError) as caught:
        CODE["DatagramServerProtocol"]().build_packet_from_datagram(b"[]")

    assert str(caught.value.error) == "not a parcel"
