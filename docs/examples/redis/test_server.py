# SPDX-License-Identifier: Apache-2.0
"""The server on every event loop, as the clients of Redis and bare sockets see it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from easynetwork.lowlevel.testing.event_loops import installed_event_loops

HERE = Path(__file__).parent
PATIENCE = 10.0


@contextmanager
def serving(*options: str) -> Generator[int]:
    """Runs the server in a process of its own; its port."""
    command = [sys.executable, "-W", "error", "server.py", "--port", "0", *options]
    with subprocess.Popen(command, cwd=HERE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            yield int(process.stderr.readline().rpartition(", ")[2].rstrip(")\n"))
            process.send_signal(signal.SIGTERM)
            log = process.communicate(timeout=PATIENCE)[1]
            assert (process.returncode, log.splitlines()[-1]) == (0, "Server stopped"), log
            assert "Traceback" not in log, log
        finally:
            process.kill()


@pytest.fixture(params=installed_event_loops(), scope="module")
def port(request: pytest.FixtureRequest) -> Generator[int]:
    with serving("--loop", request.param) as port:
        yield port


@contextmanager
def library_client(port: int) -> Generator[Any]:
    # Newer versions of the library speak RESP3 unless they are told not to.
    with redis.Redis(port=port, protocol=2, socket_timeout=PATIENCE) as client:
        yield client


@pytest.fixture
def client(port: int) -> Generator[Any]:
    """That of the library ``redis``."""
    with library_client(port) as client:
        yield client
        client.delete("a", "b", "c")


class Peer:
    """A client without the library."""

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self.sock = socket.socket()
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(("127.0.0.1", port))
        self._file = self.sock.makefile("rb")

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.sock.close()

    def send(self, *lines: bytes) -> None:
        self.sock.sendall(b"".join(line + b"\r\n" for line in lines))

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def expect(self, *lines: bytes) -> None:
        expected = b"".join(line + b"\r\n" for line in lines)
        assert self.read(len(expected)) == expected

    def read_until(self, end: bytes) -> bytes:
        data = b""
        while not data.endswith(end):
            data += self._file.readline()
        return data

    def end(self) -> bytes:
        """Sends no more; all that still comes."""
        self.sock.shutdown(socket.SHUT_WR)
        return self._file.read()


@pytest.fixture
def peer(port: int) -> Generator[Peer]:
    with Peer(port) as peer:
        yield peer


# strings and keys


def test_values_are_set_read_and_deleted(client: Any) -> None:
    assert client.get("a") is None
    assert client.set("a", b"\0\r\n\xff")
    assert client.get("a") == b"\0\r\n\xff"
    assert client.set("b", "")
    assert client.exists("a", "b", "c", "a") == 3
    assert client.delete("a", "b", "c") == 2


def test_a_value_is_set_only_if_it_is_new(client: Any) -> None:
    assert client.set("a", "1", nx=True)
    assert client.set("a", "2", nx=True) is None
    assert client.get("a") == b"1"


def test_keys_have_a_time_to_live(client: Any) -> None:
    assert client.ttl("a") == -2
    client.set("a", "1")
    assert client.ttl("a") == -1
    assert client.expire("a", 100)
    assert 98 <= client.ttl("a") <= 100
    client.set("b", "1", ex=50, nx=True)
    assert 48 <= client.ttl("b") <= 50
    assert client.expire("b", -1)
    assert not client.exists("b")
    assert not client.expire("b", 1)


def test_numbers_are_counted(client: Any) -> None:
    assert [client.execute_command("INCR", "a") for _ in range(3)] == [1, 2, 3]
    assert client.incr("a", -5) == -2
    client.set("a", "three")
    with pytest.raises(redis.ResponseError, match="not an integer"):
        client.incr("a")


def test_a_pipeline_is_answered_in_its_order(client: Any) -> None:
    with client.pipeline(transaction=False) as pipeline:
        for number in range(1000):
            pipeline.set("a", number).get("a")
        replies = pipeline.execute()

    assert replies == [reply for number in range(1000) for reply in (True, b"%d" % number)]


def test_all_that_was_asked_is_answered_after_the_end_of_sending(peer: Peer) -> None:
    peer.send(*[b"ECHO x"] * 100)

    assert peer.end() == b"$1\r\nx\r\n" * 100


# errors


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (b"FLY", b"ERR unknown command 'FLY'"),
        (b"F\xff" + b"L" * 200, b"ERR unknown command 'F\xef\xbf\xbd" + b"L" * 126 + b"'"),
        (b"GET", b"ERR wrong number of arguments for 'get' command"),
        (b"GET a b", b"ERR wrong number of arguments for 'get' command"),
        (b"SET a 1 XX", b"ERR syntax error"),
        (b"SET a 1 EX", b"ERR value is not an integer or out of range"),
        (b"SET a 1 EX 0", b"ERR invalid expire time in 'set' command"),
        (b"EXPIRE a 1.5", b"ERR value is not an integer or out of range"),
        (b"EXPIRE a 99999999999999999999", b"ERR value is not an integer or out of range"),
        (b"BLPOP a x", b"ERR timeout is not a float or out of range"),
        (b"BLPOP a nan", b"ERR timeout is not a float or out of range"),
        (b"BLPOP a -1", b"ERR timeout is negative"),
        (b"SELECT 1", b"ERR DB index is out of range"),
        (b"HELLO 3", b"NOPROTO unsupported protocol version"),
        (b"CLIENT KILL", b"ERR unknown subcommand 'KILL'"),
        (b"SUBSCRIBE " + b"x" * 1001, b"ERR the name of a channel has 1000 bytes at most"),
    ],
)
def test_an_error_of_a_command_is_a_reply(peer: Peer, command: bytes, error: bytes) -> None:
    peer.send(command, b"PING")

    peer.expect(b"-" + error, b"+PONG")


def test_commands_look_at_the_kind_of_a_value(client: Any) -> None:
    client.set("a", "1")
    client.lpush("b", "1")
    attempts: list[Callable[[], object]] = [
        lambda: client.lpush("a", "1"),
        lambda: client.lpop("a"),
        lambda: client.blpop("a"),
        lambda: client.get("b"),
        lambda: client.incr("b"),
    ]
    for attempt in attempts:
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            attempt()
    assert client.set("b", "1")


def test_what_breaks_the_protocol_is_answered_and_ends_its_connection_only(
    client: Any, peer: Peer
) -> None:
    peer.send(b"PING", b"*1", b":1", b"PING")

    assert peer.read(-1) == b"+PONG\r\n-ERR Protocol error: expected '$', an array of strings\r\n"
    assert client.ping()


def test_half_a_command_disturbs_nobody(client: Any, port: int) -> None:
    with Peer(port) as peer:
        peer.sock.sendall(b"*2\r\n$3\r\nGET\r\n$100\r\nabc")
        assert peer.end() == b""
    assert client.ping()


def test_quit_is_answered_then_the_connection_ends(peer: Peer) -> None:
    peer.send(b"QUIT", b"PING")

    assert peer.read(-1) == b"+OK\r\n"


def test_memory_has_a_bound() -> None:
    with serving("--store-bytes", "100000") as port, library_client(port) as client:
        client.set("a", "x" * 90_000)
        attempts: list[Callable[[], object]] = [
            lambda: client.set("b", "x" * 90_000),
            lambda: client.lpush("b", *range(500)),
        ]
        for attempt in attempts:
            with pytest.raises(redis.ResponseError, match="used memory"):
                attempt()
        assert client.delete("a", "b") == 1
        client.set("b", "x" * 90_000)


# the beginning of a connection


def test_a_person_may_type_commands(peer: Peer) -> None:
    peer.send(b"", b'set a "two words"', b"get a", b"del a", b"command docs")

    peer.expect(b"+OK", b"$9", b"two words", b":1", b"*0")


def test_clients_may_ask_for_the_commands(client: Any) -> None:
    commands = client.command()

    assert commands["get"]["arity"] == 2
    assert commands["set"]["arity"] == -3
    assert client.command_count() == len(commands)


def test_hello_tells_the_version_of_the_protocol(client: Any) -> None:
    assert client.execute_command("HELLO", 2)[2:] == [b"proto", 2]


# lists


def test_a_list_gives_the_newest_item_first(client: Any) -> None:
    assert client.lpush("a", "1", "2") == 2
    assert client.lpush("a", "3") == 3
    assert [client.lpop("a") for _ in range(4)] == [b"3", b"2", b"1", None]
    assert not client.exists("a")


def test_an_item_that_is_there_is_not_waited_for(client: Any) -> None:
    client.lpush("b", "1")
    assert client.blpop(["a", "b"], timeout=0) == (b"b", b"1")


def test_waiting_ends_with_nothing_when_the_time_is_up(client: Any) -> None:
    assert client.blpop("a", timeout=0.01) is None
    client.lpush("a", "1")
    assert client.lpop("a") == b"1"


def test_who_waits_gets_the_item_and_nobody_else(client: Any, port: int) -> None:
    got: list[Any] = []

    def wait() -> None:
        with library_client(port) as other:
            got.append(other.blpop(["a", "b"], timeout=0))

    waiting = threading.Thread(target=wait)
    waiting.start()
    client.lpush("b", "1")
    waiting.join(PATIENCE)

    assert got == [(b"b", b"1")]
    assert not client.exists("b")


def test_a_command_behind_a_wait_has_to_wait(client: Any, peer: Peer) -> None:
    peer.send(b"BLPOP a 0", b"ECHO 1", b"ECHO 2", b"BLPOP a 0.01", b"ECHO 3")
    client.lpush("a", "x")

    peer.expect(b"*2", b"$1", b"a", b"$1", b"x", b"$1", b"1", b"$1", b"2", b"*-1", b"$1", b"3")


def test_who_has_left_takes_no_item(client: Any, peer: Peer) -> None:
    peer.send(b"BLPOP a 0")
    assert peer.end() == b""

    client.lpush("a", "x")
    assert client.lpop("a") == b"x"


# channels


def next_message(subscriber: Any) -> tuple[str, bytes, Any]:
    message = subscriber.get_message(timeout=PATIENCE)
    return message["type"], message["channel"], message["data"]


def test_messages_reach_all_who_have_subscribed(client: Any) -> None:
    with client.pubsub() as one, client.pubsub() as other:
        one.subscribe("news", "sport")
        other.subscribe("news")
        assert next_message(one) == ("subscribe", b"news", 1)
        assert next_message(one) == ("subscribe", b"sport", 2)
        assert next_message(other) == ("subscribe", b"news", 1)
        assert client.publish("news", "hello") == 2
        assert client.publish("sport", "goal") == 1
        assert client.publish("weather", "rain") == 0
        assert next_message(one) == ("message", b"news", b"hello")
        assert next_message(one) == ("message", b"sport", b"goal")
        assert next_message(other) == ("message", b"news", b"hello")
        one.unsubscribe()
        assert next_message(one)[0] == "unsubscribe"
        assert client.publish("news", "again") == 1


def test_a_subscriber_may_ping_and_nothing_else_that_is_answered_at_once(peer: Peer) -> None:
    peer.send(b"SUBSCRIBE a", b"PING", b"GET a", b"UNSUBSCRIBE", b"UNSUBSCRIBE", b"PING")

    peer.expect(b"*3", b"$9", b"subscribe", b"$1", b"a", b":1")
    peer.expect(b"*2", b"$4", b"pong", b"$0", b"")
    peer.expect(b"-ERR this command is not for clients that have subscribed")
    peer.expect(b"*3", b"$11", b"unsubscribe", b"$1", b"a", b":0")
    peer.expect(b"*3", b"$11", b"unsubscribe", b"$-1", b":0")
    peer.expect(b"+PONG")


@pytest.mark.parametrize("loop", installed_event_loops())
def test_a_thousand_messages_at_once_lose_nobody(loop: str) -> None:
    with (
        serving("--loop", loop, "--subscriber-bytes", "1000") as port,  # four messages
        Peer(port) as peer,
        library_client(port) as client,
    ):
        peer.send(b"SUBSCRIBE a")
        peer.expect(b"*3", b"$9", b"subscribe", b"$1", b"a", b":1")
        with client.pipeline(transaction=False) as pipeline:
            for number in range(1000):
                pipeline.publish("a", b"%03d" % number)
            assert pipeline.execute() == [1] * 1000
        for number in range(1000):
            peer.expect(b"*3", b"$7", b"message", b"$1", b"a", b"$3", b"%03d" % number)


def test_after_unsubscribing_nothing_comes_that_was_waiting(client: Any, port: int) -> None:
    with Peer(port, receive_buffer=4096) as peer:
        peer.send(b"SUBSCRIBE a")
        peer.expect(b"*3", b"$9", b"subscribe", b"$1", b"a", b":1")
        for _ in range(38):
            assert client.publish("a", b"x" * 100_000) == 1
        peer.send(b"UNSUBSCRIBE", b"PING")
        while client.publish("a", "y"):
            pass  # it has not been read yet

        data = peer.read_until(b"+PONG\r\n")
        assert data.endswith(b"x\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n+PONG\r\n")


def test_a_subscriber_that_does_not_read_is_dropped_and_holds_nobody_up(
    client: Any, peer: Peer, port: int
) -> None:
    text = b"x" * 100_000
    with Peer(port, receive_buffer=4096) as slow:
        for subscriber in (slow, peer):
            subscriber.send(b"SUBSCRIBE a")
            subscriber.expect(b"*3", b"$9", b"subscribe", b"$1", b"a", b":1")
        while client.publish("a", text) == 2:
            peer.expect(b"*3", b"$7", b"message", b"$1", b"a", b"$100000", text)
        peer.expect(b"*3", b"$7", b"message", b"$1", b"a", b"$100000", text)
        with pytest.raises(ConnectionResetError):
            slow.read(-1)
    assert client.publish("a", "y") == 1
