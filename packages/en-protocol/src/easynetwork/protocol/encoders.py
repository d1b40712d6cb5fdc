# SPDX-License-Identifier: Apache-2.0
"""Encoders: a packet in, all its bytes out.

The other half of `easynetwork.protocol.receivers`. For datagrams, decoders as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from easynetwork.exceptions import DatagramProtocolParseError, DeserializeError
from easynetwork.serializers.framing import FramedPacketSerializer

from ._base import inherits
from ._datagram import DatagramProtocol
from ._stream import AnyStreamProtocolType, StreamProtocolBase

__all__ = ("encoder_crashed", "make_datagram_decoder", "make_datagram_encoder", "make_encoder")

_SentT = TypeVar("_SentT")
_ReceivedT = TypeVar("_ReceivedT")


def make_encoder(protocol: AnyStreamProtocolType[_SentT, Any]) -> Callable[[_SentT], bytes]:
    """Make the function that turns the packets of ``protocol`` into bytes.

    It raises what the protocol raises; callers make an `encoder_crashed` of it.
    """
    if not inherits(protocol, StreamProtocolBase, "generate_chunks") or protocol.converter is not None:
        return lambda packet: b"".join(protocol.generate_chunks(packet))
    serializer = protocol.serializer
    if isinstance(serializer, FramedPacketSerializer) and inherits(
        serializer, FramedPacketSerializer, "incremental_serialize"
    ):
        return serializer.serialize_frame  # what the generators come to, where nobody has changed them
    return lambda packet: b"".join(serializer.incremental_serialize(packet))


def encoder_crashed() -> RuntimeError:
    """What users see when a packet cannot be encoded, with the protocol's error as the cause."""
    return RuntimeError("protocol.generate_chunks() crashed")


def make_datagram_encoder(protocol: DatagramProtocol[_SentT, Any]) -> Callable[[_SentT], bytes]:
    """Make the function that turns the packets of ``protocol`` into datagrams.

    It raises `RuntimeError`, with the protocol's error as the cause, if a packet cannot be encoded.
    """
    make_datagram: Callable[[_SentT], bytes] = protocol.make_datagram
    if _is_bare(protocol) and inherits(protocol, DatagramProtocol, "make_datagram"):
        make_datagram = protocol.serializer.serialize  # what it comes to, where nobody has changed it

    def encode(packet: _SentT) -> bytes:
        try:
            return make_datagram(packet)
        except Exception as exc:
            raise RuntimeError("protocol.make_datagram() crashed") from exc

    return encode


def make_datagram_decoder(protocol: DatagramProtocol[Any, _ReceivedT]) -> Callable[[bytes], _ReceivedT]:
    """Make the function that turns datagrams into the packets of ``protocol``.

    It raises `DatagramProtocolParseError` for a bad datagram, and `RuntimeError`, with the
    protocol's error as the cause, if the protocol fails in another way.
    """
    build_packet: Callable[[bytes], Any] = protocol.build_packet_from_datagram
    if _is_bare(protocol) and inherits(protocol, DatagramProtocol, "build_packet_from_datagram"):
        build_packet = protocol.serializer.deserialize  # what it comes to, where nobody has changed it

    def decode(datagram: bytes) -> _ReceivedT:
        try:
            return build_packet(datagram)  # type: ignore[no-any-return]  # the serializer's packets are the protocol's where nothing converts them
        except DatagramProtocolParseError:
            raise
        except DeserializeError as exc:
            raise DatagramProtocolParseError(exc) from exc
        except Exception as exc:
            raise RuntimeError("protocol.build_packet_from_datagram() crashed") from exc

    return decode


def _is_bare(protocol: DatagramProtocol[Any, Any]) -> bool:
    """Whether nothing converts the serializer's packets.

    A subclass that does it all itself may have neither serializer nor converter.
    """
    return getattr(protocol, "converter", protocol) is None
