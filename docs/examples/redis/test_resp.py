# SPDX-License-Identifier: Apache-2.0
"""Commands are read the same however they are cut, within bounds; replies are written by the
book.
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from easynetwork.exceptions import FrameBoundaryLostError
from easynetwork.protocol.testing import BadFrame, check_chunking_law
from resp import (
    ARGUMENTS,
    BULK_BYTES,
    COMMAND_BYTES,
    DEPTH,
    LINE_BYTES,
    NULL_ARRAY,
    Command,
    Reply,
    RespError,
    RespSerializer,
    Simple,
)


def written(command: Command) -> bytes:
    """A command as clients write it."""
    strings = [b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in command]
    return b"*%d\r\n%b" % (len(command), b"".join(strings))


def read(stream: bytes) -> list[Any]:
    return check_chunking_law(RespSerializer(), stream, [[stream]])


def lost(message: str) -> BadFrame:
    return BadFrame(FrameBoundaryLostError, message)


def test_commands_survive_every_cut() -> None:
    commands = [[b"GET", b"a"], [], [b"SET", b"", b"\r\n$1\r\n"], [b"PING"]]
    stream = b"".join(map(written, commands))

    assert check_chunking_law(RespSerializer(), stream) == commands


def test_inline_commands_survive_every_cut() -> None:
    stream = b"PING\r\n\r\nset a 'two words'\nget \"a\"\n" + written([b"ECHO", b"x"])

    assert check_chunking_law(RespSerializer(), stream) == [
        [b"PING"],
        [],
        [b"set", b"a", b"two words"],
        [b"get", b"a"],
        [b"ECHO", b"x"],
    ]


COMMANDS = st.lists(st.lists(st.binary(max_size=20), max_size=4), max_size=4)
PIECES = st.lists(st.sampled_from([*b"*$-012\r\n'x", 0xFF]), max_size=12).map(bytes)
DIRTY = st.lists(st.one_of(PIECES, COMMANDS.map(lambda found: b"".join(map(written, found)))))


@given(commands=COMMANDS)
def test_what_is_written_is_read(commands: list[Command]) -> None:
    assert read(b"".join(map(written, commands))) == commands


@given(pieces=DIRTY, data=st.data())
def test_dirty_streams_read_the_same_however_they_are_cut(
    pieces: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(pieces)
    cuts = data.draw(st.sets(st.integers(0, len(stream)), max_size=6)) | {0, len(stream)}
    at_random = [stream[start:stop] for start, stop in pairwise(sorted(cuts))]
    bytewise = [stream[index : index + 1] for index in range(len(stream))]

    check_chunking_law(RespSerializer(), stream, [[stream], at_random, bytewise])


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"*x\r\n", "invalid multibulk length"),
        (b"*\r\n", "invalid multibulk length"),
        (b"*1_0\r\n", "invalid multibulk length"),
        (b"*%d\r\n" % (ARGUMENTS + 1), "invalid multibulk length"),
        (b"*1\r\n:1\r\n", "expected '$', an array of strings"),
        (b"*1\r\n*1\r\n$1\r\na\r\n", "expected '$', an array of strings"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$%d\r\n" % (BULK_BYTES + 1), "invalid bulk length"),
        (b"*1\r\n$%b\r\n" % (b"9" * 4000), "invalid bulk length"),
        (b"*1\r\n$1\r\nab\r\n", "a string is longer than it says"),
        (b"x" * (LINE_BYTES + 1), "too big inline request"),
        (b"set a 'b\r\n", "unbalanced quotes in request"),
    ],
)
def test_what_breaks_the_rules_is_the_last_that_is_read(stream: bytes, message: str) -> None:
    stream = b"PING\r\n" + stream
    bytewise = [stream[index : index + 1] for index in range(len(stream))]

    packets = check_chunking_law(RespSerializer(), stream, [[stream], bytewise])
    assert packets == [[b"PING"], lost(message)]
    assert read(stream + b"PING\r\n" * 2) == [[b"PING"], lost(message)]


def test_the_greatest_of_everything_is_read() -> None:
    assert read(b"x" * LINE_BYTES + b"\n") == [[b"x" * LINE_BYTES]]
    assert read(written([b""] * ARGUMENTS)) == [[b""] * ARGUMENTS]
    largest = [b"x" * BULK_BYTES] * (COMMAND_BYTES // BULK_BYTES)
    assert read(written(largest)) == [largest]
    assert read(written([*largest, b"x"])) == [lost("invalid bulk length")]


def test_a_large_string_in_small_pieces_takes_no_square_of_time() -> None:
    stream = written([b"x" * BULK_BYTES])
    start = time.process_time()
    check_chunking_law(
        RespSerializer(), stream, [[stream[at : at + 512] for at in range(0, len(stream), 512)]]
    )

    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("reply", "data"),
    [
        (Simple("OK"), b"+OK\r\n"),
        (RespError("ERR bad"), b"-ERR bad\r\n"),
        (RespError("ERR a\r\n+OK\r\n"), b"-ERR a +OK\r\n"),
        (-12, b":-12\r\n"),
        (b"a\r\nb", b"$4\r\na\r\nb\r\n"),
        (b"", b"$0\r\n\r\n"),
        (None, b"$-1\r\n"),
        (NULL_ARRAY, b"*-1\r\n"),
        ([], b"*0\r\n"),
        ([1, [b"a", None]], b"*2\r\n:1\r\n*2\r\n$1\r\na\r\n$-1\r\n"),
        ((b"a", b"b"), b"*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
    ],
)
def test_replies(reply: Reply, data: bytes) -> None:
    assert RespSerializer().serialize(reply) == data


def test_replies_have_a_depth() -> None:
    reply: Reply = 1
    for _ in range(DEPTH):
        reply = [reply]
    assert RespSerializer().serialize(reply) == b"*1\r\n" * DEPTH + b":1\r\n"

    with pytest.raises(ValueError, match="deeper"):
        RespSerializer().serialize([reply])
