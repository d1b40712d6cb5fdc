# SPDX-License-Identifier: Apache-2.0
"""A canary: an ordinary client beside attackers, which asks, waits for the answer, checks it, and
asks again.
"""

from __future__ import annotations

import socket
import threading
import time

__all__ = ("Canary",)

_PAUSE = 0.005
"""Seconds between two questions."""

_PATIENCE = 0.2
"""Seconds after which a datagram counts as lost, and is sent again."""


class Canary:
    """Asks in a thread of its own, while a block runs.

    Args:
        sock: is connected to a server, and closed at the end.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._thread = threading.Thread(target=self._run)
        self._sock = sock
        self._is_stream = sock.type == socket.SOCK_STREAM
        self._over = threading.Event()
        self._times: list[float] = []
        self.wrong: list[str] = []
        """Answers that are none, and what ended the connection."""
        self.repeated = 0
        """Datagrams that were sent again."""

    def __enter__(self) -> Canary:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Waits for the last answer."""
        self._over.set()
        self._thread.join()

    @property
    def answers(self) -> int:
        return len(self._times)

    def p99(self) -> float:
        """Milliseconds that 99 of 100 answers took at most; repeated questions count from the
        first.
        """
        return 1000 * sorted(self._times)[int(len(self._times) * 0.99)]

    def _run(self) -> None:
        number = 0
        with self._sock:
            while not self._over.wait(_PAUSE):
                number += 1
                began = time.monotonic()
                try:
                    self._ask(number)
                except (OSError, EOFError) as exc:
                    self.wrong.append(repr(exc))
                    return
                self._times.append(time.monotonic() - began)

    def _ask(self, number: int) -> None:
        if self._is_stream:
            self._sock.sendall(b"echo %d\n" % number)
            self._check(self._line(), number)
            return
        self._sock.settimeout(_PATIENCE)
        self._sock.send(b"echo %d" % number)
        while True:
            try:
                answer = self._sock.recv(65536)
            except TimeoutError:
                self.repeated += 1
                self._sock.send(b"echo %d" % number)
                continue
            if answer == b"%d" % number:
                return
            if not answer.isdigit() or int(answer) > number:  # else it is of a question that was asked twice
                self.wrong.append(repr(answer))

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            data = self._sock.recv(65536)
            if not data:
                raise EOFError("the server has closed the connection")
            line += data
        return line

    def _check(self, line: bytes, number: int) -> None:
        if line != b"%d\n" % number:
            self.wrong.append(repr(line))
