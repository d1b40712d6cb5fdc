# SPDX-License-Identifier: Apache-2.0
"""Asks the supervisor how its workers are: ``python ask.py --folder run``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from easynetwork.clients.unix_datagram import UnixDatagramClient
from easynetwork.exceptions import DatagramProtocolParseError
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import JSONSerializer


def ask(folder: Path, seconds: float) -> dict[str, Any]:
    """The status, as the supervisor tells it.

    Raises:
        OSError: there is no supervisor, or this user may not ask it.
        TimeoutError: it does not answer.
    """
    protocol = DatagramProtocol[Any, Any](JSONSerializer())
    with UnixDatagramClient(folder / "control.sock", protocol) as client:
        client.send_packet("status", timeout=seconds)
        status: dict[str, Any] = client.recv_packet(timeout=seconds)
        return status


def main() -> None:
    parser = argparse.ArgumentParser(description="Asks the supervisor how its workers are.")
    parser.add_argument("--folder", type=Path, required=True, help="that of the supervisor")
    parser.add_argument("--seconds", type=float, default=5.0, help="until you give up")
    arguments = parser.parse_args()
    try:
        status = ask(arguments.folder, arguments.seconds)
    except TimeoutError:
        sys.exit(f"{parser.prog}: no answer in {arguments.seconds:g} seconds")
    except OSError as exc:
        sys.exit(f"{parser.prog}: {exc.strerror or exc}")
    except DatagramProtocolParseError:
        sys.exit(f"{parser.prog}: an answer that makes no sense")
    for pid, served in status["served"].items():
        print(f"worker {pid}: {served} connections")
    print(f"{status['restarts']} restarts")


if __name__ == "__main__":
    main()
