# SPDX-License-Identifier: Apache-2.0
"""What the constructors of all clients have to understand."""

from __future__ import annotations

import contextlib
import os
import socket as _socket
import ssl as _ssl
import sys
from collections.abc import Collection, Generator
from typing import Any, Final, cast

from easynetwork.exceptions import UnsupportedOperation
from easynetwork.lowlevel.defaults import MAX_RECV_SIZE
from easynetwork.lowlevel.socket import UnixSocketAddress
from easynetwork.lowlevel.unix_files import unix_address
from easynetwork.protocol import BufferedStreamProtocol, DatagramProtocol, StreamProtocol

from ._blocking_transport import BlockingTransport

__all__ = (
    "UnixPath",
    "check_datagram_protocol",
    "check_inet_family",
    "check_max_recv_size",
    "check_stream_protocol",
    "closed_on_error",
    "inet_address_or_socket",
    "unix_address_or_socket",
    "unix_answer_address",
    "unix_local_address",
)

UnixPath = str | bytes | os.PathLike[str] | os.PathLike[bytes] | UnixSocketAddress
"""A file name, or an address, which may also be an abstract name."""

_INET: Final = (_socket.AF_INET, _socket.AF_INET6)
_UNIX: Final = getattr(_socket, "AF_UNIX", None)  # not every system has it


@contextlib.contextmanager
def closed_on_error(given: object) -> Generator[None, None, None]:
    """A constructor that fails does not leave a socket behind that was given to it, or that it has
    made.
    """
    try:
        yield
    except BaseException:
        if isinstance(given, _socket.socket | BlockingTransport):
            given.close()
        raise


def inet_address_or_socket(given: Any, kind: int) -> tuple[tuple[str, int], None] | tuple[None, _socket.socket]:
    """Tells an address from a connected socket of the ``kind``, `SOCK_STREAM` or `SOCK_DGRAM`.

    Raises:
        TypeError: it is neither.
        ValueError: it is a socket of another kind, or a port out of range.
        OSError: the socket is not connected.
    """
    match given:
        case _socket.socket():
            _check_socket(given, _INET, kind, "TCP" if kind == _socket.SOCK_STREAM else "UDP")
            return None, given
        case (str(host), int(port)) if not isinstance(port, bool):
            if not 0 < port <= 65535:
                raise ValueError(f"address_or_socket: expected a port from 1 to 65535, got {port}")
            return (host, port), None
        case _:
            raise TypeError(
                f"address_or_socket: expected a (host, port) tuple or a connected socket, got {type(given).__name__}"
            )


def check_inet_family(family: object) -> None:
    if family not in (_socket.AF_UNSPEC, *_INET):
        raise ValueError(f"family: expected AF_UNSPEC, AF_INET or AF_INET6, got {family!r}")


def unix_address_or_socket(given: Any, kind: int) -> tuple[UnixSocketAddress, None] | tuple[None, _socket.socket]:
    """As `inet_address_or_socket`, for Unix sockets.

    Raises:
        UnsupportedOperation: there are none on this system.
    """
    if _UNIX is None:
        raise UnsupportedOperation("this system has no Unix sockets")
    if isinstance(given, _socket.socket):
        _check_socket(given, (_UNIX,), kind, "Unix stream" if kind == _socket.SOCK_STREAM else "Unix datagram")
        return None, given
    address = _unix_address("address_or_socket", given, "a path, a UnixSocketAddress or a connected socket")
    if address.is_unnamed():
        raise ValueError("address_or_socket: nobody can be reached without a name")
    return address, None


def unix_local_address(given: Any) -> UnixSocketAddress | None:
    """What ``local_path=`` means.

    Raises:
        TypeError: it is no path.
    """
    return None if given is None else _unix_address("local_path", given, "a path or a UnixSocketAddress")


def unix_answer_address(given: Any) -> UnixSocketAddress:
    """What ``local_path=`` means to a datagram client, which gets answers only if it is bound to
    something.

    Raises:
        TypeError: it is no path.
        ValueError: there is none, and this system cannot choose one.
    """
    address = unix_local_address(given)
    if address is None:
        if sys.platform != "linux":
            raise ValueError("local_path: required, because this system has no abstract names to choose from")
        return UnixSocketAddress()
    return address


def _unix_address(name: str, given: Any, expected: str) -> UnixSocketAddress:
    if not isinstance(given, str | bytes | os.PathLike | UnixSocketAddress):
        raise TypeError(f"{name}: expected {expected}, got {type(given).__name__}")
    return unix_address(cast("UnixPath", given))


def _check_socket(sock: _socket.socket, families: Collection[int], kind: int, name: str) -> None:
    if isinstance(sock, _ssl.SSLSocket):
        raise TypeError("address_or_socket: expected a plain socket (ssl= makes that of TCP secure), got an SSLSocket")
    if sock.type != kind or sock.family not in families:
        raise ValueError(f"address_or_socket: expected a {name} socket")
    sock.getpeername()


def check_stream_protocol(protocol: object) -> None:
    if not isinstance(protocol, (StreamProtocol, BufferedStreamProtocol)):
        raise TypeError(
            f"protocol: expected a StreamProtocol or a BufferedStreamProtocol, got {type(protocol).__name__}"
        )


def check_datagram_protocol(protocol: object) -> None:
    if not isinstance(protocol, DatagramProtocol):
        raise TypeError(f"protocol: expected a DatagramProtocol, got {type(protocol).__name__}")


def check_max_recv_size(max_recv_size: object) -> int:
    if max_recv_size is None:
        return MAX_RECV_SIZE
    if isinstance(max_recv_size, bool) or not isinstance(max_recv_size, int):
        raise TypeError(f"max_recv_size: expected an int, got {type(max_recv_size).__name__}")
    if max_recv_size < 1:
        raise ValueError(f"max_recv_size: expected 1 or more, got {max_recv_size}")
    return max_recv_size
