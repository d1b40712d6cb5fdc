# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import TypeAlias

import pytest
from hypothesis import settings

# The same examples in every run, and no time limit for one of them: a red build is red for
# everybody, however slow a machine is.
settings.load_profile("ci")

SocketPair: TypeAlias = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[SocketPair]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def fd() -> Iterator[int]:
    """A descriptor to send, which is to stay open."""
    fd = os.open(os.devnull, os.O_RDONLY)
    yield fd
    os.close(fd)


@pytest.fixture
def no_leak() -> Iterator[None]:
    """For tests that leave as many descriptors open as they found.

    It must come before the fixtures that open some.
    """
    before = set(os.listdir("/proc/self/fd"))
    yield
    assert set(os.listdir("/proc/self/fd")) == before
