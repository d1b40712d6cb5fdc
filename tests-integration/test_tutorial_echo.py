# SPDX-License-Identifier: Apache-2.0
"""The two tutorials about an echo do what they say, program by program."""

from __future__ import annotations

import contextlib
import importlib
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from page_servers import replayed_beside
from page_sessions import run_command, write_programs
from pages import Page
from programs import serving_program

from easynetwork.clients import UDPNetworkClient
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import JSONSerializer

TCP = Page("tutorials/echo-tcp.md")
UDP = Page("tutorials/echo-udp.md")


class SessionsOf(Page):
    """A page of which only some sessions are done again, counted from the top."""

    def __init__(self, name: str, which: slice) -> None:
        super().__init__(name)
        self._which = which

    def sessions(self) -> list[str]:
        return super().sessions()[self._which]


@pytest.fixture(autouse=True)
def _programs_import_their_neighbours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def check_sessions(server: str, page: Page, folder: Path) -> None:
    for shown, printed in replayed_beside(server, page, folder):
        assert printed == shown


@contextlib.contextmanager
def serving(page: Page, name: str, folder: Path, patience: str = "60") -> Generator[tuple[int, subprocess.Popen[str]]]:
    """A server of a page at a free port, with its log. ``patience`` is in seconds."""
    write_programs(page, folder)
    source = page.programs()[name].replace("9000", "0").replace("float = 60", f"float = {patience}")
    with serving_program(folder / name, source) as (process, address):
        yield int(address.rstrip(")").rpartition(" ")[2]), process


def log_of(process: subprocess.Popen[str]) -> list[str]:
    """Ends a server by Ctrl-C; what it has logged."""
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=10)[1].splitlines()


def errors_in(log: list[str]) -> list[str]:
    return [line for line in log if line.startswith("Exception occurred")]


def udp_socket() -> socket.socket:
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.settimeout(10)
    return sock


def answers_over_tcp(port: int, *chunks: bytes) -> list[str]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        for chunk in chunks:
            sock.sendall(chunk)
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(1000), b"")).decode().splitlines()


# TCP


def test_sessions_with_the_first_tcp_server(tmp_path: Path) -> None:
    check_sessions("server.py", SessionsOf("tutorials/echo-tcp.md", slice(None, -1)), tmp_path)


def test_session_with_the_careful_tcp_server(tmp_path: Path) -> None:
    check_sessions("careful_server.py", SessionsOf("tutorials/echo-tcp.md", slice(-1, None)), tmp_path)


def test_the_log_tells_who_comes_and_goes_and_that_nonsense_ended_a_connection(tmp_path: Path) -> None:
    with serving(TCP, "server.py", tmp_path) as (port, process):
        assert answers_over_tcp(port, b"hello?\n", b'"still here"\n') == []
        assert answers_over_tcp(port, b'"another one"\n') == ['"another one"']
        log = log_of(process)

    assert len([line for line in log if line.startswith("Accepted new connection (address = ('127.0.0.1', ")]) == 2
    assert len([line for line in log if " disconnected (" in line]) == 2
    assert len(errors_in(log)) == 1
    assert len([line for line in log if line.startswith("easynetwork.exceptions.StreamProtocolParseError")]) == 1


def test_a_line_over_the_limit_costs_one_answer(tmp_path: Path) -> None:
    complaint = '{"error":"send a line of JSON, of 1000 bytes at most"}'
    with serving(TCP, "careful_server.py", tmp_path) as (port, process):
        answers = answers_over_tcp(port, b'"' + b"x" * 5000 + b'"\n', b"[1, 2]\n")
        log = log_of(process)

    assert answers == [complaint, "[1,2]"]
    assert not errors_in(log)


def test_a_client_that_goes_away_is_counted_and_no_error(tmp_path: Path) -> None:
    with serving(TCP, "careful_server.py", tmp_path) as (port, process):
        assert answers_over_tcp(port, b'"half of a pack') == []
        assert answers_over_tcp(port, b"1\n") == ["1"]
        log = log_of(process)

    assert log.count("0 connected") == 2
    assert not errors_in(log)


def test_a_client_that_says_nothing_is_sent_away(tmp_path: Path) -> None:
    with (
        serving(TCP, "careful_server.py", tmp_path, patience="0.05") as (port, _),
        socket.create_connection(("127.0.0.1", port), timeout=10) as sock,
    ):
        assert b"".join(iter(lambda: sock.recv(1000), b"")) == b'{"error":"nothing came for too long"}\n'


def test_a_server_that_is_not_there_refuses_the_connection(tmp_path: Path) -> None:
    write_programs(TCP, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    source = TCP.programs()["client.py"].replace("9000", str(port))
    (tmp_path / "client.py").write_text(source)

    assert "ConnectionRefusedError" in run_command("python client.py hello", tmp_path)


# UDP


def test_sessions_with_the_udp_server(tmp_path: Path) -> None:
    check_sessions("server.py", SessionsOf("tutorials/echo-udp.md", slice(None, -1)), tmp_path)


def test_session_with_the_server_that_loses_datagrams(tmp_path: Path) -> None:
    check_sessions("lossy_server.py", SessionsOf("tutorials/echo-udp.md", slice(-1, None)), tmp_path)


def test_a_datagram_of_another_kind_is_logged_and_the_next_one_answered(tmp_path: Path) -> None:
    with serving(UDP, "server.py", tmp_path) as (port, process), udp_socket() as sock:
        sock.connect(("127.0.0.1", port))
        sock.send(b"hello?")
        sock.send(b"1")
        assert sock.recv(100) == b"1"
        log = log_of(process)

    assert log.count("that was no JSON") == 1
    assert not errors_in(log)


@pytest.fixture
def patient_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Generator[Any]:
    """The class of the page. Its module and those that it imports are forgotten afterwards."""
    write_programs(UDP, tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield importlib.import_module("patient").PatientClient
    for name in ("patient", "wire"):
        del sys.modules[name]


def test_an_answer_to_an_older_question_is_not_taken(patient_client: Any) -> None:
    late = [b'{"number":0,"text":"late"}', b'{"number":1,"text":"in time"}']
    with udp_socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with UDPNetworkClient(sock.getsockname(), DatagramProtocol(JSONSerializer())) as client:
            for datagram in late:
                sock.sendto(datagram, client.get_local_address().for_connection())

            assert patient_client(client, patience=10).ask("now") == "in time (attempt 1)"


def test_after_the_last_attempt_the_patient_client_gives_up(patient_client: Any) -> None:
    with udp_socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with (
            UDPNetworkClient(sock.getsockname(), DatagramProtocol(JSONSerializer())) as client,
            pytest.raises(TimeoutError, match="no answer after 2 attempts"),
        ):
            patient_client(client, attempts=2, patience=0.01).ask("anybody")

        questions = [sock.recv(100) for _ in range(2)]
        assert questions == [b'{"number":1,"text":"anybody"}'] * 2


def test_that_nobody_listens_counts_as_a_loss(patient_client: Any) -> None:
    with udp_socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        address = reserved.getsockname()
    with UDPNetworkClient(address, DatagramProtocol(JSONSerializer())) as client, pytest.raises(TimeoutError):
        patient_client(client, attempts=4, patience=0.01).ask("anybody")
