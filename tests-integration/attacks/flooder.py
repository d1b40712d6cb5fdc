# SPDX-License-Identifier: Apache-2.0
"""A client that sends as fast as it can, and reads all answers: ``python flooder.py PORT``.

It takes a processor, and so a process of its own.
"""

from __future__ import annotations

import socket
import sys
import threading

_REQUESTS = b"echo x\n" * 9000


def main() -> None:
    _, port = sys.argv
    with socket.create_connection(("127.0.0.1", int(port))) as sock:
        threading.Thread(target=_read_all, args=(sock,), daemon=True).start()
        try:
            while True:
                sock.sendall(_REQUESTS)
        except OSError:
            pass  # the server has ended


def _read_all(sock: socket.socket) -> None:
    while sock.recv(1 << 20):
        pass


if __name__ == "__main__":
    main()
