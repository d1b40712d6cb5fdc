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
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CONNECTIONS = 10
MESSAGE_SIZE = 1024
BASELINE = "streams"
OURS = (
    "easynetwork, loop",
    "easynetwork",
)  # one generator for a connection, as the streams' handler is; one for each packet
BAR = 1.1  # of the baseline's CPU time a message, on the same loop
CONTENDERS = ("raw protocol", BASELINE, *OURS)
LOOPS = ("asyncio", "uvloop")


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
def running_server(name: str, loop: str, core: int) -> Generator[tuple[int, int]]:
    """Starts a contender and gives its process number and port."""
    command = [sys.executable, str(HERE / "tcp_servers.py"), name, loop]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # asyncio reports the connections that the load generator drops at its end
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    ) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline()
            if not port:
                sys.exit(
                    f"bench: the server {name!r} on {loop} did not start; run it alone to see why:\n  "
                    + " ".join(command)
                )
            yield server.pid, int(port)
        finally:
            server.kill()


def measure(load: Path, name: str, loop: str, seconds: float, cores: tuple[int, int]) -> Result:
    with running_server(name, loop, cores[0]) as (pid, port):
        before = cpu_nanoseconds(pid)
        command = [str(load), str(port), str(CONNECTIONS), str(MESSAGE_SIZE), str(seconds)]
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


def run(rounds: int, seconds: float) -> dict[tuple[str, str], list[Result]]:
    load = build_load_generator()
    available = sorted(os.sched_getaffinity(0))
    cores = (available[0], available[-1])
    results: dict[tuple[str, str], list[Result]] = {}
    for _ in range(rounds):
        for loop in LOOPS:
            for name in CONTENDERS:
                results.setdefault((loop, name), []).append(measure(load, name, loop, seconds, cores))
    return results


def report(results: dict[tuple[str, str], list[Result]]) -> bool:
    print(
        f"TCP echo, {CONNECTIONS} connections, {MESSAGE_SIZE} bytes a message; medians of {len(next(iter(results.values())))} rounds"
    )
    print(f"{'loop':8} {'server':18} {'messages/s':>11} {'CPU us/message':>15} {'of ' + BASELINE:>11}")
    good = True
    for (loop, name), rounds in results.items():
        ratio = statistics.median(
            ours.cost / theirs.cost for ours, theirs in zip(rounds, results[loop, BASELINE], strict=True)
        )
        rate, cost = (statistics.median(values) for values in zip(*((r.rate, r.cost) for r in rounds), strict=True))
        verdict = ""
        if name in OURS:
            good &= ratio <= BAR
            verdict = f"  bar {BAR}: {'held' if ratio <= BAR else 'NOT held'}"
        print(f"{loop:8} {name:18} {rate:11,.0f} {cost:15.2f} {ratio:11.2f}{verdict}")
    return good


def main() -> None:
    parser = argparse.ArgumentParser(prog="ws bench", description=__doc__)
    parser.add_argument("what", choices=["tcp"])
    parser.add_argument("--rounds", type=int, default=5, help="how often each contender runs (5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each run takes (2.0)")
    arguments = parser.parse_args()
    if sys.platform != "linux":
        sys.exit("bench: it needs Linux (epoll, CPU affinity and /proc).")
    if not report(run(arguments.rounds, arguments.seconds)):
        sys.exit("bench: a bar was not held; run it again on a quiet machine before you believe it.")


if __name__ == "__main__":
    main()
