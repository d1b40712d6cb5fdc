# SPDX-License-Identifier: Apache-2.0
"""The supervisor of the documents does what its page says, between processes."""

from __future__ import annotations

import array
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from example_programs import EXAMPLES, commands, end, lines_until, replaced, started
from loops import LOOPS

SOURCES = EXAMPLES / "supervisor"
SUPERVISE, TALK, ASK, WORK = commands("tutorials/supervisor.md")
NOBODY = 65534


class Supervisor:
    """A supervisor that runs, as a person at a terminal sees it."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.port = int(self.log_until("Workers serve at port ")[-1].rpartition(" ")[2])

    def log_until(self, text: str) -> list[str]:
        return lines_until(self.process.stderr, text)

    def talk(self, *lines: str) -> list[str]:
        return output([*replaced(TALK, port=str(self.port))[:4], *lines])

    def ask(self) -> tuple[dict[int, int], str]:
        """What each worker has served, and the line about restarts."""
        *workers, restarts = output(replaced(ASK, folder=str(self.folder)))
        words = [line.split() for line in workers]
        return {int(pid.rstrip(":")): int(served) for _, pid, served, _ in words}, restarts


def output(words: list[str]) -> list[str]:
    with started(words, SOURCES) as program:
        said, errors = program.communicate(timeout=10)
        assert (program.returncode, errors) == (0, "")
    return said.splitlines()


@contextmanager
def supervising(loop: str, workers: int) -> Generator[Supervisor]:
    folder = Path(tempfile.mkdtemp()) / "run"
    words = [*replaced(SUPERVISE, port="0", folder=str(folder), workers=str(workers)), "--loop", loop]
    try:
        with started(words, SOURCES) as process:
            supervisor = Supervisor(process, folder)
            try:
                yield supervisor
            finally:
                process.terminate()  # and not only killed: it would leave its workers a moment longer
                process.wait(10)
    finally:
        shutil.rmtree(folder.parent)


@pytest.fixture(params=list(LOOPS), scope="module")
def supervisor(request: pytest.FixtureRequest) -> Generator[Supervisor]:
    with supervising(request.param, workers=2) as supervisor:
        for _ in range(2):
            supervisor.log_until("has its descriptors")
        yield supervisor
        assert end(supervisor.process, signal.SIGTERM)[0] == 0


def test_workers_answer_on_one_port_and_are_counted(supervisor: Supervisor) -> None:
    (pid, time, hello) = supervisor.talk("pid", "time", "hello")
    workers, restarts = supervisor.ask()
    while sum(workers.values()) < 1:  # the worker's report is on its way
        workers, restarts = supervisor.ask()

    assert time.endswith("+00:00")
    assert hello == "hello"
    assert workers[int(pid)] == 1
    assert (len(workers), restarts) == (2, "0 restarts")
    assert f"{pid} accepts connection 1\n" in (supervisor.folder / "workers.log").read_text()


def test_only_the_owner_can_reach_the_sockets(supervisor: Supervisor) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in supervisor.folder.glob("*.sock")}

    assert modes == {"workers.sock": 0o600, "control.sock": 0o600}
    assert supervisor.folder.stat().st_mode & 0o777 == 0o700


def test_descriptors_that_nobody_wants_are_closed(supervisor: Supervisor) -> None:
    descriptors = Path(f"/proc/{supervisor.process.pid}/fd")
    before = len(list(descriptors.iterdir()))
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("")  # the system chooses a name
        sock.connect(str(supervisor.folder / "control.sock"))
        for nonsense in (b"{", b'"fly"', b'"status"'):
            sock.sendmsg([nonsense], [rights])
        sock.settimeout(10)
        assert b"served" in sock.recv(65536)

    assert len(list(descriptors.iterdir())) == before


@contextmanager
def as_nobody() -> Generator[None]:
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user, and return")
def test_other_users_are_refused_even_if_they_reach_the_sockets(supervisor: Supervisor) -> None:
    opened = {supervisor.folder.parent: 0o711, supervisor.folder: 0o711}
    opened |= dict.fromkeys(supervisor.folder.glob("*.sock"), 0o666)
    before = {path: path.stat().st_mode & 0o777 for path in opened}
    for path, mode in opened.items():
        path.chmod(mode)
    with socket.socket(socket.AF_UNIX) as worker, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
        asking.bind("")
        with as_nobody():
            worker.connect(str(supervisor.folder / "workers.sock"))
            asking.connect(str(supervisor.folder / "control.sock"))
            asking.send(b'"status"')
        worker.settimeout(10)
        assert worker.recv(100) == b""
        asking.send(b'"status"')  # as root again: only this one is answered
        asking.settimeout(10)
        assert b"served" in asking.recv(65536)
        asking.setblocking(False)
        with pytest.raises(BlockingIOError):
            asking.recv(65536)
    for path, mode in before.items():
        path.chmod(mode)
    assert supervisor.log_until("no worker")[-1] == f"process {os.getpid()} of user {NOBODY} is no worker"


def test_a_worker_that_ends_is_followed_by_another_one(supervisor: Supervisor) -> None:
    first, _ = supervisor.ask()
    victim = min(first)
    os.kill(victim, signal.SIGKILL)
    log = supervisor.log_until("has its descriptors")
    second, restarts = supervisor.ask()

    assert f"worker {victim} has ended with status -9" in log
    assert (len(second), restarts) == (2, "1 restarts")
    assert victim not in second
    assert supervisor.talk("hello") == ["hello"]


@pytest.mark.parametrize("supervisor", ["asyncio"], indirect=True)
def test_one_more_worker_can_be_started_by_hand(supervisor: Supervisor) -> None:
    with started(replaced(WORK, folder=str(supervisor.folder)), SOURCES) as worker:
        supervisor.log_until(f"worker {worker.pid} has its descriptors")
        assert worker.pid in supervisor.ask()[0]
        assert end(worker, signal.SIGINT) == (130, [])


@pytest.mark.parametrize("loop", LOOPS)
def test_ctrl_c_ends_everything_at_any_time(loop: str) -> None:
    """Here the worker has not even begun.

    SIGTERM does the same: it ends the supervisor of the other tests.
    """
    with supervising(loop, workers=1) as supervisor:
        status, _ = end(supervisor.process, signal.SIGINT)

        assert status == 0
        assert [path.name for path in supervisor.folder.iterdir()] == ["workers.log"]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", supervisor.port))


@pytest.mark.parametrize("loop", LOOPS)
def test_workers_do_not_outlive_a_supervisor_that_is_killed(loop: str) -> None:
    with supervising(loop, workers=1) as supervisor:
        supervisor.log_until("has its descriptors")
        with socket.create_connection(("127.0.0.1", supervisor.port), timeout=10) as sock:
            sock.sendall(b"hello\n")
            assert sock.recv(100) == b"hello\n"
            supervisor.process.kill()
            assert sock.recv(100) == b""


def test_trouble_is_told_in_a_sentence(folder: Path) -> None:
    for words in (ASK, WORK):
        with started(replaced(words, folder=str(folder)), SOURCES) as program:
            status, (line,) = end(program)
        assert status == 1
        assert line.startswith(f"{words[1]}: ")
        assert "No such file" in line
