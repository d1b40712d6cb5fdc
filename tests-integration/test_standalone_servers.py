# SPDX-License-Identifier: Apache-2.0
"""Servers for programs without an event loop: what other threads may do with them, and how they
end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest
from loops import LOOPS
from running_server import PATIENCE, serving
from server_kinds import Client, Echo, Kind

from easynetwork.exceptions import ServerAlreadyRunning, ServerClosedError
from easynetwork.servers.threads_helper import NetworkServerThread


@pytest.fixture(params=list(LOOPS))
def loop(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The options that put a standalone server on an event loop, in the words of its users."""
    name, options = LOOPS[request.param]
    if not options.get("use_uvloop"):
        return {"backend": name}
    import uvloop

    return {"backend": name, "runner_options": {"loop_factory": uvloop.new_event_loop}}


def ask(kind: Kind, server: Any, request: str) -> str:
    with kind.blocking_client(server) as client:
        client.send_packet(request, timeout=PATIENCE)
        answer: str = client.recv_packet(timeout=PATIENCE)
        return answer


def trouble(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(r.name, r.getMessage()) for r in caplog.records if r.levelno >= logging.WARNING]


class Initialized(Echo):
    """Does what the test says in ``service_init()``."""

    def __init__(self, act: Callable[[Any], Any]) -> None:
        self.act = act

    async def service_init(self, exit_stack: Any, server: Any) -> None:
        await self.act(server)


# serving


def test_serves_clients_until_another_thread_shuts_it_down(kind: Kind, loop: Mapping[str, Any]) -> None:
    with kind.standalone(**loop) as server:
        with serving(server):
            assert server.is_serving()
            (sock,), (address,) = server.get_sockets(), server.get_addresses()
            assert sock.getsockname() == (address.as_raw() if kind.is_unix else address.for_connection())
            assert ask(kind, server, "hello") == "hello"

        assert not server.is_serving()
        assert server.get_addresses() == server.get_sockets() == ()
    assert not kind.path.exists()


def test_serves_again_after_its_end(kind: Kind, loop: Mapping[str, Any]) -> None:
    server = kind.standalone(**loop)
    for request in ("first", "second"):
        with serving(server):
            assert ask(kind, server, request) == request
        assert not kind.path.exists()


def test_options_of_a_call_replace_those_of_the_constructor(kind: Kind) -> None:
    used: list[str] = []

    def factory(name: str) -> dict[str, Any]:
        def make() -> asyncio.AbstractEventLoop:
            used.append(name)
            return asyncio.new_event_loop()

        return {"loop_factory": make}

    server = kind.standalone(runner_options=factory("constructor"))
    with serving(server):
        pass
    with serving(server, runner_options=factory("call")):
        pass

    assert used == ["constructor", "call"]


def test_asyncio_is_the_backend_that_nobody_named(kind: Kind) -> None:
    libraries: list[str] = []

    async def note(server: Any) -> None:
        libraries.append(type(server.backend()).__name__)

    with serving(kind.standalone(Initialized(note))):
        assert libraries == ["AsyncIOBackend"]


def test_second_thread_is_refused(kind: Kind, loop: Mapping[str, Any]) -> None:
    server = kind.standalone(**loop)
    with serving(server):
        with pytest.raises(ServerAlreadyRunning):
            server.serve_forever()

        assert ask(kind, server, "still there") == "still there"


def test_event_loop_that_runs_is_refused(kind: Kind, loop: Mapping[str, Any]) -> None:
    server = kind.standalone(**loop)

    async def main() -> None:
        server.serve_forever()

    with pytest.raises(RuntimeError, match="an event loop is running in this thread"):
        asyncio.run(main())


def test_backend_that_is_not_there_is_named_at_once(kind: Kind) -> None:
    with pytest.raises(ValueError, match="unknown backend 'tokio'"):
        kind.standalone(backend="tokio")


# what goes wrong inside


def test_address_in_use_is_an_error_of_the_caller(kind: Kind, loop: Mapping[str, Any]) -> None:
    with serving(first := kind.standalone(**loop)):
        where = {} if kind.is_unix else {"port": first.get_addresses()[0].port}
        second = kind.standalone_class(**(kind.arguments(Echo()) | where), **loop)
        is_up = threading.Event()

        with pytest.raises(OSError, match="Address already in use"):
            second.serve_forever(is_up_event=is_up)

        assert not is_up.is_set()
        assert ask(kind, first, "not disturbed") == "not disturbed"


def test_error_of_service_init_comes_out_as_it_is(kind: Kind, loop: Mapping[str, Any]) -> None:
    async def fail(server: Any) -> None:
        raise LookupError("no database")

    server = kind.standalone(Initialized(fail), **loop)
    for _ in range(2):
        with pytest.raises(LookupError, match="no database"):
            server.serve_forever()
    assert not kind.path.exists()


# closing


def test_closed_server_serves_no_more(kind: Kind, loop: Mapping[str, Any]) -> None:
    server = kind.standalone(**loop)
    server.server_close()
    server.server_close()

    with pytest.raises(ServerClosedError):
        server.serve_forever()


def test_close_from_another_thread_lets_clients_finish(kind: Kind, loop: Mapping[str, Any]) -> None:
    """Those of streams: a datagram socket that is closed has no clients."""
    server = kind.standalone(**loop)
    with serving(server) as thread:
        with kind.blocking_client(server) as client:
            client.send_packet("before", timeout=PATIENCE)
            assert client.recv_packet(timeout=PATIENCE) == "before"

            server.server_close()

            assert not server.is_serving()
            if kind.is_stream:
                client.send_packet("after", timeout=PATIENCE)
                assert client.recv_packet(timeout=PATIENCE) == "after"
                assert thread.is_alive()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        server.server_close()


@pytest.mark.parametrize("method", ["shutdown", "server_close"])
def test_setting_up_is_interrupted(kind: Kind, loop: Mapping[str, Any], method: str) -> None:
    entered = threading.Event()

    async def never_done(server: Any) -> None:
        entered.set()
        await anyio.sleep_forever()

    server = kind.standalone(Initialized(never_done), **loop)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    assert entered.wait(PATIENCE)

    getattr(server, method)()

    thread.join(PATIENCE)
    assert not thread.is_alive()


@pytest.mark.parametrize("method", ["shutdown", "server_close"])
def test_thread_that_serves_is_told_that_it_would_wait_for_itself(
    kind: Kind, loop: Mapping[str, Any], method: str
) -> None:
    errors: list[RuntimeError] = []

    async def end_it(_: Any) -> None:
        with pytest.raises(RuntimeError, match=rf"{method}\(\) was called in the thread that serves") as caught:
            getattr(server, method)()
        errors.append(caught.value)

    server = kind.standalone(Initialized(end_it), **loop)
    with serving(server):
        assert "service_init()" in str(errors[0])


def test_shutdown_without_service_returns_at_once(kind: Kind) -> None:
    server = kind.standalone()
    server.shutdown()
    with serving(server):
        pass
    server.shutdown()


def test_many_threads_may_ask_and_end_it_at_the_same_time(kind: Kind, loop: Mapping[str, Any]) -> None:
    server = kind.standalone(**loop)
    done = threading.Event()

    def ask_all_the_time() -> int:
        seen = 0
        while not done.wait(1e-4):
            seen += len(server.get_addresses()) == len(server.get_sockets()) == server.is_serving()
        return seen

    with ThreadPoolExecutor(6) as threads:
        askers = [threads.submit(ask_all_the_time) for _ in range(2)]
        for _ in range(5):
            with serving(server):
                for ending in [threads.submit(server.shutdown) for _ in range(4)]:
                    ending.result(PATIENCE)
        done.set()
        for asker in askers:
            asker.result(PATIENCE)


# handlers that go on


class GoesOn(Echo):
    """Does not end when it is cancelled, but when it is asked to."""

    def __init__(self) -> None:
        self.may_end = threading.Event()

    async def handle(self, client: Client) -> AsyncGenerator[None, str]:
        await client.send_packet("welcome")
        yield
        await client.backend().run_in_thread(self.may_end.wait)  # its worker must be waited for, come what may


@pytest.fixture
def clients_of_one_that_goes_on(
    kind: Kind, loop: Mapping[str, Any], request: pytest.FixtureRequest
) -> Generator[tuple[Any, list[Any], GoesOn]]:
    handler = GoesOn()
    server = kind.standalone(handler, **loop)
    with contextlib.ExitStack() as stack:
        stack.enter_context(serving(server))
        stack.callback(handler.may_end.set)
        clients = [stack.enter_context(kind.blocking_client(server)) for _ in range(12)]
        for client in clients:
            client.send_packet("hello", timeout=PATIENCE)
            assert client.recv_packet(timeout=PATIENCE) == "welcome"
        yield server, clients, handler


def test_shutdown_with_a_time_limit_names_who_goes_on(
    kind: Kind, clients_of_one_that_goes_on: tuple[Any, list[Any], GoesOn], caplog: pytest.LogCaptureFixture
) -> None:
    server, clients, _ = clients_of_one_that_goes_on

    start = time.monotonic()
    server.shutdown(timeout=0.1)

    assert time.monotonic() - start < 1
    (record,) = trouble(caplog)
    assert record[0] == kind.logger
    assert "not ended within 0.1 seconds" in record[1]
    assert "test_standalone_servers.GoesOn" in record[1]
    assert "clients: 12 (" in record[1]
    assert record[1].endswith(", ...)")
    if not kind.is_unix:
        named = [client for client in clients if str(client.get_local_address()) in record[1]]
        assert len(named) in (10, 11)  # one address may be the beginning of another


@pytest.mark.parametrize("swallows_its_end", [False, True])
def test_handler_that_swallows_its_cancellation_is_closed(
    kind: Kind, loop: Mapping[str, Any], caplog: pytest.LogCaptureFixture, swallows_its_end: bool
) -> None:
    """One that swallows that too is given up, and named."""

    class Swallows(Echo):
        async def handle(self, client: Client) -> AsyncGenerator[None, str]:
            request = yield
            await client.send_packet(request)
            ends = 0
            while True:
                try:
                    yield
                except GeneratorExit:
                    ends += 1
                    if ends > swallows_its_end:  # the second comes from Python, when nobody has the generator any more
                        raise
                except client.backend().get_cancelled_exc_class():
                    pass

    server = kind.standalone(Swallows(), **loop)
    with serving(server), kind.blocking_client(server) as one, kind.blocking_client(server) as other:
        for client in (one, other):
            client.send_packet("hello", timeout=PATIENCE)
            assert client.recv_packet(timeout=PATIENCE) == "hello"
        used = time.process_time()
        server.shutdown(PATIENCE)

        assert not server.is_serving()
        assert time.process_time() - used < 0.5
    errors = [record.exc_text or "" for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == (2 if swallows_its_end else 0)
    assert all("Swallows.handle() catches too much" in error for error in errors)


def test_server_ends_when_the_handler_does(clients_of_one_that_goes_on: tuple[Any, list[Any], GoesOn]) -> None:
    server, _, handler = clients_of_one_that_goes_on
    server.shutdown(timeout=0)

    handler.may_end.set()
    server.shutdown(PATIENCE)

    assert not server.is_serving()


def test_event_loop_that_is_blocked_does_not_hold_up_a_shutdown_with_a_time_limit(
    kind: Kind, loop: Mapping[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    entered, leave = threading.Event(), threading.Event()

    class Blocks(Echo):
        async def handle(self, client: Client) -> AsyncGenerator[None, str]:
            entered.set()
            leave.wait(PATIENCE)
            yield

    server = kind.standalone(Blocks(), **loop)
    with serving(server), kind.blocking_client(server) as client:
        client.send_packet("hello", timeout=PATIENCE)
        assert entered.wait(PATIENCE)

        server.shutdown(timeout=0.05)

        assert [name for name, line in trouble(caplog) if "not ended within 0.05 seconds" in line] == [kind.logger]
        leave.set()


# in a thread


def test_thread_is_started_when_the_server_is_up_and_joined_when_it_is_over(
    kind: Kind, loop: Mapping[str, Any]
) -> None:
    server = kind.standalone(**loop)
    for name in ("first", "second"):  # not closed in between
        thread = NetworkServerThread(server, name=name, daemon=True)
        assert (thread.name, thread.daemon) == (name, True)
        thread.start()
        assert ask(kind, server, "hello") == "hello"

        thread.join()

        assert not thread.is_alive()
        assert not server.is_serving()


def test_thread_whose_server_fails_is_over_when_it_is_started(
    kind: Kind, loop: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[BaseException | None] = []

    def note(arguments: threading.ExceptHookArgs) -> None:
        errors.append(arguments.exc_value)

    monkeypatch.setattr(threading, "excepthook", note)
    server = kind.standalone(**loop)
    server.server_close()
    thread = NetworkServerThread(server)

    thread.start()
    thread.join()

    assert [type(error) for error in errors] == [ServerClosedError]


def test_join_with_a_time_limit_returns_in_time(kind: Kind) -> None:
    handler = GoesOn()
    server = kind.standalone(handler)
    thread = NetworkServerThread(server)
    thread.start()
    with kind.blocking_client(server) as client:
        client.send_packet("hello", timeout=PATIENCE)
        assert client.recv_packet(timeout=PATIENCE) == "welcome"

        start = time.monotonic()
        thread.join(timeout=0.1)

        assert time.monotonic() - start < 1
        assert thread.is_alive()
        handler.may_end.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_thread_is_joined_after_its_start_only(kind: Kind) -> None:
    with pytest.raises(RuntimeError, match="before it is started"):
        NetworkServerThread(kind.standalone()).join()
