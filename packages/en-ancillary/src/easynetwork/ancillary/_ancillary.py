# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from ._records import (
    RawControlMessage,
    SCMCredentials,
    SCMRights,
    SocketAncillaryMessages,
    SocketCredential,
    pack,
    unpack,
)

__all__ = ("SocketAncillary", "raw_control_messages")

T = TypeVar("T")

_MAX_DESCRIPTORS: Final = 253
"""What Linux takes in one call, however many messages they are spread over (``SCM_MAX_FD`` in
net/scm.h)."""

_MAX_PID: Final = 2**31 - 1
_MAX_ID: Final = 2**32 - 1


class SocketAncillary:
    """Descriptors and credentials that travel with the bytes of a Unix socket.

    It never closes a descriptor. Those put in by `add_fds` stay the caller's, who may close them
    when they are sent: the other process has duplicates. Those that came through `update_from_raw`
    were made for this process and are the caller's to close.
    """

    def __init__(self) -> None:
        self._fds: list[int] = []
        self._credentials: list[SocketCredential] = []

    def add_fds(self, fds: Iterable[int]) -> None:
        """Adds descriptors to send.

        Raises:
            TypeError: one of ``fds`` is no descriptor (an object with a ``fileno()`` is none
                either).
            ValueError: one is negative, or there are more than 253, which is what Linux takes at
                once. Nothing was added.
        """
        new = [_check_fd(fd) for fd in _iterate("fds", fds)]
        if len(self._fds) + len(new) > _MAX_DESCRIPTORS:
            raise ValueError(f"fds: more than {_MAX_DESCRIPTORS} descriptors cannot be sent at once")
        self._fds += new

    def add_creds(self, credentials: Iterable[SocketCredential]) -> None:
        """Adds credentials to send (Linux).

        If there are several, the kernel checks all and delivers the last.

        Raises:
            TypeError: one of ``credentials`` is no `SocketCredential` of integers.
            ValueError: a number in one is not in the range of its kind. Nothing was added.
        """
        self._credentials += [_check_credential(credential) for credential in _iterate("credentials", credentials)]

    def messages(self) -> Iterator[SocketAncillaryMessages]:
        """Yields what is in here: all descriptors as one `SCMRights`, all credentials as one
        `SCMCredentials`.
        """
        if self._fds:
            yield SCMRights(self._fds)
        if self._credentials:
            yield SCMCredentials(self._credentials)

    def iter_fds(self) -> Iterator[int]:
        """Yields the descriptors."""
        yield from self._fds

    def update_from_raw(self, messages: Iterable[RawControlMessage]) -> None:
        """Adds what was received.

        Unknown messages are ignored, and so is an item that was cut off at the end of its message.

        Who sets ``SO_PASSPIDFD`` must look for the descriptor of the sending process in
        ``messages``: it makes no record here.
        """
        for record in unpack(messages):
            match record:
                case SCMRights(fds):
                    self._fds += fds
                case SCMCredentials(credentials):
                    self._credentials += credentials

    def as_raw(self) -> list[RawControlMessage]:
        """The messages as `socket.socket.sendmsg` takes them.

        Raises:
            NotImplementedError: this system has no such messages.
        """
        return [raw for record in self.messages() for raw in pack(record)]

    def clear(self) -> None:
        """Forgets everything, and closes nothing."""
        self._fds.clear()
        self._credentials.clear()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {list(self.messages())}>"


def raw_control_messages(data: SocketAncillary | Iterable[RawControlMessage]) -> list[RawControlMessage]:
    """What an argument ``ancillary_data=`` means, as `socket.socket.sendmsg` takes it.

    Raises:
        TypeError: it is neither a `SocketAncillary` nor made of ``(level, type, data)`` tuples.
    """
    if isinstance(data, SocketAncillary):
        return data.as_raw()
    return [_check_raw(message) for message in _iterate("ancillary_data", data)]


def _iterate(name: str, values: Iterable[T]) -> Iterator[T]:
    try:
        return iter(values)
    except TypeError:
        raise TypeError(f"{name}: expected an iterable, got {values!r}") from None


def _check_fd(fd: object) -> int:
    if isinstance(fd, bool) or not isinstance(fd, int):
        raise TypeError(f"fds: expected descriptors, got {fd!r}")
    if not 0 <= fd <= _MAX_PID:
        raise ValueError(f"fds: {fd!r} is no valid descriptor")
    return fd


def _check_credential(credential: object) -> SocketCredential:
    if not isinstance(credential, SocketCredential):
        raise TypeError(f"credentials: expected SocketCredential, got {credential!r}")
    for value, highest in zip(credential, (_MAX_PID, _MAX_ID, _MAX_ID), strict=True):
        if isinstance(value, bool) or not isinstance(value, int):  # pyright: ignore[reportUnnecessaryIsInstance]  # a tuple checks nothing
            raise TypeError(f"credentials: expected numbers, got {credential!r}")
        if not 0 <= value <= highest:
            raise ValueError(f"credentials: {value!r} in {credential!r} is out of range")
    return credential


def _check_raw(message: object) -> RawControlMessage:
    match message:
        case (int(level), int(kind), bytes() | bytearray() | memoryview() as data):  # pyright: ignore[reportUnknownVariableType]
            return level, kind, bytes(data)  # pyright: ignore[reportUnknownArgumentType]  # of a view of what does not matter
        case _:
            raise TypeError(f"ancillary_data: expected (level, type, data) tuples, got {message!r}")
