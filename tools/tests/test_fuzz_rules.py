# SPDX-License-Identifier: Apache-2.0
"""The rules of the targets: what is right keeps them, and each kind of fault breaks one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from easynetwork.ancillary import (
    ReceivedControl,
    _received,  # pyright: ignore[reportPrivateUsage]  # to break it
)
from easynetwork.exceptions import DeserializeError, LimitOverrunError
from easynetwork.serializers import StringLineSerializer
from easynetwork.serializers.abc import AbstractIncrementalPacketSerializer
from fuzz.streams import Variant, deserializer_target
from fuzz.table import TARGETS
from fuzz.target import MAX_LENGTH, BrokenRule

TOOLS = Path(__file__).parents[1]

DATAGRAM, CHUNKS, GENERATOR, BUFFER = range(4)  # the second byte of an input: the way to read
MANY_CUTS = 1
ONE_DESCRIPTOR = b"\0\1\x07\0"


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_keep_the_rules(name: str) -> None:
    target = TARGETS[name]
    for seed in target.seeds:
        target.run(seed)

    assert len(target.seeds) > 3
    assert all(len(seed) <= MAX_LENGTH for seed in target.seeds)


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_is_too_short_or_too_simple(name: str) -> None:
    for data in (b"", b"\0", b"\xff" * 2, b"\0" * 100, b"\xff" * 100, bytes(range(100))):
        TARGETS[name].run(data)


def test_the_program_names_its_targets_and_reads_an_input_again(tmp_path: Path) -> None:
    def output(*words: str | Path) -> str:
        program = [sys.executable, "-m", "fuzz", *words]
        return subprocess.run(program, cwd=TOOLS, check=True, capture_output=True, text=True).stdout

    (tmp_path / "input").write_bytes(TARGETS["line"].seeds[0])

    assert output("--list").split() == list(TARGETS)
    assert output("line", "--reproduce", tmp_path / "input").endswith("breaks no rule.\n")


class Lines(StringLineSerializer):
    """To derive faults from."""

    def __init__(self) -> None:
        super().__init__(limit=20)


class Crashes(Lines):
    def deserialize_frame(self, data: bytes, /) -> str:
        raise KeyError


class TellsPayload(Lines):
    def deserialize(self, data: bytes, /) -> str:
        raise DeserializeError("bad", {"data": data})


class DependsOnTheWay(Lines):
    def buffered_incremental_deserialize(self, buffer: bytearray) -> Generator[int | None, int, tuple[str, bytes]]:
        packet, remaining = yield from super().buffered_incremental_deserialize(buffer)
        return packet + "?", remaining


class DependsOnTheCuts(Lines):
    def incremental_deserialize(self) -> Generator[None, bytes, tuple[str, bytes]]:
        chunk = yield
        if not chunk.endswith(b"\n"):
            raise LimitOverrunError("too long", chunk, len(chunk), b"\n")
        return chunk[:-1].decode(), b""


class Hoards(AbstractIncrementalPacketSerializer[str, str]):
    def incremental_serialize(self, packet: str, /) -> Generator[bytes, None, None]:
        yield packet.encode() + b"\n"

    def incremental_deserialize(self) -> Generator[None, bytes, tuple[str, bytes]]:
        data = b""
        while b"\n" not in data:
            data += yield
        line, _, remaining = data.partition(b"\n")
        return line.decode(errors="replace"), remaining


class Forgets(Hoards):
    def incremental_deserialize(self) -> Generator[None, bytes, tuple[str, bytes]]:
        packet, _ = yield from super().incremental_deserialize()
        return packet, b""


def every_second_line(data: bytes) -> Iterator[str]:
    return iter(data.decode().split("\n")[:-1:2])


@pytest.mark.parametrize(
    ("variant", "way", "data", "rule"),
    [
        (Variant(TellsPayload(), ["a"], 20, b"\n"), DATAGRAM, b"?", "No payload leaks"),
        (Variant(DependsOnTheWay(), ["a"], 20, b"\n"), BUFFER, b"a\n", "neither on the cuts nor on the way"),
        (Variant(DependsOnTheCuts(), ["a"], 20, b"\n"), GENERATOR, b"abcdef\n", "neither on the cuts nor on the way"),
        (Variant(Hoards(), ["a"], 12), CHUNKS, b"x" * 61, "A receiver holds [0-9]+ bytes at most"),
        (Variant(Lines(), ["a"], 20), CHUNKS, b"x" * 21 + b"\n", "ends with the frame boundary"),
        (Variant(Lines(), ["a"], 20, b"\n", every_second_line), CHUNKS, b"a\nb\nc\n", "Another reader"),
        (Variant(Forgets(), ["a"], 20, b"\n"), CHUNKS, b"x", "Reading goes on"),
    ],
)
def test_a_fault_breaks_its_rule(variant: Variant, way: int, data: bytes, rule: str) -> None:
    with pytest.raises(BrokenRule, match=rule):
        deserializer_target(variant).run(bytes([0, way, MANY_CUTS]) + data)


def test_other_exceptions_are_findings_too() -> None:
    target = deserializer_target(Variant(Crashes(), ["a"], 20, b"\n"))

    for way in (DATAGRAM, CHUNKS, GENERATOR):
        with pytest.raises((KeyError, RuntimeError)):
            target.run(bytes([0, way, MANY_CUTS]) + b"a\n")


def test_a_lost_descriptor_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(descriptors: object) -> None:
        """Closes nothing."""

    monkeypatch.setattr(_received, "_close_all", forget)

    with pytest.raises(BrokenRule, match="No descriptor outlives its queue"):
        TARGETS["control-queue"].run(ONE_DESCRIPTOR)


def test_a_descriptor_that_is_closed_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    close = ReceivedControl.close

    def close_twice(control: ReceivedControl) -> None:
        again = ReceivedControl(control.messages)
        close(control)
        close(again)

    monkeypatch.setattr(ReceivedControl, "close", close_twice)

    with pytest.raises(BrokenRule, match="Only what is owned is closed, once"):
        TARGETS["control-queue"].run(ONE_DESCRIPTOR)
