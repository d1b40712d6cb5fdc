# SPDX-License-Identifier: Apache-2.0
"""Measures what a message costs: ours beside what one would write by hand, all in one run on this machine.

Every contender serves the same load in turn, several rounds of it, with the server alone on one core and the load generator on the other. The
ratios compare within a round and are the median over the rounds, because machines are shared and their speed drifts.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PEERS = 10
MESSAGE_SIZE = 1024
LOOPS = ("asyncio", "uvloop", "trio")


@dataclass(frozen=True)
class Course:
    """What is measured, and what is asked of it."""

    title: str
    scripts: dict[str, str]  # by contender
    baseline: str
    ours: tuple[str, ...]  # those that the bars are for
    bars: dict[str, float]  # by loop: of the baseline's CPU time a message, on the same loop

    def contenders(self, loop: str) -> list[str]:
        return [name for name in self.scripts if loop != "trio" or name not in NOT_ON_TRIO]


RAW_PROTOCOL = "raw protocol"
LARGE_MALLOC = "by hand, large malloc"  # as in a program that happens to have freed a large block once
MALLOC_SETTINGS = {"MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_TRIM_THRESHOLD_": "2097152"}
NOT_ON_TRIO = frozenset({RAW_PROTOCOL, LARGE_MALLOC})  # it has no protocols, and reads into no large buffer

DATAGRAM_BARS = {"asyncio": 0.45, "uvloop": 1.5, "trio": 1.15}
DATAGRAMS_BY_HAND = dict.fromkeys(("by hand", LARGE_MALLOC), "raw_datagram_server.py")

COURSES = {
    "tcp": Course(
        "TCP echo",
        # one generator for a connection, as the streams' handler is; and one for each packet
        dict.fromkeys((RAW_PROTOCOL, "streams", "easynetwork, loop", "easynetwork"), "tcp_servers.py"),
        "streams",
        ("easynetwork, loop", "easynetwork"),
        {"asyncio": 1.1, "uvloop": 1.1, "trio": 1.15},
    ),
    "udp": Course(
        "UDP echo",
        # on all addresses of the host, each answer leaves from the address that was asked, which has its price
        {**DATAGRAMS_BY_HAND, **dict.fromkeys(("easynetwork", "easynetwork, any address"), "datagram_servers.py")},
        "by hand",
        ("easynetwork",),
        DATAGRAM_BARS,
    ),
    "unix": Course(
        "Unix datagram echo",
        {**DATAGRAMS_BY_HAND, "easynetwork": "datagram_servers.py"},
        "by hand",
        ("easynetwork",),
        DATAGRAM_BARS,
    ),
}


@dataclass(frozen=True)
class Result:
    rate: float  # messages a second
    cost: float  # microseconds of the server's CPU a message


def build_load_generator() -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        sys.exit(
            "bench: the load generator is written in C, and no C compiler (cc, gcc, clang) was found; install one."
        )
    source, program = HERE / "load.c", HERE / "build" / "load"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        program.parent.mkdir(exist_ok=True)
        subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-o", program, source], check=True)
    return program


def cpu_nanoseconds(pid: int) -> int:
    """Time that a single-threaded process has spent on a CPU (proc(5), schedstat)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


@contextmanager
def running_server(kind: str, name: str, loop: str, core: int) -> Generator[tuple[int, str]]:
    """Starts a contender and gives its process number and its port or path."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(HERE / COURSES[kind].scripts[name]), kind, name, loop, f"{folder}/echo"]
        yield from _running(command, name, loop, core)


def _running(command: list[str], name: str, loop: str, core: int) -> Generator[tuple[int, str]]:
    settings = MALLOC_SETTINGS if name == LARGE_MALLOC else {}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # asyncio reports the connections that the load generator drops at its end
        text=True,
        env={**os.environ, **settings},
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    ) as server:
        try:
            assert server.stdout is not None
            where = server.stdout.readline().strip()
            if not where:
                sys.exit(
                    f"bench: the server {name!r} on {loop} did not start; run it alone to see why:\n  "
                    + " ".join(command)
                )
            yield server.pid, where
        finally:
            server.kill()


def measure(load: Path, kind: str, name: str, loop: str, seconds: float, cores: tuple[int, int]) -> Result:
    with running_server(kind, name, loop, cores[0]) as (pid, where):
        before = cpu_nanoseconds(pid)
        command = [str(load), kind, where, str(PEERS), str(MESSAGE_SIZE), str(seconds)]
        output = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {cores[1]}),
        ).stdout
        used = cpu_nanoseconds(pid) - before
    messages, elapsed = output.split()
    return Result(rate=int(messages) / float(elapsed), cost=used / int(messages) / 1000)


def run(kind: str, loops: Sequence[str], rounds: int, seconds: float) -> dict[tuple[str, str], list[Result]]:
    load = build_load_generator()
    available = sorted(os.sched_getaffinity(0))
    cores = (available[0], available[-1])
    results: dict[tuple[str, str], list[Result]] = {}
    for _ in range(rounds):
        for loop in loops:
            for name in COURSES[kind].contenders(loop):
                results.setdefault((loop, name), []).append(measure(load, kind, name, loop, seconds, cores))
    return results


def report(course: Course, results: dict[tuple[str, str], list[Result]]) -> bool:
    rounds = len(next(iter(results.values())))
    print(f"{course.title}, {PEERS} peers, {MESSAGE_SIZE} bytes a message; medians of {rounds} rounds")
    print(f"{'loop':8} {'server':24} {'messages/s':>11} {'CPU us/message':>15} {'of ' + course.baseline:>16}")
    good = True
    for (loop, name), ours in results.items():
        theirs = results[loop, course.baseline]
        ratio = statistics.median(mine.cost / base.cost for mine, base in zip(ours, theirs, strict=True))
        rate, cost = (statistics.median(values) for values in zip(*((r.rate, r.cost) for r in ours), strict=True))
        verdict = ""
        if name in course.ours:
            bar = course.bars[loop]
            good &= ratio <= bar
            verdict = f"  bar {bar}: {'held' if ratio <= bar else 'NOT held'}"
        print(f"{loop:8} {name:24} {rate:11,.0f} {cost:15.2f} {ratio:16.2f}{verdict}")
    return good


def main() -> None:
    parser = argparse.ArgumentParser(prog="ws bench", description=__doc__)
    parser.add_argument("what", choices=sorted(COURSES))
    parser.add_argument("--loops", nargs="+", choices=LOOPS, default=LOOPS, help="only these event loops (all)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each contender runs (5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each run takes (2.0)")
    arguments = parser.parse_args()
    if sys.platform != "linux":
        sys.exit("bench: it needs Linux (epoll, CPU affinity and /proc).")
    results = run(arguments.what, arguments.loops, arguments.rounds, arguments.seconds)
    if not report(COURSES[arguments.what], results):
        sys.exit("bench: a bar was not held; run it again on a quiet machine before you believe it.")


if __name__ == "__main__":
    main()
