# SPDX-License-Identifier: Apache-2.0
"""The chat of the documents does what its page says, between processes."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Generator
from contextlib import ExitStack, suppress

import pytest
from example_programs import EXAMPLES, commands, end, lines_until, port_of, replaced, started, type_line
from loops import LOOPS

FOLDER = EXAMPLES / "chat"
SERVER, ADA, BOB = commands("tutorials/chat.md")


@pytest.fixture(params=list(LOOPS), scope="module")
def port(request: pytest.FixtureRequest) -> Generator[int]:
    with started([*replaced(SERVER, port="0"), "--loop", request.param], FOLDER) as server:
        yield port_of(server)
        assert end(server, signal.SIGTERM)[0] == 0


@pytest.fixture
def programs() -> Generator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def join(programs: ExitStack, words: list[str], port: int) -> subprocess.Popen[str]:
    """Starts a client, and returns it when it is in the room."""
    client = programs.enter_context(started(replaced(words, port=str(port)), FOLDER))
    lines_until(client.stdout, f"* {words[2]} is here")
    return client


class Peer:
    """A member without the client program."""

    def __init__(self, port: int, login: str = "", receive_buffer: int | None = None) -> None:
        self.sock = socket.socket()
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(10)
        self.sock.connect(("127.0.0.1", port))
        self._file = self.sock.makefile("r", encoding="utf-8", newline="\n")
        if login:
            self.send(f"login {login}\n")
            assert self.line() == f"joined {login}"

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        with self.sock, self._file, suppress(OSError):
            # The server answers this end with its own when the name is free again, as the next test
            # wants it.
            self.sock.shutdown(socket.SHUT_WR)
            while self.sock.recv(65536):
                pass

    def send(self, text: str) -> None:
        self.sock.sendall(text.encode())

    def line(self) -> str:
        return self._file.readline().removesuffix("\n")

    def rest(self) -> list[str]:
        return self._file.read().splitlines()


def test_members_talk_to_all_and_to_one(port: int, programs: ExitStack) -> None:
    ada = join(programs, ADA, port)
    bob = join(programs, BOB, port)
    with Peer(port, "cleo") as cleo:
        type_line(ada, "hello everybody")
        type_line(ada, "/tell bob only you")
        assert lines_until(bob.stdout, "tells you")[-2:] == ["ada: hello everybody", "ada tells you: only you"]
        type_line(bob, "/who")
        assert lines_until(bob.stdout, "* here are")[-1] == "* here are ada bob cleo"
        type_line(bob, "bye")
        assert [cleo.line(), cleo.line()] == ["said ada hello everybody", "said bob bye"]
    assert end(ada) == (0, [])
    assert lines_until(bob.stdout, "ada has left")[-2:] == ["* cleo has left: bye", "* ada has left: bye"]
    assert end(bob) == (0, [])


def test_answers_reach_a_member_that_leaves_at_once(port: int, programs: ExitStack) -> None:
    with Peer(port, "ada") as ada:
        ada.send("who\n")
        ada.sock.shutdown(socket.SHUT_WR)

        assert ada.rest() == ["members ada"]


def test_a_name_that_is_taken_is_refused(port: int, programs: ExitStack) -> None:
    with Peer(port, "ada"):
        second = programs.enter_context(started(replaced(ADA, port=str(port)), FOLDER))

        assert lines_until(second.stdout, "!") == ["! the name ada is taken"]
        assert end(second) == (1, [])


def test_a_member_that_has_left_gives_its_name_back(port: int) -> None:
    with Peer(port, "bob") as bob:
        with Peer(port, "ada"):
            assert bob.line() == "joined ada"
        assert bob.line() == "left ada bye"
        with Peer(port, "ada"):
            assert bob.line() == "joined ada"


def test_a_bad_name_is_refused(port: int) -> None:
    for name in ("Ada", "a b", "-a", "a" * 17, "\x1b[2J", ""):
        with Peer(port) as peer:
            peer.send(f"login {name}\n")

            (line,) = peer.rest()
            assert line.startswith("refused a name has 1 to 16 characters")


def test_who_does_not_log_in_is_refused(port: int) -> None:
    with Peer(port) as peer:
        peer.send("say hello\n")

        assert peer.rest() == ["refused the first line is: login NAME"]


def test_a_line_that_makes_no_sense_gets_a_notice_and_the_next_one_is_read(port: int) -> None:
    notices = {
        "say " + "x" * 600: "notice a line is UTF-8 text of at most 500 bytes",
        "shout hello": "notice a line begins with one of: login, say, tell, who",
        "tell bob": "notice tell: something is missing",
        "say \x1b[2J": "notice a text is not empty, and all its characters can be printed",
        "tell bob hello": "notice nobody here is called bob",
        "login eve": "notice you are ada already",
    }
    with Peer(port, "ada") as ada:
        for line, notice in notices.items():
            ada.send(f"{line}\nsay on\n")

            assert [ada.line(), ada.line()] == [notice, "said ada on"]


def test_a_thousand_lines_at_once_lose_nobody(port: int) -> None:
    with Peer(port, "ada") as ada, Peer(port, "bob") as bob:
        ada.send("".join(f"say {number}\n" for number in range(1000)))

        assert [bob.line() for _ in range(1000)] == [f"said ada {number}" for number in range(1000)]


def test_a_member_that_does_not_read_is_dropped_and_holds_nobody_up(port: int) -> None:
    with Peer(port, "slow", receive_buffer=4096) as slow, Peer(port, "ada") as ada:
        line = ""
        while not line.startswith("left"):
            ada.send(f"say {'x' * 400}\n" * 100 + "who\n")
            while not (line := ada.line()).startswith(("members", "left")):
                pass
        assert line == "left slow it reads too slowly"
        with pytest.raises(ConnectionResetError):
            while slow.sock.recv(65536):
                pass


@pytest.mark.parametrize("loop", LOOPS)
def test_who_does_not_say_its_name_in_time_is_refused(loop: str) -> None:
    with started([*replaced(SERVER, port="0"), "--loop", loop, "--login-seconds", "0.1"], FOLDER) as server:
        with Peer(port_of(server)) as peer:
            peer.send("logi")

            assert peer.rest() == ["refused no login within 0.1 seconds"]
        assert end(server, signal.SIGINT)[0] == 0


@pytest.mark.parametrize("loop", LOOPS)
def test_ctrl_c_ends_the_server_and_its_clients(loop: str, programs: ExitStack) -> None:
    """SIGTERM does the same: all servers of these tests are ended by it."""
    with started([*replaced(SERVER, port="0"), "--loop", loop], FOLDER) as server:
        ada = join(programs, ADA, port_of(server))
        status, said = end(server, signal.SIGINT)

        assert (status, said[-1]) == (0, "Server stopped")
        assert lines_until(ada.stdout, "ended") == ["* the connection has ended"]
        assert end(ada) == (0, [])


def test_ctrl_c_ends_a_client(port: int, programs: ExitStack) -> None:
    ada = join(programs, ADA, port)

    assert end(ada, signal.SIGINT) == (0, [])


def test_trouble_is_told_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with started(replaced(SERVER, port=str(port)), FOLDER) as server:
            assert end(server) == (1, [f"server.py: cannot bind to ('127.0.0.1', {port}): Address already in use"])
    with started(replaced(ADA, port=str(port)), FOLDER) as client:
        status, (line,) = end(client)
    assert status == 1
    assert line.startswith("client.py: could not connect to ")
