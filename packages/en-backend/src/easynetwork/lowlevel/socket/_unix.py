# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import pathlib
import socket
import struct
import sys
from typing import NamedTuple

from easynetwork.exceptions import UnsupportedOperation

from ._proxy import SupportsSocketOptions

__all__ = ("RawUnixSocketAddress", "UnixCredentials", "UnixSocketAddress", "get_peer_credentials")

RawUnixSocketAddress = str | bytes
"""What the `socket` module gives and takes: a path, ``b"\\0name"`` (an abstract name), or nothing
(unnamed)."""


class UnixCredentials(NamedTuple):
    """Who is at the other end of a Unix stream, as the kernel says."""

    pid: int | None
    """None where the system does not tell."""
    uid: int
    gid: int


# On Linux alone: other systems that know the option have another `struct ucred`.
if sys.platform == "linux":
    _CREDENTIALS = struct.Struct("iII")  # process, user, group: unix(7), SO_PEERCRED

    def get_peer_credentials(sock: SupportsSocketOptions) -> UnixCredentials:
        """Who connected ``sock``, a Unix stream, or listened for it.

        They are those of that moment, whoever has the other end by now.

        Raises:
            OSError: the socket is closed.
            UnsupportedOperation: this system does not tell.
        """
        pid, uid, gid = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        return UnixCredentials(pid or None, uid, gid)  # 0 is a process outside of our PID namespace
else:

    def get_peer_credentials(sock: SupportsSocketOptions) -> UnixCredentials:
        """Who connected ``sock``, a Unix stream, or listened for it.

        Raises:
            UnsupportedOperation: this system does not tell.
        """
        raise UnsupportedOperation("this system does not tell who is at the other end of a Unix socket")


class UnixSocketAddress:
    """The address of a Unix socket: a path, an abstract name (Linux), or none
    (``UnixSocketAddress()``). Immutable.
    """

    def __init__(self) -> None:
        self._raw: RawUnixSocketAddress = ""

    @classmethod
    def from_pathname(cls, path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> UnixSocketAddress:
        """The address of the socket file ``path``; an empty path is the unnamed address.

        Raises:
            ValueError: there is a null character in the path.
        """
        name = os.fsdecode(path)
        if "\0" in name:
            raise ValueError(f"null character in the path of a Unix socket: {name!r}")
        return cls._from_checked(name)

    @classmethod
    def from_abstract_name(cls, name: str | bytes) -> UnixSocketAddress:
        """The address with the abstract name ``name``, written without the null byte that marks it.

        Raises:
            ValueError: this system has no abstract names.
        """
        if sys.platform != "linux":
            raise ValueError("abstract names of Unix sockets exist on Linux only")
        return cls._from_checked(b"\0" + os.fsencode(name))

    @classmethod
    def from_raw(cls, addr: RawUnixSocketAddress) -> UnixSocketAddress:
        """The address in the form of the `socket` module.

        Raises:
            ValueError: a null character inside a path, or an abstract name on a system that has
                none.
        """
        raw = os.fsencode(addr)
        return cls.from_abstract_name(raw[1:]) if raw.startswith(b"\0") else cls.from_pathname(raw)

    @classmethod
    def _from_checked(cls, raw: RawUnixSocketAddress) -> UnixSocketAddress:
        address = cls()
        address._raw = raw
        return address

    def as_raw(self) -> RawUnixSocketAddress:
        """The address as the `socket` module takes it."""
        return self._raw

    def as_pathname(self) -> pathlib.Path | None:
        """The path, or None if it is another kind of address."""
        return pathlib.Path(self._raw) if self._raw and isinstance(self._raw, str) else None

    def as_abstract_name(self) -> bytes | None:
        """The abstract name without its leading null byte, or None if it is another kind of
        address.
        """
        return self._raw[1:] if isinstance(self._raw, bytes) else None

    def is_unnamed(self) -> bool:
        """Tells whether there is neither a path nor a name."""
        return not self._raw

    def __str__(self) -> str:
        if isinstance(self._raw, bytes):
            return f"@{os.fsdecode(self._raw[1:])}"
        return self._raw or "<unnamed>"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self!s}>"

    def __eq__(self, other: object) -> bool:
        return self._raw == other._raw if isinstance(other, UnixSocketAddress) else NotImplemented

    def __hash__(self) -> int:
        return hash((UnixSocketAddress, self._raw))
