# SPDX-License-Identifier: Apache-2.0
"""What the constructors of all stream clients have to understand."""

from __future__ import annotations

import contextlib
import socket as _socket
import ssl as _ssl
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final

from easynetwork.lowlevel.tls import TLSOptions
from easynetwork.protocol import BufferedStreamProtocol, StreamProtocol

__all__ = ("ClientTLS", "check_max_recv_size", "check_protocol", "closed_on_error", "split_address_or_socket")

_MAX_RECV_SIZE: Final = 65536  # as the servers' default


@dataclass(frozen=True)
class ClientTLS:
    """How a client makes its connection secure."""

    options: TLSOptions

    server_hostname: str | None
    """The name that the server's certificate must have; None where it may have any."""

    @classmethod
    def from_arguments(
        cls,
        ssl: _ssl.SSLContext | bool | None,
        server_hostname: str | None,
        handshake_timeout: float | None,
        shutdown_timeout: float | None,
        standard_compatible: bool | None,
        *,
        host: str | None,
    ) -> ClientTLS | None:
        """Translates the ``ssl*`` arguments; ``host`` is what the client connects to, None if it is given a socket.

        Raises:
            TypeError, ValueError: as the client's constructor says.
        """
        _check_name(server_hostname)
        if server_hostname is not None and not ssl:
            raise ValueError("server_hostname: means nothing without ssl=")
        context: _ssl.SSLContext | None = None
        if ssl is True:
            context = _ssl.create_default_context()
            context.check_hostname = server_hostname != ""
        elif ssl is not False:
            context = ssl
        options = TLSOptions.from_arguments(context, handshake_timeout, shutdown_timeout, standard_compatible)
        if options is None:
            return None
        if server_hostname is None:
            server_hostname = host
            if not server_hostname:
                raise ValueError("server_hostname: required with ssl= when there is no host name to take it from")
        if not server_hostname and options.context.check_hostname:
            raise ValueError("server_hostname: the empty name needs an SSLContext with check_hostname=False")
        return cls(options, server_hostname or None)


def split_address_or_socket(given: Any) -> tuple[tuple[str, int], None] | tuple[None, _socket.socket]:
    """Tells an address from a connected socket.

    Raises:
        TypeError: it is neither.
        ValueError: it is a socket of another kind than TCP, or a port out of range.
        OSError: the socket is not connected.
    """
    match given:
        case _ssl.SSLSocket():
            raise TypeError("address_or_socket: expected a plain socket, which ssl= makes secure, got an SSLSocket")
        case _socket.socket():
            if given.type != _socket.SOCK_STREAM or given.family not in (_socket.AF_INET, _socket.AF_INET6):
                raise ValueError("address_or_socket: expected a TCP socket")
            given.getpeername()
            return None, given
        case (str(host), int(port)) if not isinstance(port, bool):
            if not 0 < port <= 65535:
                raise ValueError(f"address_or_socket: expected a port from 1 to 65535, got {port}")
            return (host, port), None
        case _:
            raise TypeError(
                f"address_or_socket: expected a (host, port) tuple or a connected socket, got {type(given).__name__}"
            )


def _check_name(server_hostname: object) -> None:
    if not isinstance(server_hostname, str | None):
        raise TypeError(f"server_hostname: expected a str, got {type(server_hostname).__name__}")


@contextlib.contextmanager
def closed_on_error(given: object) -> Generator[None, None, None]:
    """A constructor that fails does not leave a socket behind that was given to it."""
    try:
        yield
    except BaseException:
        if isinstance(given, _socket.socket):
            given.close()
        raise


def check_protocol(protocol: object) -> None:
    if not isinstance(protocol, (StreamProtocol, BufferedStreamProtocol)):
        raise TypeError(
            f"protocol: expected a StreamProtocol or a BufferedStreamProtocol, got {type(protocol).__name__}"
        )


def check_max_recv_size(max_recv_size: object) -> int:
    if max_recv_size is None:
        return _MAX_RECV_SIZE
    if isinstance(max_recv_size, bool) or not isinstance(max_recv_size, int):
        raise TypeError(f"max_recv_size: expected an int, got {type(max_recv_size).__name__}")
    if max_recv_size < 1:
        raise ValueError(f"max_recv_size: expected 1 or more, got {max_recv_size}")
    return max_recv_size
