# SPDX-License-Identifier: Apache-2.0
"""The second version of Redis' protocol, RESP2, as a server speaks it: commands in, replies out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Generator, Sequence
from typing import Final

from easynetwork.exceptions import FrameBoundaryLostError, LimitOverrunError
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers.abc import AbstractIncrementalPacketSerializer
from easynetwork.serializers.tools import GeneratorStreamReader

ARGUMENTS: Final = 1024
"""Of one command, its name included."""

BULK_BYTES: Final = 512 * 1024
"""Of one argument."""

COMMAND_BYTES: Final = 1024 * 1024
"""Of all arguments of a command together: what a connection can make us hold."""

LINE_BYTES: Final = 4096
"""Of an inline command, which people type. All other lines are shorter."""

DEPTH: Final = 4
"""Of arrays in a reply. Commands are flat."""

_NUMBER = re.compile(rb"-?\d{1,10}")


class Simple(str):
    """A short text without line breaks, such as OK."""


class RespError(Exception):
    """A reply that says what went wrong.

    Its text begins with a word in capitals, which programs look at.
    """


class NullArray:
    """The reply of commands that wait for an array in vain. `None` stands for a missing string."""


NULL_ARRAY: Final = NullArray()

Command = list[bytes]
"""The name of the command, then its arguments. It is empty if the line or the array was."""

Reply = Simple | RespError | int | bytes | None | NullArray | Sequence["Reply"]


class RespSerializer(AbstractIncrementalPacketSerializer[Reply, Command]):
    """Reads commands and writes replies.

    What breaks the rules leaves nobody knowing where the next command begins. So there is one kind
    of error, `FrameBoundaryLostError`, after which a stream is not read any more.
    """

    def incremental_serialize(self, packet: Reply, /) -> Generator[bytes, None, None]:
        yield b"".join(_encode(packet, DEPTH))

    def incremental_deserialize(self) -> Generator[None, bytes, tuple[Command, bytes]]:
        reader = GeneratorStreamReader()
        line = yield from _read_line(reader)
        if line.startswith(b"*"):
            command = yield from _read_array(reader, _number(line, ARGUMENTS, "multibulk"))
        else:
            command = _split(line)
        return command, reader.read_all()


def protocol() -> StreamProtocol[Reply, Command]:
    return StreamProtocol(RespSerializer())


def _read_array(reader: GeneratorStreamReader, count: int) -> Generator[None, bytes, Command]:
    command: Command = []
    left = COMMAND_BYTES
    for _ in range(count):
        line = yield from _read_line(reader)
        if not line.startswith(b"$"):
            raise FrameBoundaryLostError("expected '$', an array of strings")
        length = _number(line, BULK_BYTES, "bulk")
        left -= length
        if length < 0 or left < 0:
            raise FrameBoundaryLostError("invalid bulk length")
        command.append((yield from reader.read_exactly(length)))
        if (yield from reader.read_exactly(2)) != b"\r\n":
            raise FrameBoundaryLostError("a string is longer than it says")
    return command


def _read_line(reader: GeneratorStreamReader) -> Generator[None, bytes, bytes]:
    try:
        line = yield from reader.read_until(b"\n", LINE_BYTES, keep_end=False)
    except LimitOverrunError:
        # Its remedy, to go on at the next line, is none here: that may be inside of a string.
        raise FrameBoundaryLostError("too big inline request") from None
    return line.removesuffix(b"\r")


def _number(line: bytes, greatest: int, what: str) -> int:
    # int() alone would take blanks, underscores and numbers of any length.
    if _NUMBER.fullmatch(line, 1) is None or (number := int(line[1:])) > greatest:
        raise FrameBoundaryLostError(f"invalid {what} length")
    return number


def _split(line: bytes) -> Command:
    # One character for each byte, there and back.
    try:
        return [word.encode("latin-1") for word in shlex.split(line.decode("latin-1"))]
    except ValueError:
        raise FrameBoundaryLostError("unbalanced quotes in request") from None


def _encode(reply: Reply, depth: int) -> Generator[bytes, None, None]:
    match reply:
        case Simple() | RespError():
            # A line break in it would be the beginning of another reply.
            text = " ".join(str(reply).splitlines())
            mark = "-" if isinstance(reply, RespError) else "+"
            yield f"{mark}{text}\r\n".encode()
        case int():
            yield b":%d\r\n" % reply
        case bytes():
            yield b"$%d\r\n%b\r\n" % (len(reply), reply)
        case None:
            yield b"$-1\r\n"
        case NullArray():
            yield b"*-1\r\n"
        case Sequence():
            if not depth:
                raise ValueError(f"a reply is deeper than {DEPTH} arrays")
            yield b"*%d\r\n" % len(reply)
            for item in reply:
                yield from _encode(item, depth - 1)
