# SPDX-License-Identifier: Apache-2.0
"""What a server was told, as records: a connection or a peer takes them, and does not know its
service.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sized
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from easynetwork.lowlevel.defaults import MAX_RECV_SIZE
from easynetwork.lowlevel.streams import ByteStream

from ..handlers import AsyncDatagramRequestHandler, AsyncStreamRequestHandler
from ..options import ServerLimits, ServerTimeouts
from .datagram_reader import DatagramReader

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
    from easynetwork.protocol import AnyStreamProtocolType, DatagramProtocol

__all__ = ("BACKLOG", "DatagramSettings", "Established", "PeerAttributes", "StreamSettings", "no_tls")

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")
_DatagramT = TypeVar("_DatagramT", bound=Sized)

BACKLOG: Final = 512
"""Connections that may wait to be accepted, unless the server's option says otherwise; the kernel
may lower it (net.core.somaxconn)."""

PeerAttributes = Callable[[], Mapping[Any, Callable[[], Any]]]
"""Makes the typed attributes of a peer. They are made when they are asked for, which few handlers
do: they would be a tenth of an idle connection."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Established:
    """An accepted connection that is ready for packets."""

    stream: ByteStream

    early_bytes: bytes = b""
    """Bytes of the first packets, which were read already."""

    address: object = None
    """The peer's address, if it is another one than the socket's (behind a proxy): for the log, and
    to be counted under."""

    attributes: Mapping[Any, Callable[[], Any]] = field(default_factory=dict[Any, Callable[[], Any]])
    """Typed attributes to add, in place of those of the same name."""


async def no_tls(stream: ByteStream) -> Established:
    """Takes a connection as it is."""
    return Established(stream=stream)


@dataclass(frozen=True, kw_only=True)
class StreamSettings(Generic[_RequestT, _ResponseT]):
    """Of a server of TCP or Unix streams."""

    backend: AsyncBackend
    protocol: AnyStreamProtocolType[_ResponseT, _RequestT]
    handler: AsyncStreamRequestHandler[_RequestT, _ResponseT]
    logger: logging.Logger

    describe_peer: Callable[[ByteStream], tuple[object, PeerAttributes]]
    """Gives the address of a peer, and its typed attributes. Raises `OSError` if the connection is
    gone already."""

    establish: Callable[[ByteStream], Awaitable[Established]] = no_tls
    """Makes an accepted connection ready for packets (TLS); runs in the client's task."""

    limits: ServerLimits = field(default_factory=ServerLimits)
    timeouts: ServerTimeouts = field(default_factory=ServerTimeouts)

    max_recv_size: int = MAX_RECV_SIZE
    """Bytes that one read may bring."""

    ancillary_bufsize: int = 0
    """Bytes of control messages that one read may bring, on transports that have them."""

    connection_log_level: int = logging.INFO


@dataclass(frozen=True, kw_only=True)
class DatagramSettings(Generic[_DatagramT, _RequestT, _ResponseT]):
    """Of a server of UDP or Unix datagrams."""

    backend: AsyncBackend
    protocol: DatagramProtocol[_ResponseT, _RequestT]
    handler: AsyncDatagramRequestHandler[_RequestT, _ResponseT]
    logger: logging.Logger

    peer_name: Callable[[Any, Any], object]
    """Gives what the log calls a peer, of listener and address."""

    describe_peer: Callable[[Any, Any], Mapping[Any, Callable[[], Any]]]
    """Gives the typed attributes of a peer, of listener and address."""

    reader: DatagramReader[_DatagramT, _RequestT]
    """Makes packets of datagrams."""

    send_with_control: Callable[[Any, bytes, Any, Any], Awaitable[None]] | None = None
    """Sends data and control messages, of listener, data, messages and address; None where there
    are none."""

    limits: ServerLimits = field(default_factory=ServerLimits)
    timeouts: ServerTimeouts = field(default_factory=ServerTimeouts)
