# SPDX-License-Identifier: Apache-2.0
"""Servers of every kind, with a command handler."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from attacks.command_handler import Commands, DatagramCommandHandler, StreamCommandHandler

from easynetwork.protocol import DatagramProtocol, StreamProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.serializers.wrapper.compressor import BZ2CompressorSerializer, ZlibCompressorSerializer
from easynetwork.servers.async_tcp import AsyncTCPNetworkServer
from easynetwork.servers.async_udp import AsyncUDPNetworkServer
from easynetwork.servers.async_unix_datagram import AsyncUnixDatagramServer
from easynetwork.servers.async_unix_stream import AsyncUnixStreamServer
from easynetwork.servers.options import ServerLimits, ServerTimeouts

__all__ = ("KINDS", "make_server", "serializer")

_HOST = "127.0.0.1"


def serializer(name: str, limit: int) -> Any:
    """Of strings: lines, or lines that are compressed with the method ``name``."""
    lines = StringLineSerializer(limit=limit)
    wrappers: dict[str, Callable[..., Any]] = {"zlib": ZlibCompressorSerializer, "bz2": BZ2CompressorSerializer}
    return wrappers[name](lines, limit=limit) if name in wrappers else lines


def _tcp(commands: Commands, serializer: Any, options: dict[str, Any]) -> Any:
    return AsyncTCPNetworkServer(_HOST, 0, StreamProtocol(serializer), StreamCommandHandler(commands), **options)


def _tls(commands: Commands, serializer: Any, options: dict[str, Any]) -> Any:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(options.pop("certificate"))
    return _tcp(commands, serializer, {**options, "ssl": context})


def _udp(commands: Commands, serializer: Any, options: dict[str, Any]) -> Any:
    return AsyncUDPNetworkServer(_HOST, 0, DatagramProtocol(serializer), DatagramCommandHandler(commands), **options)


def _unix_stream(commands: Commands, serializer: Any, options: dict[str, Any]) -> Any:
    return AsyncUnixStreamServer(
        options.pop("path"), StreamProtocol(serializer), StreamCommandHandler(commands), **options
    )


def _unix_datagram(commands: Commands, serializer: Any, options: dict[str, Any]) -> Any:
    options.setdefault("receive_ancillary_data", True)
    return AsyncUnixDatagramServer(
        options.pop("path"), DatagramProtocol(serializer), DatagramCommandHandler(commands), **options
    )


_RECORDS: dict[str, Callable[..., object]] = {"limits": ServerLimits, "timeouts": ServerTimeouts}

KINDS: dict[str, Callable[[Commands, Any, dict[str, Any]], Any]] = {
    "tcp": _tcp,
    "tls": _tls,
    "udp": _udp,
    "unix_stream": _unix_stream,
    "unix_datagram": _unix_datagram,
}


def make_server(
    kind: str, commands: Commands, serializer: Any, *, certificate: str, path: str, options: dict[str, Any]
) -> Any:
    """A server of one kind.

    Args:
        certificate: a file with the certificate and the key of a server with TLS.
        path: where a Unix server listens.
        options: more arguments of the server's constructor.
    """
    own = dict(options)
    for name, record in _RECORDS.items():
        if name in own:
            own[name] = record(**own[name])
    if kind == "tls":
        own["certificate"] = certificate
    if kind.startswith("unix"):
        own["path"] = path
    return KINDS[kind](commands, serializer, own)
