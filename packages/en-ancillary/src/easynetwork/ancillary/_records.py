# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import socket
import struct
import sys
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

__all__ = (
    "CONTROL_BUFSIZE",
    "RawControlMessage",
    "SCMCredentials",
    "SCMRights",
    "SocketAncillaryMessages",
    "SocketCredential",
    "descriptors_in",
    "pack",
    "unpack",
)

RawControlMessage = tuple[int, int, bytes]
"""Level, type and data of a control message, as `socket.socket.recvmsg` gives it and ``sendmsg``
takes it."""

CONTROL_BUFSIZE: Final = 8192
"""Bytes of control messages that one read may bring, where nothing else is said: some eight times
what Linux lets one call send (253 descriptors)."""

# Not every system has both, or either: None matches no message.
_SCM_RIGHTS: Final[int | None] = getattr(socket, "SCM_RIGHTS", None)
_SCM_CREDENTIALS: Final[int | None] = getattr(socket, "SCM_CREDENTIALS", None)

_SCM_PIDFD: Final = 4 if sys.platform == "linux" else None
"""A descriptor of the sending process, which comes with every read once ``SO_PASSPIDFD`` is set
(linux/socket.h; Python does not name it)."""

_WITH_DESCRIPTORS: Final = (_SCM_RIGHTS, _SCM_PIDFD)

_DESCRIPTOR: Final = struct.Struct("@i")
_UCRED: Final = struct.Struct("@iII")
"""``struct ucred`` of unix(7)."""


class SocketCredential(NamedTuple):
    """Who sends. The kernel checks it: without privileges a process can only tell the truth.

    When it is sent, pid 0 means this process, and the default (all three 0) this process with its
    user and group.
    """

    pid: int = 0
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, init=False)
class SCMRights:
    """Descriptors that go to another process, or came from one."""

    fds: tuple[int, ...]

    def __init__(self, fds: Iterable[int]) -> None:
        object.__setattr__(self, "fds", tuple(fds))


@dataclass(frozen=True, init=False)
class SCMCredentials:
    """Who sent the bytes that this came with (Linux)."""

    credentials: tuple[SocketCredential, ...]

    def __init__(self, credentials: Iterable[SocketCredential]) -> None:
        object.__setattr__(self, "credentials", tuple(credentials))


SocketAncillaryMessages = SCMRights | SCMCredentials
"""What `SocketAncillary.messages` yields."""


def pack(record: SocketAncillaryMessages) -> Iterator[RawControlMessage]:
    """The record as the kernel takes it.

    Raises:
        NotImplementedError: this system has no such messages.
    """
    match record:
        case SCMRights(fds):
            yield socket.SOL_SOCKET, _supported(_SCM_RIGHTS, "SCM_RIGHTS"), array("i", fds).tobytes()
        case SCMCredentials(credentials):
            for credential in credentials:  # Linux wants each of them in a message of its own
                yield (
                    socket.SOL_SOCKET,
                    _supported(_SCM_CREDENTIALS, "SCM_CREDENTIALS"),
                    _UCRED.pack(*_resolved(credential)),
                )


def unpack(messages: Iterable[RawControlMessage]) -> Iterator[SocketAncillaryMessages]:
    """The known ones among ``messages``.

    An item that was cut off at the end of its message is left out.
    """
    for level, kind, data in messages:
        if level != socket.SOL_SOCKET:
            continue
        if kind == _SCM_RIGHTS:
            yield SCMRights(fd for (fd,) in _items(_DESCRIPTOR, data))
        elif kind == _SCM_CREDENTIALS:
            yield SCMCredentials(SocketCredential(*item) for item in _items(_UCRED, data))


def descriptors_in(messages: Iterable[RawControlMessage]) -> tuple[int, ...]:
    """All descriptors in ``messages``, also in those that no record is made of."""
    return tuple(
        fd
        for level, kind, data in messages
        if level == socket.SOL_SOCKET and kind in _WITH_DESCRIPTORS
        for (fd,) in _items(_DESCRIPTOR, data)
        if fd >= 0  # instead of a pidfd there may be an error number
    )


def _items(item: struct.Struct, data: bytes) -> Iterator[tuple[int, ...]]:
    return item.iter_unpack(data[: len(data) - len(data) % item.size])


def _resolved(credential: SocketCredential) -> SocketCredential:
    if not any(credential):
        return SocketCredential(os.getpid(), os.getuid(), os.getgid())
    return credential._replace(pid=credential.pid or os.getpid())


def _supported(kind: int | None, name: str) -> int:
    if kind is None:
        raise NotImplementedError(f"this system has no {name} messages")
    return kind
