# SPDX-License-Identifier: Apache-2.0
"""What each command does.

Those that have to wait, or that belong to a connection, are only named.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from resp import ARGUMENTS, Command, Reply, RespError, Simple
from store import Store, integer
from waiting import Waiters

OK: Final = Simple("OK")

MANY: Final = ARGUMENTS


def _elsewhere(*_: bytes) -> Reply:
    raise RespError("ERR this command needs its connection")


class Rule(NamedTuple):
    """How many arguments a command takes, and what answers it."""

    least: int
    most: int
    answer: Callable[..., Reply] = _elsewhere


class Call(NamedTuple):
    """A command that exists, with a number of arguments that it takes."""

    name: bytes
    arguments: list[bytes]


class Commands:
    """The commands on a store."""

    def __init__(self, store: Store, waiters: Waiters) -> None:
        self._store = store
        self._waiters = waiters
        self._rules: dict[bytes, Rule] = {
            b"PING": Rule(0, 1, self._ping),
            b"ECHO": Rule(1, 1, self._echo),
            b"SET": Rule(2, 5, self._set),
            b"GET": Rule(1, 1, store.get),
            b"DEL": Rule(1, MANY, self._delete),
            b"EXISTS": Rule(1, MANY, self._exists),
            b"INCR": Rule(1, 1, store.increment),
            b"INCRBY": Rule(2, 2, self._increment),  # what the library means by incr()
            b"EXPIRE": Rule(2, 2, self._expire),
            b"TTL": Rule(1, 1, self._ttl),
            b"LPUSH": Rule(2, MANY, self._push),
            b"LPOP": Rule(1, 1, store.pop),
            b"COMMAND": Rule(0, MANY, self._command),
            b"HELLO": Rule(0, MANY, self._hello),
            b"CLIENT": Rule(1, MANY, self._client),
            b"SELECT": Rule(1, 1, self._select),
            b"BLPOP": Rule(2, MANY),
            b"PUBLISH": Rule(2, 2),
            b"SUBSCRIBE": Rule(1, MANY),
            b"UNSUBSCRIBE": Rule(0, MANY),
            b"QUIT": Rule(0, MANY),
        }

    def check(self, command: Command) -> Call:
        """Finds a command by its name.

        Raises:
            RespError: there is none, or it takes another number of arguments.
        """
        name, arguments = command[0].upper(), command[1:]
        rule = self._rules.get(name)
        if rule is None:
            raise RespError(f"ERR unknown command {_shown(name)}")
        if not rule.least <= len(arguments) <= rule.most:
            raise RespError(f"ERR wrong number of arguments for {_shown(name.lower())} command")
        return Call(name, arguments)

    def answer(self, call: Call) -> Reply:
        """Executes a command.

        Raises:
            RespError: it cannot be done.
        """
        return self._rules[call.name].answer(*call.arguments)

    def _ping(self, text: bytes | None = None) -> Reply:
        return Simple("PONG") if text is None else text

    def _echo(self, text: bytes) -> Reply:
        return text

    def _set(self, key: bytes, value: bytes, *options: bytes) -> Reply:
        only_new, seconds = False, None
        words = iter(options)
        for word in words:
            match word.upper():
                case b"NX":
                    only_new = True
                case b"EX":
                    seconds = integer(next(words, b""))
                case _:
                    raise RespError("ERR syntax error")
        if seconds is not None and seconds <= 0:
            raise RespError("ERR invalid expire time in 'set' command")
        if only_new and self._store.exists(key):
            return None
        self._store.set(key, value, seconds)
        return OK

    def _delete(self, *keys: bytes) -> int:
        return sum(map(self._store.delete, keys))

    def _exists(self, *keys: bytes) -> int:
        return sum(map(self._store.exists, keys))

    def _increment(self, key: bytes, by: bytes) -> int:
        return self._store.increment(key, integer(by))

    def _expire(self, key: bytes, seconds: bytes) -> int:
        return int(self._store.expire(key, integer(seconds)))

    def _ttl(self, key: bytes) -> int:
        remaining = self._store.remaining(key)
        if remaining is None:
            return -2
        return -1 if remaining == math.inf else round(remaining)

    def _push(self, key: bytes, *items: bytes) -> int:
        length = self._store.push(key, items)
        self._waiters.serve(key)
        return length

    # what clients say at the beginning of a connection

    def _command(self, *words: bytes) -> Reply:
        match [word.upper() for word in words]:
            case []:
                return [_described(name, rule) for name, rule in self._rules.items()]
            case [b"COUNT"]:
                return len(self._rules)
            case _:  # DOCS, for instance: clients do without
                return []

    def _hello(self, version: bytes = b"2", *_: bytes) -> Reply:
        if version != b"2":
            raise RespError("NOPROTO unsupported protocol version")
        return [b"server", b"example", b"proto", 2]

    def _client(self, word: bytes, *_: bytes) -> Reply:
        if word.upper() in (b"SETNAME", b"SETINFO"):
            return OK
        raise RespError(f"ERR unknown subcommand {_shown(word)}")

    def _select(self, number: bytes) -> Reply:
        if integer(number) != 0:
            raise RespError("ERR DB index is out of range")
        return OK


def _described(name: bytes, rule: Rule) -> Reply:
    # The name counts as an argument; a negative number says "at least".
    arity = 1 + rule.least if rule.least == rule.most else -1 - rule.least
    flags_and_keys: list[Reply] = [[], 0, 0, 0]
    return [name.lower(), arity, *flags_and_keys]


def _shown(name: bytes) -> str:
    return f"'{name[:128].decode(errors='replace')}'"
