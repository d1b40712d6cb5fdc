# SPDX-License-Identifier: Apache-2.0
"""Real descriptors for the examinations of control messages, and a count of what is open."""

from __future__ import annotations

import array
import contextlib
import os
import socket as _socket
from collections.abc import Generator, Iterable, Sequence

from ..streams import RawControlMessage

__all__ = ("close_received", "control_space", "nothing_left_open", "passing_pipes", "received")


@contextlib.contextmanager
def nothing_left_open() -> Generator[None, None, None]:
    """Fails if there are more descriptors afterwards than before."""
    before = _open_descriptors()
    yield
    left = _open_descriptors() - before
    assert not left, f"descriptors were left open: {sorted(left)}"


def _open_descriptors() -> set[int]:
    found = {int(name) for name in os.listdir("/dev/fd")}
    return {fd for fd in found if _is_open(fd)}  # the folder's own is closed by now


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def passing_pipes(number: int = 1) -> Generator[tuple[list[int], list[RawControlMessage]], None, None]:
    """Opens pipes; gives their reading ends, and the control message that passes the writing
    ones.
    """
    pipes = [os.pipe() for _ in range(number)]
    writing = array.array("i", [end for _, end in pipes])
    try:
        yield [end for end, _ in pipes], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, writing.tobytes())]
    finally:
        for pipe in pipes:
            for end in pipe:
                os.close(end)


def control_space(number: int) -> int:
    """Bytes that so many descriptors take."""
    return _socket.CMSG_SPACE(number * array.array("i").itemsize)


def _descriptors(messages: Iterable[RawControlMessage]) -> list[int]:
    found = array.array("i")
    for level, kind, data in messages:
        assert (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS), (level, kind)
        found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return found.tolist()


def received(messages: Iterable[RawControlMessage], reading_ends: Sequence[int]) -> None:
    """Closes the descriptors in ``messages``, which must be the other ends of those pipes, and
    closed on exec.
    """
    descriptors = _descriptors(messages)
    try:
        assert len(descriptors) == len(reading_ends), descriptors
        for writing, reading in zip(descriptors, reading_ends, strict=True):
            assert not os.get_inheritable(writing), "a received descriptor is not closed on exec"
            os.write(writing, b"x")
            assert os.read(reading, 1) == b"x"
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def close_received(messages: Iterable[RawControlMessage]) -> int:
    """Closes the descriptors in ``messages`` and tells how many they were."""
    descriptors = _descriptors(messages)
    for descriptor in descriptors:
        os.close(descriptor)
    return len(descriptors)
