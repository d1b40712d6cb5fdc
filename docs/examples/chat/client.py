# SPDX-License-Identifier: Apache-2.0
"""The chat in a terminal: ``python client.py ada --port 9100``.

What you type is said to everybody. ``/tell NAME TEXT`` is for one member, ``/who`` asks for the
names, Ctrl-D or Ctrl-C leaves.
"""

from __future__ import annotations

import argparse
import sys
import threading
from contextlib import suppress

from easynetwork.clients import TCPNetworkClient
from easynetwork.exceptions import StreamProtocolParseError
from messages import (
    Event,
    Joined,
    Left,
    Login,
    Members,
    Notice,
    Refused,
    Request,
    Said,
    Say,
    Tell,
    Told,
    Who,
)
from messages import client_protocol as protocol


def typed(line: str) -> Request:
    """What a typed line means.

    Raises:
        ValueError: it means nothing.
    """
    match line.split(" ", 2):
        case ["/who"]:
            return Who()
        case ["/tell", name, text]:
            return Tell(name, text)
        case [word, *_] if word.startswith("/"):
            raise ValueError("there are: /tell NAME TEXT, /who")
        case _:
            return Say(line)


def shown(event: Event) -> str:
    match event:
        case Said(name, text):
            return f"{name}: {text}"
        case Told(name, text):
            return f"{name} tells you: {text}"
        case Joined(name):
            return f"* {name} is here"
        case Left(name, why):
            return f"* {name} has left: {why}"
        case Members(names):
            return f"* here are {names}"
        case Notice(text) | Refused(text):
            return f"! {text}"


def send_what_is_typed(client: TCPNetworkClient[Request, Event]) -> None:
    # Without a buffer: Python cannot end while a thread waits inside of one, and has its lock.
    with open(0, "rb", buffering=0, closefd=False) as lines, suppress(OSError):
        for line in lines:
            try:
                client.send_packet(typed(line.decode(errors="replace").strip()))
            except ValueError as exc:
                print(f"! {exc}", flush=True)
        client.send_eof()


def print_what_comes(client: TCPNetworkClient[Request, Event]) -> None:
    while True:
        try:
            event = client.recv_packet()
        except StreamProtocolParseError:
            print("! a line that makes no sense", flush=True)
            continue
        except ConnectionError:
            print("* the connection has ended", flush=True)
            return
        print(shown(event), flush=True)
        if isinstance(event, Refused):
            sys.exit(1)


def main() -> None:
    parser = argparse.ArgumentParser(description="The chat in a terminal.")
    parser.add_argument("name", help="what the others call you")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9100)
    arguments = parser.parse_args()
    try:
        login = Login(arguments.name)
        address = (arguments.host, arguments.port)
        with TCPNetworkClient(address, protocol(), connect_timeout=10) as client:
            client.send_packet(login)
            threading.Thread(target=send_what_is_typed, args=(client,), daemon=True).start()
            print_what_comes(client)
    except KeyboardInterrupt:
        print()
    except ValueError as exc:
        sys.exit(f"{parser.prog}: {exc}")
    except OSError as exc:
        sys.exit(f"{parser.prog}: {exc.strerror or exc}")


if __name__ == "__main__":
    main()
