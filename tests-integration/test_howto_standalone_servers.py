# SPDX-License-Identifier: Apache-2.0
"""What the page "Servers without an event loop" says.

Its rules for other threads and for signals are those of `test_standalone_servers` and
`test_signals`.
"""

from __future__ import annotations

import gc
import importlib
import logging
import re
import signal
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pages import DOCS, Page
from programs import serving_program

from easynetwork.clients import TCPNetworkClient
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers import StandaloneTCPNetworkServer
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler
from easynetwork.servers.threads_helper import NetworkServerThread

NAME = "howto/standalone-servers.md"
PAGE = Page(NAME)
ON_PAGE = PAGE.run()
count_words = ON_PAGE["count_words"]


@contextmanager
def serving(server: Any) -> Generator[tuple[str, int]]:
    thread = NetworkServerThread(server)
    thread.start()
    try:
        yield server.get_addresses()[0].for_connection()
    finally:
        thread.join(10)
        assert not thread.is_alive()


def server_of(handler: AsyncStreamRequestHandler[str, str]) -> StandaloneTCPNetworkServer[str, str]:
    return StandaloneTCPNetworkServer("127.0.0.1", 0, StreamProtocol(StringLineSerializer()), handler)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_program_serves_and_ends_as_the_page_says(tmp_path: Path, number: int, status: int) -> None:
    source = PAGE.programs()["words.py"].replace("9000", "0")
    with serving_program(tmp_path / "words.py", source) as (process, address):
        port = int(address.rstrip(")").rpartition(" ")[2])
        assert count_words(("127.0.0.1", port), "to be or not to be") == "6 words"
        process.send_signal(number)
        process.wait(10)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    assert process.returncode == status


def test_table_names_the_modules_of_the_classes() -> None:
    rows = re.findall(r"`(Standalone\w+)` in `([\w.]+)`", (DOCS / NAME).read_text())

    assert len(rows) == 4
    for name, module in rows:
        assert name in importlib.import_module(module).__all__


@pytest.mark.parametrize("name", ["on_asyncio", "on_uvloop", "on_trio"])
def test_servers_of_the_page_serve(name: str) -> None:
    with serving(ON_PAGE[name]) as address:
        assert count_words(address, "hello") == "1 words"


def test_server_in_a_thread_is_asked() -> None:
    assert ON_PAGE["ask_a_server_in_a_thread"]() == "3 words"


def test_handler_ends_its_server() -> None:
    server = server_of(ON_PAGE["CountUntilToldToStop"]())
    is_up = threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"is_up_event": is_up})
    thread.start()
    assert is_up.wait(10)
    with TCPNetworkClient(server.get_addresses()[0].for_connection(), StreamProtocol(StringLineSerializer())) as client:
        client.send_packet("please go on", timeout=10)
        assert client.recv_packet(timeout=10) == "3 words"
        client.send_packet("stop", timeout=10)

        thread.join(10)
        assert not thread.is_alive()


class WaitsForAThread(AsyncStreamRequestHandler[str, str]):
    def __init__(self, may_end: threading.Event) -> None:
        self.may_end = may_end

    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
        text = yield
        await client.send_packet(text)
        await client.backend().run_in_thread(self.may_end.wait)


def test_handler_that_goes_on_is_named_by_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    may_end = threading.Event()
    server = server_of(WaitsForAThread(may_end))
    with serving(server) as address:
        assert count_words(address, "hello") == "hello"
        server.shutdown(timeout=0.05)
        may_end.set()
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert ".WaitsForAThread goes on after its cancellation, with clients: 1 (" in warning


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it ignores its finalization too
def test_stubborn_handler_is_given_up_and_named(caplog: pytest.LogCaptureFixture) -> None:
    server = server_of(ON_PAGE["Stubborn"]())
    with serving(server) as address, TCPNetworkClient(address, StreamProtocol(StringLineSerializer())) as client:
        client.send_packet("hello", timeout=10)
        assert client.recv_packet(timeout=10) == "1 words"
        server.shutdown(timeout=10)
        assert not server.is_serving()
    (error,) = [record.exc_text or "" for record in caplog.records if record.levelno == logging.ERROR]
    assert "Stubborn.handle() catches too much" in error
    caplog.clear()
    gc.collect()
