# SPDX-License-Identifier: Apache-2.0
"""Servers that are replaced one after the other, under load: nothing may get lost."""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from attacks.harness import Harness
from attacks.peers import pass_time

_NUMBERS = itertools.count()

_ANSWER_WITHIN = 10.0
"""Seconds after which a request counts as one that hangs."""


class Replaceable:
    """One server of several at the same port.

    Args:
        port: 0 takes a free one.
        stack: ends it, should it still be there.
    """

    def __init__(self, harness: Harness, port: int, stack: contextlib.ExitStack) -> None:
        self._report = harness.folder / f"{harness.loop}-{next(_NUMBERS)}"
        options = {"port": port, "report": str(self._report)}
        self._process = stack.enter_context(harness.run_program("attacks.restarted", stderr=subprocess.PIPE, **options))
        stack.callback(self._process.kill)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def finish(self, books: Books) -> None:
        """Has it finish its requests, and notes what it has done."""
        self._process.send_signal(signal.SIGTERM)
        _, errors = self._process.communicate(timeout=20)
        assert (self._process.returncode, errors.decode()) == (128 + signal.SIGTERM, "")
        report = json.loads(self._report.read_text())
        books.handled.update(report["handled"])
        books.cancelled += report["cancelled"]


@dataclass
class Books:
    """What clients and servers have seen."""

    handled: Counter[str] = field(default_factory=Counter[str])
    cancelled: int = 0
    answered: int = 0
    repeated: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])

    def unexplained(self) -> int:
        """Requests that were handled more often than they were sent."""
        return sum(count > 1 + self.repeated[request] for request, count in self.handled.items())


class Caller:
    """A client that sends numbered requests without a pause.

    When its connection ends, it makes a new one and repeats what was not answered.
    """

    def __init__(self, name: str, port: int) -> None:
        self._name = name
        self._port = port
        self._connection: socket.socket | None = None
        self.answered = 0
        self.repeated: Counter[str] = Counter()
        self.wrong: list[str] = []

    def call_until(self, end: threading.Event) -> Caller:
        while not end.is_set():
            request = f"{self._name}-{self.answered}"
            while (answer := self._try(request)) is None:
                self.repeated[request] += 1
            if answer != f"{request}\n":
                self.wrong.append(f"{answer!r} to {request}")
            self.answered += 1
        if self._connection is not None:
            self._connection.close()
        return self

    def _try(self, request: str) -> str | None:
        """The answer; None if the connection ended without one.

        A time-out is an error: a request hangs.
        """
        try:
            if self._connection is None:
                self._connection = socket.create_connection(("127.0.0.1", self._port), _ANSWER_WITHIN)
            self._connection.sendall(f"{request}\n".encode())
            answer = b""
            while not answer.endswith(b"\n"):
                more = self._connection.recv(100)
                if not more:
                    raise ConnectionResetError
                answer += more
        except ConnectionError:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return None
        return answer.decode()


@contextlib.contextmanager
def calling(callers: list[Caller], books: Books) -> Generator[None]:
    end = threading.Event()
    with ThreadPoolExecutor(len(callers)) as threads:
        calls = [threads.submit(caller.call_until, end) for caller in callers]
        try:
            yield
        finally:
            end.set()
        for call in calls:
            caller = call.result()
            books.answered += caller.answered
            books.repeated.update(caller.repeated)
            books.wrong += caller.wrong


@pytest.mark.parametrize(
    ("clients", "restarts", "seconds"),
    [
        pytest.param(10, 4, 0.3, marks=pytest.mark.attack(row=30, tier="F"), id="briefly"),
        pytest.param(
            50, 15, 2, marks=[pytest.mark.attack(row=30, tier="R"), pytest.mark.timeout(120)], id="50 clients, 30 s"
        ),
    ],
)
def test_a_rolling_restart_loses_nothing(harness: Harness, clients: int, restarts: int, seconds: float) -> None:
    """There is one every so many seconds; a busy machine takes longer to start a process."""
    books = Books()
    with contextlib.ExitStack() as stack:
        first = Replaceable(harness, 0, stack)
        servers = [first, Replaceable(harness, first.port, stack)]
        callers = [Caller(str(number), first.port) for number in range(clients)]
        with calling(callers, books):
            began = time.monotonic()
            for number in range(1, restarts + 1):
                pass_time(max(0, began + number * seconds - time.monotonic()))
                servers.append(Replaceable(harness, first.port, stack))
                servers.pop(0).finish(books)
        for server in servers:
            server.finish(books)
    assert books.wrong == []
    harness.figure("restarts", restarts)
    harness.figure("requests, each of them answered", books.answered, at_least=clients)
    harness.figure("handled and not answered", len(books.handled) - books.answered, exactly=0)
    harness.figure("handled more often than sent", books.unexplained(), exactly=0)
    harness.figure("cut off", books.cancelled, exactly=0)
    harness.figure("repeated at each restart", books.repeated.total() / restarts, at_most=clients)
