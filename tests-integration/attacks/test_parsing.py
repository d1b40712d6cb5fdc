# SPDX-License-Identifier: Apache-2.0
"""Bytes that are more than they seem, never end, or are none at all.

What parsers make of hostile bytes is tested with the parsers (en-protocol).
"""

from __future__ import annotations

import bz2
import contextlib
import json
import os
import socket
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from attacks.attacked_process import MEGABYTE, AttackedProcess
from attacks.harness import Harness, at_once
from attacks.peers import ask, best_of, wait_until

_LIMITS = (65536 + (1 << 20)) / MEGABYTE
"""Megabytes of a compressed packet and of an inflated one, unless a serializer's option says
otherwise."""


@dataclass(frozen=True)
class Method:
    """A way to compress."""

    name: str
    compress: Callable[[bytes], bytes]
    compressor: Callable[[], Any]
    decompressor: Callable[[], Any]

    def bomb(self) -> bytes:
        """As much as fits into the limit of zlib's, which packs 1 to 1,000; bz2 makes less than a
        kilobyte of it.
        """
        return self.compress(bytes(60 * MEGABYTE))

    def ask(self, sock: socket.socket, request: str) -> str:
        if sock.type == socket.SOCK_STREAM:
            sock.sendall(self.compress(request.encode()))
        else:
            sock.send(self.compress(request.encode()))
        inflating, answer = self.decompressor(), b""
        while not inflating.eof:
            data = sock.recv(65536)
            assert data, "the server closed the connection"
            answer += inflating.decompress(data)
        return answer.decode()

    def errors(self, sock: socket.socket) -> list[str]:
        return json.loads(self.ask(sock, "stats"))["errors"]  # type: ignore[no-any-return]


METHODS = [
    Method("zlib", lambda data: zlib.compress(data, 9), zlib.compressobj, zlib.decompressobj),
    Method("bz2", bz2.compress, bz2.BZ2Compressor, bz2.BZ2Decompressor),
]

each_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)


@pytest.mark.attack(row=7, tier="R")
@pytest.mark.parametrize("kind", ["tcp", "udp"])
@each_method
def test_a_bomb_is_an_error_at_the_limit(harness: Harness, kind: str, method: Method) -> None:
    server, bomb = harness.start(kind, serializer=method.name), method.bomb()
    with server.connect() as canary:
        method.ask(canary, "echo warm-up")
        costs = server.costs()
        bombs = 0

        def longest_stall() -> float:
            nonlocal bombs
            stalls: list[float] = []
            for _ in range(20):
                bombs += 1
                with server.connect() as attacker:
                    attacker.sendall(bomb)
                    began = time.monotonic()
                    assert method.ask(canary, "echo meanwhile") == "meanwhile"
                    stalls.append(time.monotonic() - began)
            return 1000 * max(stalls)

        harness.figure("stall", best_of(longest_stall, 50), "ms", at_most=50)
        harness.figure("growth", costs.growth(), "MB", at_most=2 * _LIMITS + 10)
        wait_until(lambda: method.errors(canary) == ["LimitOverrunError"] * bombs, 5)


@pytest.mark.attack(row=7, tier="R")
@each_method
def test_compressed_data_without_end_is_an_error_at_the_limit(harness: Harness, method: Method) -> None:
    server = harness.start(serializer=method.name)
    compressor, noise = method.compressor(), os.urandom(MEGABYTE)
    with server.connect() as canary:
        method.ask(canary, "echo warm-up")
        costs = server.costs()
        sent = 0
        with server.connect() as attacker, contextlib.suppress(ConnectionError):
            while sent < 64 * MEGABYTE:
                data = compressor.compress(noise)
                attacker.sendall(data)
                sent += len(data)
        assert method.ask(canary, "echo fine") == "fine"
        wait_until(lambda: method.errors(canary) == ["LimitOverrunError"], 5)
        harness.figure("growth", costs.growth(), "MB", at_most=2 * _LIMITS + 10)


@pytest.mark.attack(row=8, tier="F")
@at_once
def test_a_frame_without_end_is_cut_at_the_limit(harness: Harness) -> None:
    server = harness.start()
    with server.connect() as canary:
        ask(canary, "echo warm-up")
        costs = server.costs()
        with server.connect() as attacker:
            for _ in range(64):
                attacker.sendall(b"x" * MEGABYTE)
            attacker.sendall(b"\n")
            assert ask(attacker, "echo in order again") == "in order again"
        assert server.stats(canary)["errors"] == ["LimitOverrunError"]
        harness.figure("growth", costs.growth(), "MB", at_most=2 * 65536 / MEGABYTE)


@pytest.mark.attack(row=10, tier="F")
@at_once
def test_empty_packets_are_packets(harness: Harness) -> None:
    server = harness.start("tcp", "udp", "unix_stream", "unix_datagram")
    answers = [_answer_to_nothing(server, kind) for kind in server.addresses]
    harness.figure("delivered, and answered with another", answers.count(""), "of 4", exactly=4)


def _answer_to_nothing(server: AttackedProcess, kind: str) -> str:
    with server.connect(kind) as sock:
        return ask(sock, "")
