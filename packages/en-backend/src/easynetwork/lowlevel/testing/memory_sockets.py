# SPDX-License-Identifier: Apache-2.0
"""What in-memory transports know of sockets: their addresses, who is bound where, and a view that
takes options.
"""

from __future__ import annotations

import errno
import ipaddress
import itertools
import socket as _socket
from typing import Any, Final, Generic, Protocol, TypeVar, overload

from ..socket import IPv4SocketAddress, IPv6SocketAddress

__all__ = ("AddressBook", "InetAddress", "MemorySocket", "inet_address", "is_wildcard", "loopback", "resolve")

InetAddress = IPv4SocketAddress | IPv6SocketAddress

_FREE_PORTS: Final = range(49152, 65536)
"""The dynamic ports (RFC 6335 section 6)."""

_NAMES: Final = {"localhost": ("127.0.0.1", "::1")}
"""All that can be resolved: there is nobody to ask in a memory network."""


def inet_address(host: str, port: int) -> InetAddress:
    """The address of a numeric host.

    Raises:
        ValueError: it is not numeric.
    """
    return (IPv4SocketAddress if ipaddress.ip_address(host).version == 4 else IPv6SocketAddress)(host, port)


def resolve(host: str, port: int, family: int = _socket.AF_UNSPEC) -> InetAddress:
    """The address of ``host``, in ``family`` if that is given.

    Only numbers and ``localhost`` have one.

    Raises:
        socket.gaierror: it has none.
    """
    for candidate in _NAMES.get(host, (host,)):
        try:
            address = inet_address(candidate, port)
        except ValueError:
            break
        if family in (_socket.AF_UNSPEC, family_of(address)):
            return address
    raise _socket.gaierror(_socket.EAI_NONAME, f"the memory network has no host {host!r}")


def family_of(address: InetAddress) -> int:
    """The family of sockets that have such addresses."""
    return _socket.AF_INET if isinstance(address, IPv4SocketAddress) else _socket.AF_INET6


def loopback(like: InetAddress, port: int) -> InetAddress:
    """This host, in the family of ``like``."""
    return inet_address("127.0.0.1" if isinstance(like, IPv4SocketAddress) else "::1", port)


def is_wildcard(address: InetAddress) -> bool:
    """Tells whether it stands for all addresses of the host."""
    return ipaddress.ip_address(address.host).is_unspecified


class _Closable(Protocol):
    def is_closing(self) -> bool: ...


_T = TypeVar("_T", bound=_Closable)


class AddressBook(Generic[_T]):
    """Who is bound where. Who is closed has left its address."""

    def __init__(self) -> None:
        self._bound: dict[InetAddress, _T] = {}
        self._ports = itertools.cycle(_FREE_PORTS)

    def choose(self, address: InetAddress) -> InetAddress:
        """The address that can be bound for ``address``: itself, or if its port is 0 one with a
        free port.

        Raises:
            OSError: it is in use, or no port is free (``EADDRINUSE``).
        """
        self._bound = {where: who for where, who in self._bound.items() if not who.is_closing()}
        if address.port == 0:
            for port in itertools.islice(self._ports, len(_FREE_PORTS)):
                if not self._is_taken(address._replace(port=port)):
                    return address._replace(port=port)
        elif not self._is_taken(address):
            return address
        raise OSError(errno.EADDRINUSE, f"cannot bind to {address}: address in use")

    def enter(self, address: InetAddress, who: _T) -> None:
        """Binds an address that was chosen."""
        self._bound[address] = who

    def find(self, address: InetAddress) -> _T | None:
        """Who gets what is sent to ``address``."""
        for where in (address, address._replace(host="0.0.0.0" if family_of(address) == _socket.AF_INET else "::")):
            who = self._bound.get(where)
            if who is not None and not who.is_closing():
                return who
        return None

    def _is_taken(self, address: InetAddress) -> bool:
        return any(
            where.port == address.port
            and family_of(where) == family_of(address)
            and (where.host == address.host or is_wildcard(where) or is_wildcard(address))
            for where in self._bound
        )


class MemorySocket:
    """The view of a socket (`ISocket`) that does not exist: it has addresses, and options that it
    only remembers.
    """

    proto: Final = 0

    def __init__(self, kind: int, sockname: InetAddress, peername: InetAddress | None = None) -> None:
        self._kind = kind
        self._sockname = sockname
        self._peername = peername
        self._options: dict[tuple[int, int], Any] = {}

    @property
    def family(self) -> int:
        return family_of(self._sockname)

    @property
    def type(self) -> int:
        return self._kind

    def fileno(self) -> int:
        return -1

    def get_inheritable(self) -> bool:
        return False

    def getsockname(self) -> Any:
        return tuple(self._sockname)

    def getpeername(self) -> Any:
        if self._peername is None:
            raise OSError(errno.ENOTCONN, "the socket is not connected")
        return tuple(self._peername)

    @overload
    def getsockopt(self, level: int, optname: int, /) -> int: ...

    @overload
    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes: ...

    def getsockopt(self, level: int, optname: int, buflen: int = 0, /) -> int | bytes:
        default = bytes(buflen) if buflen else 0
        value: int | bytes = self._options.get((level, optname), default)
        return value

    @overload
    def setsockopt(self, level: int, optname: int, value: int | bytes, /) -> None: ...

    @overload
    def setsockopt(self, level: int, optname: int, value: None, optlen: int, /) -> None: ...

    def setsockopt(self, level: int, optname: int, value: int | bytes | None, optlen: int = 0, /) -> None:
        self._options[level, optname] = bytes(optlen) if value is None else value
