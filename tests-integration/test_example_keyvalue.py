# SPDX-License-Identifier: Apache-2.0
"""The key-value store of the documents does what its page says, between processes."""

from __future__ import annotations

import importlib
import json
import signal
import socket
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
from example_programs import EXAMPLES, commands, end, lines_until, port_of, replaced, started
from loops import LOOPS

FOLDER = EXAMPLES / "keyvalue"
SERVER, *ASK = commands("tutorials/key-value.md")


@pytest.fixture(scope="module")
def client() -> Generator[Any]:
    """The module of the client.

    Another example has one of that name, so it is forgotten afterwards.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(FOLDER), *sys.path])
        yield importlib.import_module("client")
    for name in ("client", "messages"):
        del sys.modules[name]


@contextmanager
def serving(loop: str, *options: str) -> Generator[int]:
    with started([*replaced(SERVER, port="0"), "--loop", loop, *options], FOLDER) as server:
        yield port_of(server)
        status, said = end(server, signal.SIGTERM)
        assert (status, said[-1]) == (0, "Server stopped")


@pytest.fixture(params=list(LOOPS), scope="module")
def port(request: pytest.FixtureRequest) -> Generator[int]:
    with serving(request.param) as port:
        yield port


@pytest.fixture
def store(client: Any, port: int) -> Generator[Any]:
    with client.KeyValueClient(("127.0.0.1", port)) as store:
        yield store


def exchange(port: int, *datagrams: bytes) -> dict[str, Any]:
    """The answer to some datagrams, of which only the last one is to be answered."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.connect(("127.0.0.1", port))
        for datagram in datagrams:
            sock.send(datagram)
        answer: dict[str, Any] = json.loads(sock.recv(65536))
        return answer


def request(number: int, **fields: Any) -> bytes:
    return json.dumps({"id": f"{number:032x}", **fields}).encode()


@contextmanager
def lossy_way(port: int, *, requests: int = 0, answers: int = 0) -> Generator[tuple[str, int]]:
    """An address from which datagrams go to the server and back, except for the first ones, as many
    as are to be lost.
    """
    with socket.socket(type=socket.SOCK_DGRAM) as front, socket.socket(type=socket.SOCK_DGRAM) as back:
        front.bind(("127.0.0.1", 0))
        back.connect(("127.0.0.1", port))

        def relay() -> None:
            lost_requests = lost_answers = 0
            while True:
                data, address = front.recvfrom(65536)
                if not data:
                    return
                if lost_requests < requests:
                    lost_requests += 1
                    continue
                back.send(data)
                answer = back.recv(65536)
                if lost_answers < answers:
                    lost_answers += 1
                    continue
                front.sendto(answer, address)

        thread = threading.Thread(target=relay)
        thread.start()
        try:
            yield front.getsockname()
        finally:
            back.connect(front.getsockname())
            back.send(b"")
            thread.join()


on_one_loop = pytest.mark.parametrize("port", ["asyncio"], indirect=True)
"""For a test of the client's program, which starts it several times. What it asks is asked on all
loops by other tests."""


@on_one_loop
def test_commands_of_the_page(port: int) -> None:
    said: list[str] = []
    for words in ASK:
        with started(replaced(words, port=str(port)), FOLDER) as program:
            assert program.stdout is not None
            said += program.stdout.read().splitlines()
            assert end(program) == (0, [])

    assert said == ["green", "1"]


@on_one_loop
def test_two_programs_count_without_losing_one(port: int) -> None:
    words = ["python", "counter.py", "--port", str(port), "--times", "100", "both"]
    with started(words, FOLDER) as one, started(words, FOLDER) as other:
        numbers = [int(line) for program in (one, other) for line in program.communicate(timeout=20)[0].splitlines()]

    assert sorted(numbers) == list(range(1, 201))


@on_one_loop
@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("get nothing", "there is nothing"),
        ("delete nothing", "there was nothing"),
        ("swap nothing green blue", "there is another value"),
        (f"get {'k' * 201}", "client.py: a key is a text of 1 to 200 bytes"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(port: int, words: str, says: str) -> None:
    with started(["python", "client.py", "--port", str(port), *words.split()], FOLDER) as program:
        assert end(program) == (1, [says])


def test_values_are_set_read_and_deleted(store: Any) -> None:
    assert store.get("a") is None
    assert store.set("a", "1") is None
    assert store.set("a", "ä €") == "1"
    assert store.get("a") == "ä €"
    assert store.delete("a") == "ä €"
    assert store.get("a") is None


def test_a_value_is_set_only_if_the_expected_one_is_there(store: Any) -> None:
    assert store.compare_and_set("b", None, "1")
    assert not store.compare_and_set("b", None, "2")
    assert not store.compare_and_set("b", "2", "3")
    assert store.compare_and_set("b", "1", "2")
    assert store.delete("b") == "2"


def test_a_value_expires(store: Any) -> None:
    store.set("c", "1", 0.05)
    while store.get("c") is not None:
        pass  # each is a question to the server
    assert store.compare_and_set("c", None, "2")
    store.delete("c")


def test_a_lost_request_is_repeated(client: Any, port: int) -> None:
    with lossy_way(port, requests=2) as address, client.KeyValueClient(address) as store:
        assert store.set("d", "1") is None
        assert store.delete("d") == "1"


def test_a_change_whose_answer_is_lost_is_made_once(client: Any, port: int) -> None:
    """Made twice, it would find its own value the second time, and fail."""
    with lossy_way(port, answers=2) as address, client.KeyValueClient(address) as store:
        assert store.compare_and_set("e", None, "1")
        assert store.delete("e") == "1"


def test_a_client_gives_up_in_time(client: Any, port: int) -> None:
    with (
        lossy_way(port, requests=1000) as address,
        client.KeyValueClient(address, 0.2) as store,
        pytest.raises(TimeoutError, match=r"no answer in 0\.2 seconds"),
    ):
        store.get("f")


def test_a_client_waits_for_a_server_that_is_not_there_yet(client: Any) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    with client.KeyValueClient(("127.0.0.1", port), 20.0) as store:
        results: list[Any] = []
        asking = threading.Thread(target=lambda: results.append(store.get("g")))
        asking.start()
        with started(replaced(SERVER, port=str(port)), FOLDER) as server:
            lines_until(server.stderr, "Start serving")
            asking.join()
            assert end(server, signal.SIGINT)[0] == 0
    assert results == [None]


def test_a_bad_request_gets_an_answer(port: int) -> None:
    unknown = "there is no such command"
    key, value = "a key is a text of 1 to 200 bytes", "a value is a text of 1 to 500 bytes"
    seconds = "seconds are a number up to 86400, or null"
    requests: list[tuple[dict[str, Any], str]] = [
        ({"do": "fly"}, unknown),
        ({"do": "get"}, unknown),
        ({"do": "get", "key": "a", "colour": "red"}, unknown),
        ({"do": "get", "key": 1}, key),
        ({"do": "set", "key": "", "value": "1"}, key),
        ({"do": "set", "key": "a", "value": "€" * 167}, value),
        ({"do": "set", "key": "a", "value": "1", "seconds": -1}, seconds),
        ({"do": "set", "key": "a", "value": "1", "seconds": float("nan")}, seconds),
    ]
    for fields, text in requests:
        answer = exchange(port, request(3, **fields))

        assert answer == {"id": f"{3:032x}", "code": "bad-request", "text": text}


def test_what_is_no_request_gets_no_answer(port: int) -> None:
    answer = exchange(port, b"", b"\xff", b"[]", b'{"id": "x", "do": "get", "key": "a"}', request(4, do="get", key="a"))

    assert answer == {"id": f"{4:032x}", "value": None}


def test_keys_have_a_bound_until_one_expires(client: Any) -> None:
    with serving("asyncio", "--keys", "2") as port, client.KeyValueClient(("127.0.0.1", port)) as store:
        store.set("b", "1")
        store.set("a", "1", 0.5)
        with pytest.raises(client.KeyValueError) as caught:
            store.set("c", "1")
        assert caught.value.code == "full"
        store.set("b", "2")
        while True:
            try:
                store.set("c", "1")
            except client.KeyValueError:
                continue  # each is a question to the server
            break
        assert [store.get(key) for key in "abc"] == [None, "2", "1"]


def test_answers_have_a_bound_and_no_change_is_made_beyond_it(client: Any) -> None:
    with serving("asyncio", "--answers", "1") as port:
        first = request(5, do="set", key="a", value="1")
        assert exchange(port, first) == exchange(port, first) == {"id": f"{5:032x}", "value": None}
        with client.KeyValueClient(("127.0.0.1", port), 0.1) as store:
            with pytest.raises(client.KeyValueError) as caught:
                store.set("a", "2")
            assert caught.value.code == "busy"
            assert store.get("a") == "1"
