# SPDX-License-Identifier: Apache-2.0
"""Peers that do not speak TLS, or not to the end: of a server, and of clients."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest
from attacks.harness import Harness, at_once
from attacks.peers import ask, read_line, read_to_end, slowest_answer, wait_until
from attacks.tls_client import TIME_LIMIT

Secured = Callable[[socket.socket], socket.socket]
"""Shakes hands over a connection."""

Attack = Callable[[socket.socket, Secured], None]

_LIMITS = {"tls": {"ssl_handshake_timeout": TIME_LIMIT, "ssl_shutdown_timeout": TIME_LIMIT}}

_PLAINTEXT = b"GET / HTTP/1.1\r\n\r\n"
_GARBAGE = (_PLAINTEXT, bytes(range(256)) * 10, b"\x16\x03\x01\x00\x05hello", b"\x15\x03\x01\x00\x02\x02\x28")


@pytest.mark.attack(row=19, tier="F")
@at_once
def test_a_server_cuts_off_who_does_not_speak_tls(harness: Harness) -> None:
    server = harness.start("tls", options=_LIMITS)
    with server.connect() as canary, server.connect(secure=False) as silent, server.connect(secure=False) as halting:
        began = time.monotonic()
        halting.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")  # the begin of a hello
        for garbage in _GARBAGE:
            with server.connect(secure=False) as sock, contextlib.suppress(ConnectionError):
                sock.sendall(garbage)
                read_to_end(sock)
        slowest_answer(canary)
        for sock in (silent, halting):
            with contextlib.suppress(ConnectionError):
                assert read_to_end(sock) == b""
        harness.figure("stalled handshakes cut after", time.monotonic() - began, "s", **around(TIME_LIMIT))
    harness.figure("lines in the log", len(server.log()), exactly=1)
    harness.figure("the longest", max(map(len, server.log())), "bytes", at_most=200)


@pytest.mark.attack(row=19, tier="F")
@at_once
def test_a_server_survives_sessions_without_an_end(harness: Harness) -> None:
    server = harness.start("tls", options=_LIMITS)
    with server.connect() as canary:
        with server.connect() as truncating:
            ask(truncating, "echo hello")
            truncating.sendall(b"echo half of the tru")
            truncating.shutdown(socket.SHUT_WR)  # an end that TLS knows nothing of
        wait_until(lambda: server.stats(canary)["disconnected"] == 1, 5)
        with server.connect() as mute, socket.socket(fileno=os.dup(mute.fileno())) as ciphertext:
            ciphertext.settimeout(10)
            began = time.monotonic()
            mute.sendall(b"close 10\n")
            assert read_line(mute) == "x" * 10
            read_to_end(ciphertext)
            harness.figure("unanswered close_notify cut after", time.monotonic() - began, "s", **around(TIME_LIMIT))
    harness.figure("lines in the log", len(server.log()), exactly=0)


def around(seconds: float) -> dict[str, float]:
    return {"at_least": seconds - 0.5, "at_most": seconds + 0.5}


# hostile servers: each gets a connection, which is closed at the end of the case


def _say(data: bytes) -> Attack:
    def attack(sock: socket.socket, secured: Secured) -> None:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)

    return attack


def _say_nothing(sock: socket.socket, secured: Secured) -> None:
    """The handshake stalls."""


def _truncate(sock: socket.socket, secured: Secured) -> None:
    secure = secured(sock)
    secure.sendall(b"hello\nhalf of the tru")
    secure.shutdown(socket.SHUT_WR)  # without a word of TLS


def _never_send_close_notify(sock: socket.socket, secured: Secured) -> None:
    secured(sock).sendall(b"hello\n")


ATTACKS: dict[str, Attack] = {
    "plaintext": _say(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "garbage": _say(bytes(range(256)) * 10),
    "stalled handshake": _say_nothing,
    "truncation": _truncate,
    "unanswered close_notify": _never_send_close_notify,
}

ERRORS: dict[str, str | None] = {
    "plaintext": "SSLError",
    "garbage": "SSLError",
    "stalled handshake": "TimeoutError",
    "truncation": "TruncatedStreamError",
    "unanswered close_notify": None,
}
"""What clients should make of them."""


@contextmanager
def hostile_server(attack: Attack, context: ssl.SSLContext) -> Generator[int]:
    """Attacks all who connect, until the end of the block; gives its port."""
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.create_server(("127.0.0.1", 0)))

        def secured(sock: socket.socket) -> socket.socket:
            return sockets.enter_context(context.wrap_socket(sock, server_side=True))

        def serve() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:  # it is shut down
                    return
                sockets.enter_context(sock)
                with contextlib.suppress(OSError):  # the client has gone
                    attack(sock, secured)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.attack(row=19, tier="F")
@at_once
def test_clients_cut_off_servers_that_do_not_speak_tls(harness: Harness) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(harness.certificate)
    with contextlib.ExitStack() as stack:
        ports = {name: stack.enter_context(hostile_server(attack, context)) for name, attack in ATTACKS.items()}
        options = {"ports": ports, "authority": str(harness.authority)}
        client = stack.enter_context(harness.run_program("attacks.tls_client", stderr=subprocess.PIPE, **options))
        output, errors = client.communicate(timeout=20)
    assert errors == b""
    report = json.loads(output)
    for suffix in ("", ", blocking client"):
        got = {name: report[f"{name}{suffix}"] for name in ATTACKS}
        assert {name: entry.get("error") for name, entry in got.items()} == ERRORS
        stalled, unanswered = got["stalled handshake"]["failed_after"], got["unanswered close_notify"]["closed_after"]
        harness.figure(f"stalled handshake cut after{suffix}", stalled, "s", **around(TIME_LIMIT))
        harness.figure(f"unanswered close_notify cut after{suffix}", unanswered, "s", **around(TIME_LIMIT))
        longest = max(len(entry.get("message", "")) for entry in got.values())
        harness.figure(f"longest message{suffix}", longest, "bytes", at_most=200)
