# SPDX-License-Identifier: Apache-2.0
"""Asks the key-value store: ``python client.py get colour``, or `KeyValueClient` in a program."""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import time
from typing import Final, Self

from easynetwork.clients import UDPNetworkClient
from easynetwork.exceptions import ClientClosedError, DatagramProtocolParseError
from messages import Answer, Code, Command, CompareAndSet, Delete, Failure, Get, Request, Set
from messages import client_protocol as protocol

FIRST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 2.0
"""Seconds until a request is sent again: at first, and after it has doubled some times."""

LONGEST_SECONDS: Final = 30.0
"""For a whole request. The server knows requests again for twice as long."""

COMMAND_WORDS: Final = {
    "get": ["key"],
    "set": ["key", "value"],
    "delete": ["key"],
    "swap": ["key", "expected", "value"],
}


class KeyValueError(Exception):
    """The server has refused a request."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


class KeyValueClient:
    """The store, as a program sees it.

    Every method raises `TimeoutError` if no answer comes in time, and `KeyValueError` if the answer
    is a refusal.

    Args:
        address: host and port of the server.
        seconds: how long one request may take, with all its repetitions; 30 at most.

    Raises:
        OSError: the host has no address.
    """

    def __init__(self, address: tuple[str, int], seconds: float = 5.0) -> None:
        if not 0 < seconds <= LONGEST_SECONDS:
            raise ValueError(
                f"seconds: expected a number up to {LONGEST_SECONDS:g}, got {seconds!r}"
            )
        self._client = UDPNetworkClient(address, protocol())
        self._seconds = seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, key: str) -> str | None:
        """What is stored, or None."""
        return self._ask(Get(key))

    def set(self, key: str, value: str, seconds: float | None = None) -> str | None:
        """Stores a value, for some seconds or for ever. Returns what was there."""
        return self._ask(Set(key, value, seconds))

    def delete(self, key: str) -> str | None:
        """Forgets a value. Returns what was there."""
        return self._ask(Delete(key))

    def compare_and_set(
        self, key: str, expected: str | None, value: str, seconds: float | None = None
    ) -> bool:
        """Stores a value if the expected one is there (None: nothing). Tells whether it was."""
        try:
            self._ask(CompareAndSet(key, expected, value, seconds))
        except KeyValueError as exc:
            if exc.code != "conflict":
                raise
            return False
        return True

    def _ask(self, command: Command) -> str | None:
        request = Request(secrets.token_hex(16), command)
        deadline = time.monotonic() + self._seconds
        wait = FIRST_WAIT
        outcome: Answer | Failure | None = None
        while (left := deadline - time.monotonic()) > 0:
            # Clients that lost their packets together must not come back together.
            until = time.monotonic() + min(wait * random.uniform(0.5, 1), left)
            outcome = self._exchange(request, until)
            if outcome is not None and not _is_busy(outcome):
                break
            time.sleep(max(until - time.monotonic(), 0))
            wait = min(wait * 2, LONGEST_WAIT)
        match outcome:
            case Answer(value=value):
                return value
            case Failure(code=code, text=text):
                raise KeyValueError(code, text)
            case None:
                raise TimeoutError(f"no answer in {self._seconds:g} seconds")

    def _exchange(self, request: Request, until: float) -> Answer | Failure | None:
        """Sends a request once. None: nothing has come, or the system says that nobody is there."""
        try:
            self._client.send_packet(request)
            while True:
                answer = self._client.recv_packet(timeout=max(until - time.monotonic(), 0))
                if answer.id == request.id:  # and not a late one, to a request that was repeated
                    return answer
        except ClientClosedError:
            raise
        except (OSError, DatagramProtocolParseError):
            return None


def _is_busy(outcome: Answer | Failure) -> bool:
    return isinstance(outcome, Failure) and outcome.code == "busy"


def run(arguments: argparse.Namespace, store: KeyValueClient) -> None:
    """Does what the command line says. Ends the program if the key is not as expected."""
    match arguments.command:
        case "get":
            value = store.get(arguments.key)
            if value is None:
                sys.exit("there is nothing")
            print(value)
        case "set":
            store.set(arguments.key, arguments.value, arguments.expire)
        case "delete":
            if store.delete(arguments.key) is None:
                sys.exit("there was nothing")
        case _:
            words = (arguments.key, arguments.expected, arguments.value, arguments.expire)
            if not store.compare_and_set(*words):
                sys.exit("there is another value")


def command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Asks the key-value store.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9200)
    parser.add_argument("--seconds", type=float, default=5.0, help="until you give up")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, words in COMMAND_WORDS.items():
        command = commands.add_parser(name)
        for word in words:
            command.add_argument(word)
        if "value" in words:
            command.add_argument(
                "--expire", type=float, help="seconds until the value is forgotten"
            )
    return parser


def main() -> None:
    parser = command_line()
    arguments = parser.parse_args()
    try:
        with KeyValueClient((arguments.host, arguments.port), arguments.seconds) as store:
            run(arguments, store)
    except KeyboardInterrupt:
        sys.exit(130)
    except (KeyValueError, ValueError, OSError) as exc:
        sys.exit(f"{parser.prog}: {exc}")


if __name__ == "__main__":
    main()
