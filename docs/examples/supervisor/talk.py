# SPDX-License-Identifier: Apache-2.0
"""Says lines to a worker, and prints its answers: ``python talk.py --port 9300 pid time hello``."""

from __future__ import annotations

import argparse
import sys

from easynetwork.clients import TCPNetworkClient
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import StringLineSerializer


def main() -> None:
    parser = argparse.ArgumentParser(description="Says lines to a worker.")
    parser.add_argument("lines", nargs="+", help="time, pid, or anything else, which comes back")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9300)
    arguments = parser.parse_args()
    address = (arguments.host, arguments.port)
    protocol = StreamProtocol(StringLineSerializer(encoding="utf-8"))
    try:
        with TCPNetworkClient(address, protocol, connect_timeout=5) as client:
            for line in arguments.lines:
                client.send_packet(line)
                print(client.recv_packet(timeout=5))
    except OSError as exc:
        sys.exit(f"{parser.prog}: {exc.strerror or exc}")


if __name__ == "__main__":
    main()
