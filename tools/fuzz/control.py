# SPDX-License-Identifier: Apache-2.0
"""Control messages: what is parsed out of them, and who owns the descriptors in them.

The descriptors of these tests are numbers that nobody has opened. Still nothing is ever closed with
them: `os.close` is replaced, in our module alone and while an input is read.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import NamedTuple

from easynetwork.ancillary import (
    ControlQueue,
    RawControlMessage,
    ReceivedControl,
    SCMCredentials,
    SCMRights,
    SocketAncillary,
    SocketCredential,
    raw_control_messages,
    unpack_packet_info,
)
from easynetwork.ancillary import _received as module_that_closes  # pyright: ignore[reportPrivateUsage]

from .target import Target, require

__all__ = ("control_messages", "control_queue")

_RIGHTS = (socket.SOL_SOCKET, socket.SCM_RIGHTS)
_CREDENTIALS = (socket.SOL_SOCKET, socket.SCM_CREDENTIALS)
_PIDFD = (socket.SOL_SOCKET, 4)
_IPV4 = (socket.IPPROTO_IP, 8)
_IPV6 = (socket.IPPROTO_IPV6, 50)
_KINDS: tuple[tuple[int, int], ...] = (_RIGHTS, _CREDENTIALS, _PIDFD, _IPV4, _IPV6, (socket.SOL_SOCKET, 99), (-1, 1))

_FIRST_DESCRIPTOR = 2**30
_MAX_WAITING = 8


def control_messages() -> Target:
    """Makes the target for parsing.

    An input is messages: a byte for the kind, one for the length, and the data.
    """
    rights, info = struct.pack("3i", 5, -1, 7), struct.pack("@i8s", 1, b"\x7f\0\0\1" * 2)
    lists = [
        [(0, rights), (1, struct.pack("iII", 1, 2, 3))],
        [(2, rights[:6]), (5, b"?"), (6, b"")],
        [(3, info), (4, bytes(20))],
        [(4, bytes(19)), (0, b"")],
    ]
    seeds = [b"".join(bytes([kind, len(data)]) + data for kind, data in messages) for messages in lists]
    return Target(_parse, tuple(seeds))


def _parse(data: bytes) -> None:
    messages = list(_messages_in(data))
    ancillary = SocketAncillary()
    ancillary.update_from_raw(messages)
    fds = [fd for message in messages if message[:2] == _RIGHTS for (fd,) in _whole_items("i", message[2])]
    peers = [
        SocketCredential(*item)
        for message in messages
        if message[:2] == _CREDENTIALS
        for item in _whole_items("iII", message[2])
    ]
    expected = [*([SCMRights(fds)] if fds else []), *([SCMCredentials(peers)] if peers else [])]
    require(list(ancillary.messages()) == expected, "Every whole item is read, and nothing else", messages)
    require(raw_control_messages(messages) == messages, "Raw messages stay what they are", messages)
    try:
        found = unpack_packet_info(messages)
    except ValueError:
        return
    if found is not None:
        level, kind, raw = found.as_raw()
        same = any(message[:2] == (level, kind) and message[2].startswith(raw) for message in messages)
        require(same, "What was read is what was sent", found, messages)


def _messages_in(data: bytes) -> Iterator[RawControlMessage]:
    while len(data) >= 2:
        end = 2 + data[1]
        level, kind = _KINDS[data[0] % len(_KINDS)]
        yield level, kind, data[2:end]
        data = data[end:]


def _whole_items(layout: str, data: bytes) -> Iterator[tuple[int, ...]]:
    size = struct.calcsize(layout)
    return struct.iter_unpack(layout, data[: len(data) // size * size])


_MAX_FACTS = 64
"""Changes of credentials that the queue keeps."""


class _Waiting(NamedTuple):
    """A descriptor that the queue should have."""

    position: int
    """The byte of the stream with which it is due."""
    fd: int


class _Stream:
    """A queue, and the books about every descriptor that has gone into it."""

    def __init__(self, closed: list[int]) -> None:
        self._queue = ControlQueue(max_pending=_MAX_WAITING, descriptors_end_reads=True)
        self._received = self._claimed = 0
        self._tells_all = False  # as a stream does, which tells the queue of other reads only while it wants that
        self._next = _FIRST_DESCRIPTOR
        self._waiting: list[_Waiting] = []
        self._closed = closed
        self._settled = 0  # how many of `_closed` the books know of

    def add(self, nbytes: int, kinds: bytes, truncated: bool) -> None:
        """One read: one message for each byte of `kinds`, which says its type and how many
        descriptors it has.
        """
        self._received += nbytes
        messages = [self._message(kind) for kind in kinds]
        if messages or truncated or self._tells_all:
            self._tells_all = self._queue.add(nbytes, messages, truncated)
        self._settle()
        reads = {waiting.position for waiting in self._waiting}
        require(len(self._waiting) <= _MAX_WAITING or len(reads) == 1, "Descriptors wait in bounds", self._waiting)
        stored = vars(self._queue)  # facts and truncations have no descriptors, and must not pile up either
        in_bounds = len(stored["_facts"]) <= _MAX_FACTS and len(stored["_descriptors"]) <= 2 * _MAX_WAITING + 1
        require(in_bounds, "Messages wait in bounds", stored)

    def claim(self, unread: int, outcome: int) -> None:
        """A packet has ended, with so many bytes of the last reads behind it; its receiver takes,
        crashes, or does not care.
        """
        self._claimed = max(self._claimed, self._received - unread)
        control = self._queue.claim(self._received - self._claimed)
        due = [waiting.fd for waiting in self._waiting if waiting.position <= self._claimed]
        require(control.descriptors in (0, len(due)), "A packet has what is due, or lost it", due, control.messages)
        taken: list[int] = []
        if outcome % 3:
            _deliver(control, taken, crash=outcome % 3 == 1)
        control.close()
        self._waiting = [waiting for waiting in self._waiting if waiting.fd not in taken]
        self._settle()
        left = [waiting for waiting in self._waiting if waiting.position <= self._claimed]
        require(not left, "Nothing that was due stays behind", left)

    def close(self) -> None:
        """The connection ends."""
        self._queue.close()
        self._settle()
        require(not self._waiting, "No descriptor outlives its queue", self._waiting)

    def _message(self, number: int) -> RawControlMessage:
        level, kind = _KINDS[number % len(_KINDS)]
        if (level, kind) not in (_RIGHTS, _PIDFD):
            return level, kind, bytes([number])
        fds = range(self._next, self._next + number // len(_KINDS) % 12)
        self._next = fds.stop
        self._waiting += [_Waiting(self._received, fd) for fd in fds]
        error_number, cut_off = struct.pack("i", -24), b"\1\2"  # neither is a descriptor
        return level, kind, error_number + struct.pack(f"{len(fds)}i", *fds) + cut_off

    def _settle(self) -> None:
        """Takes what was closed out of the books.

        Raises:
            BrokenRule: One was closed twice, or after it was given away.
        """
        closed = self._closed[self._settled :]
        self._settled = len(self._closed)
        ours = {waiting.fd for waiting in self._waiting}
        require(
            len(set(closed)) == len(closed) and ours.issuperset(closed), "Only what is owned is closed, once", closed
        )
        self._waiting = [waiting for waiting in self._waiting if waiting.fd not in closed]


def _deliver(control: ReceivedControl, taken: list[int], *, crash: bool) -> None:
    def take(messages: list[RawControlMessage]) -> None:
        if crash:
            raise ValueError
        taken.extend(
            fd for message in messages if message[:2] in (_RIGHTS, _PIDFD) for (fd,) in _whole_items("i", message[2])
        )

    try:
        control.deliver(take)
    except OSError:
        require(control.truncated, "Only truncated control messages are refused")
    except RuntimeError as exc:
        require(crash and isinstance(exc.__cause__, ValueError), "A crash is the receiver's", exc)


@contextmanager
def _nothing_is_closed() -> Generator[list[int]]:
    """Gives the list of what would have been closed."""
    closed: list[int] = []
    names = module_that_closes.__dict__
    original = names["os"]
    names["os"] = SimpleNamespace(close=closed.append)
    try:
        yield closed
    finally:
        names["os"] = original


def control_queue() -> Target:
    """Makes the target for the queue of a stream. An input is steps of four bytes."""
    return Target(
        _follow,
        (
            b"\0\3\x15\x0f\2\0\0\0",
            b"\0\1\x07\x01\0\2\x3f\x46\2\2\1\0\2\0\2\0",
            b"\1\4\x3f\0\0\4\x3f\0\0\4\x3f\x3f\2\7\2\0\2\0\0\0",
            b"\0\1\1\5\0\1\5\1\2\1\2\0\3\0\0\0\0\1\x0e\0",
        ),
    )


def _follow(data: bytes) -> None:
    with _nothing_is_closed() as closed:
        stream = _Stream(closed)
        for start in range(0, len(data) - 3, 4):
            step, *rest = data[start : start + 4]
            if step % 4 == 2:
                stream.claim(rest[0], rest[1])
            elif step == 3:
                stream.close()
            else:
                stream.add(rest[0] % 32, bytes(rest[1:]), step % 4 == 1)
        stream.close()
