# SPDX-License-Identifier: Apache-2.0
"""A server in a process of its own, seen from outside by the system's own figures, and talked to
with plain sockets.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import IO, Any

from attacks.peers import Address, ask, connect, settled

__all__ = ("MEGABYTE", "AttackedProcess", "Costs", "lines_of")

MEGABYTE = 1_000_000


class AttackedProcess:
    """One that prints where it serves when it is up, obeys what it reads, and serves until its
    input ends (see ``program``).

    Args:
        log: what it writes its log and its errors into.
        context: for connections over TLS.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: IO[bytes], context: ssl.SSLContext) -> None:
        self._process = process
        self._log = log
        self._context = context
        self.addresses: dict[str, Address] = {kind: _address(where) for kind, where in json.loads(self._said()).items()}
        """By kind of server."""

    def _said(self) -> bytes:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "\n".join(self.log())
        return line

    # the process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def port(self) -> int:
        """Of its first server, which is one of TCP or UDP."""
        address = next(iter(self.addresses.values()))
        assert not isinstance(address, str)
        return address[1]

    def tell(self, command: str) -> Any:
        """Has the program do something, and returns what it says about it."""
        assert self._process.stdin is not None
        self._process.stdin.write(command.encode() + b"\n")
        self._process.stdin.flush()
        return json.loads(self._said())

    def memory(self) -> int:
        """Resident bytes."""
        return int(self._read("statm").split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def peak_memory(self) -> int:
        """Most resident bytes since `forget_peak`."""
        (line,) = (line for line in self._read("status").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def forget_peak(self) -> None:
        self._proc("clear_refs").write_text("5")  # proc(5): resets the "high water mark"

    def cpu_seconds(self) -> float:
        """Of all threads that are alive."""
        tasks = self._proc("task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def descriptors(self) -> int:
        return len(os.listdir(self._proc("fd")))

    def descriptors_left(self, before: int) -> float:
        """How many more than ``before`` it keeps open, after a while if need be."""
        return settled(lambda: self.descriptors() - before, 0, 5)

    def costs(self) -> Costs:
        """What it takes from now on."""
        return Costs(self)

    def log(self) -> list[str]:
        return lines_of(self._log)

    def _read(self, name: str) -> str:
        return self._proc(name).read_text()

    def _proc(self, name: str) -> Path:
        return Path(f"/proc/{self.pid}/{name}")

    # its servers

    def connect(
        self, kind: str | None = None, *, receive_buffer: int | None = None, secure: bool = True
    ) -> socket.socket:
        """A blocking socket that talks to one of the servers, to the first if it is not said which.

        Args:
            receive_buffer: bytes that the socket may hold unread; None leaves it to the system,
                which makes it grow.
            secure: whether a connection to the server ``tls`` shakes hands.
        """
        kind = kind or next(iter(self.addresses))
        sock = connect(kind, self.addresses[kind], receive_buffer)
        if kind == "tls" and secure:
            return self._context.wrap_socket(sock, server_hostname="localhost")
        return sock

    def stats(self, sock: socket.socket | None = None) -> dict[str, Any]:
        """What the handlers tell of themselves; over ``sock``, or a connection of its own."""
        if sock is not None:
            return json.loads(ask(sock, "stats"))  # type: ignore[no-any-return]
        with self.connect() as own:
            return self.stats(own)


def lines_of(log: IO[bytes]) -> list[str]:
    """What a process has written into a file so far; the file's position is that of the process,
    and stays.
    """
    descriptor = log.fileno()
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode().splitlines()


class Costs:
    """What a process takes from a moment on."""

    def __init__(self, process: AttackedProcess) -> None:
        self._process = process
        process.forget_peak()
        self._memory = process.memory()
        self._cpu = process.cpu_seconds()
        self._began = time.monotonic()

    def growth(self) -> float:
        """Megabytes that its memory has grown by, at its highest."""
        return (self._process.peak_memory() - self._memory) / MEGABYTE

    def lasting_growth(self) -> float:
        """Megabytes that its memory is larger now."""
        return (self._process.memory() - self._memory) / MEGABYTE

    def cpu(self) -> float:
        """Per cent of one processor.

        A thread that has ended meanwhile has taken its share along.
        """
        return max(0.0, 100 * (self._process.cpu_seconds() - self._cpu) / self.seconds())

    def seconds(self) -> float:
        return time.monotonic() - self._began


def _address(where: Any) -> Address:
    return where if isinstance(where, str) else (where[0], where[1])
