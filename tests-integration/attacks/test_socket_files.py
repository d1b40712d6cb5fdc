# SPDX-License-Identifier: Apache-2.0
"""What lies where a Unix server wants to listen.

Servers that are ended by SIGTERM: ``test_signals.py``.
"""

from __future__ import annotations

import contextlib
import socket

import pytest
from attacks.harness import Harness, at_once
from attacks.peers import ask

KINDS = ("unix_stream", "unix_datagram")


def _socket(kind: str) -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if kind == "unix_stream" else socket.SOCK_DGRAM)


@pytest.mark.attack(row=24, tier="F")
@at_once
def test_stale_socket_files_do_not_prevent_a_restart(harness: Harness) -> None:
    stale = {kind: harness.folder / f"{harness.loop}-{kind}" for kind in KINDS}
    for kind, path in stale.items():
        with _socket(kind) as dead:
            dead.bind(str(path))
        assert path.is_socket()

    server = harness.start(*KINDS, path=str(harness.folder / harness.loop))

    assert server.addresses == {kind: str(path) for kind, path in stale.items()}
    for kind in KINDS:
        with server.connect(kind) as sock:
            assert ask(sock, "echo x") == "x"


@pytest.mark.attack(row=24, tier="F")
@at_once
def test_living_servers_and_foreign_files_are_left_alone(harness: Harness) -> None:
    foreign = harness.folder / f"{harness.loop}-foreign"
    foreign.write_text("somebody's work")
    with contextlib.ExitStack() as stack:
        living = {kind: harness.folder / f"{harness.loop}-living-{kind}" for kind in KINDS}
        for kind, path in living.items():
            sock = stack.enter_context(_socket(kind))
            sock.bind(str(path))
            if kind == "unix_stream":
                sock.listen()
        attempts = [(path, kind) for kind in KINDS for path in (living[kind], foreign)]
        for path, process in [(path, harness.try_to_start(kind, path=str(path))) for path, kind in attempts]:
            with process:
                _, errors = process.communicate(timeout=20)

            assert process.returncode == 1
            assert f"cannot bind to '{path}': Address already in use" in errors.decode()
        assert all(path.is_socket() for path in living.values())
    assert foreign.read_text() == "somebody's work"
