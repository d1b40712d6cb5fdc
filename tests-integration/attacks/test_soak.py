# SPDX-License-Identifier: Apache-2.0
"""Everything at once, and for long: ``ws test --attack --minutes`` says how long."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attacks.attacked_process import MEGABYTE, AttackedProcess
from attacks.canary import Canary
from attacks.harness import Harness
from attacks.peers import pass_time, wait_until
from attacks.soak_attackers import ATTACKS

MINUTES = float(os.environ.get("ATTACK_MINUTES", "10"))

KINDS = ("tcp", "tls", "udp", "unix_stream", "unix_datagram")

_LIMITS = {"tls": {"ssl_handshake_timeout": 2, "ssl_shutdown_timeout": 2}}
"""So that handshakes that stall are ended in a short try as well."""


@contextmanager
def siege(server: AttackedProcess) -> Generator[dict[str, int]]:
    """All attackers at once; at the end, how often each has attacked."""
    program = [sys.executable, "-m", "attacks.soak_attackers", json.dumps(server.addresses)]
    folder = Path(__file__).resolve().parents[1]
    rounds: dict[str, int] = {}
    with subprocess.Popen(program, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield rounds
            rounds.update(json.loads(process.communicate(timeout=30)[0]))
        finally:
            process.kill()


@pytest.mark.attack(row=29, tier="R")
@pytest.mark.timeout(60 * MINUTES + 120)
def test_canaries_notice_nothing_of_all_attackers_at_once(harness: Harness) -> None:
    server = harness.start(*KINDS, options=_LIMITS)
    memory: list[float] = []
    with server.connect() as watching:
        before, descriptors = server.stats(watching), server.descriptors()
        with siege(server) as rounds, contextlib.ExitStack() as stack:
            canaries = {kind: stack.enter_context(Canary(server.connect(kind))) for kind in KINDS}
            soak = server.costs()
            while soak.seconds() < 60 * MINUTES:
                pass_time(min(1.0, MINUTES))
                memory.append(server.memory() / MEGABYTE)
        wait_until(lambda: server.descriptors() <= descriptors, 30)
        wait_until(lambda: server.stats(watching)["tasks"] <= before["tasks"], 30)
    assert {attack.__name__ for attack in ATTACKS} == set(rounds), "each has attacked, and half-closes got all answers"
    assert {kind: canary.wrong for kind, canary in canaries.items()} == {kind: [] for kind in KINDS}
    _tell(harness, canaries, memory)


def _tell(harness: Harness, canaries: dict[str, Canary], memory: list[float]) -> None:
    harness.figure("minutes", MINUTES)
    harness.figure("answers, all of them right", sum(canary.answers for canary in canaries.values()), at_least=1)
    for kind, canary in canaries.items():
        harness.figure(f"{kind}, p99", canary.p99(), "ms", at_most=50)
    repeated = sum(canary.repeated for canary in canaries.values())
    harness.figure("datagrams that the kernel dropped", repeated)
    quarter = len(memory) // 4
    third, last = memory[2 * quarter : 3 * quarter], memory[3 * quarter :]
    growth = statistics.median(last) - statistics.median(third)
    harness.figure("growth in the second half", growth, "MB", at_most=1)
