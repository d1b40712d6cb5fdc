# SPDX-License-Identifier: Apache-2.0
"""The tests that every backend must pass, for pytest.

Point them at yours, in a module of your own test suite::

    import pytest
    from easynetwork.lowlevel.testing.backend_suite import BackendTests
    from my_package import MyBackend

    class TestMyBackend(BackendTests):
        @pytest.fixture
        def backend(self):
            return MyBackend()

and run ``pytest -ra``. Each test runs a program of its own with `AsyncBackend.bootstrap`, so no
plugin is needed. A failure names, in a note on the exception, the rule that was not kept; what it
asks for is written where the interface is (`AsyncBackend`, `easynetwork.lowlevel.streams`,
`easynetwork.lowlevel.datagrams`). TLS is examined if trustme is installed, Unix sockets if the
backend has them. The extra ``en-backend[testing]`` brings pytest and trustme.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket as _socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, TypeVarTuple

from easynetwork.exceptions import UnsupportedOperation

from ..api_async.backend.abc import AsyncBackend
from ..tls import TLSOptions
from ._descriptors import nothing_left_open
from ._rules import must_raise
from .check_control_datagrams import check_control_datagrams
from .check_control_streams import check_control_stream
from .check_datagram_listeners import check_datagram_listener
from .check_datagrams import check_datagram_endpoint
from .check_stream_listeners import check_stream_listener
from .check_streams import check_byte_stream
from .check_tasks import check_tasks
from .real_sockets import TCP, TLS, UDP, UnixDatagrams, UnixStreams

try:
    import pytest
except ImportError as exc:
    raise ImportError("the tests of a backend need pytest: install en-backend[testing]") from exc

__all__ = ("BackendTests",)

Args = TypeVarTuple("Args")
T = TypeVar("T")

_PATIENCE: Final = 5
"""Seconds that worker threads may take to end."""


class _Run(Protocol):
    def __call__(self, program: Callable[[*Args], Coroutine[Any, Any, T]], /, *args: *Args) -> T: ...


class BackendTests:
    """To be inherited by a class that has a fixture `backend`, and whose name pytest looks for."""

    # what a subclass may override

    @pytest.fixture
    def backend(self) -> AsyncBackend:
        """The backend to examine."""
        raise NotImplementedError(f"{type(self).__name__} has to override the fixture 'backend'")

    @pytest.fixture
    def runner_options(self) -> Mapping[str, Any] | None:
        """What `AsyncBackend.bootstrap` gets.

        To be parametrized if the backend runs on several event loops.
        """
        return None

    # what the tests use

    @pytest.fixture
    def run(self, backend: AsyncBackend, runner_options: Mapping[str, Any] | None) -> Iterator[_Run]:
        """Runs programs, which must leave no descriptor and no thread behind."""

        def run(program: Callable[[*Args], Coroutine[Any, Any, T]], /, *args: *Args) -> T:
            return backend.bootstrap(program, *args, runner_options=runner_options)

        run(backend.coro_yield)  # the first program may open what the process keeps (libuv: a pipe for signals)
        with _nothing_left_behind():
            yield run

    @pytest.fixture
    def tls(self, backend: AsyncBackend) -> TLS:
        trustme: Any = pytest.importorskip("trustme", reason="trustme, which makes certificates, is not installed")
        authority = trustme.CA()
        client = ssl.create_default_context()
        authority.configure_trust(client)
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost").configure_cert(server)
        return TLS(backend, client=TLSOptions(context=client), server=TLSOptions(context=server))

    @pytest.fixture
    def unix_folder(self, backend: AsyncBackend, run: _Run) -> Iterator[Path]:
        """For the files of Unix sockets, which must be gone in the end."""
        with tempfile.TemporaryDirectory() as name:  # not pytest's: an address has room for 108 bytes
            folder = Path(name)
            try:
                run(_listen_once, UnixStreams(backend, folder))
            except UnsupportedOperation as exc:
                pytest.skip(str(exc))
            yield folder
            assert not os.listdir(folder), "a closed Unix socket has left its file"

    # programs

    def test_a_program_s_result_is_returned(self, run: _Run) -> None:
        assert run(_add, 1, 2) == 3

    def test_a_program_s_error_comes_out_as_it_is(self, run: _Run) -> None:
        error = LookupError("mine")

        async def fail() -> None:
            raise error

        with pytest.raises(LookupError) as caught:
            run(fail)
        assert caught.value is error

    def test_a_program_in_a_program_is_refused(self, run: _Run) -> None:
        async def nest() -> None:
            with pytest.raises(RuntimeError):
                run(_add, 1, 2)

        run(nest)

    def test_one_backend_runs_programs_in_several_threads_at_a_time(self, backend: AsyncBackend, run: _Run) -> None:
        together = threading.Barrier(2, timeout=_PATIENCE)

        async def meet() -> None:
            together.wait()
            ours, theirs = await TCP(backend).make_pair()
            await ours.send(b"x")
            assert await theirs.receive(10) == b"x"
            ours.abort()
            theirs.abort()
            together.wait()

        with ThreadPoolExecutor(2) as threads:
            for program in [threads.submit(run, meet) for _ in range(2)]:
                program.result()

    def test_ctrl_c_ends_a_program_in_order(self, backend: AsyncBackend, run: _Run) -> None:
        ended: list[bool] = []

        async def interrupt() -> None:
            try:
                async with backend.create_task_group() as tasks:
                    await tasks.start(backend.sleep_forever)
                    signal.raise_signal(signal.SIGINT)
                    await backend.sleep_forever()
            finally:
                ended.append(True)

        with pytest.raises(KeyboardInterrupt):  # by itself, not in a group
            run(interrupt)
        assert ended

    def test_tasks_time_locks_and_threads(self, backend: AsyncBackend, run: _Run) -> None:
        run(check_tasks, backend)

    def test_names_are_resolved_as_by_the_socket_module(self, backend: AsyncBackend, run: _Run) -> None:
        run(_check_name_resolution, backend)

    # streams

    def test_tcp_streams(self, backend: AsyncBackend, run: _Run) -> None:
        run(check_byte_stream, backend, TCP(backend).make_pair)

    def test_tcp_listeners(self, backend: AsyncBackend, run: _Run) -> None:
        tcp = TCP(backend)
        run(check_stream_listener, backend, tcp.listen, tcp.connect)

    def test_wrapped_tcp_sockets(self, backend: AsyncBackend, run: _Run) -> None:
        run(check_byte_stream, backend, TCP(backend).wrap_pair)

    def test_tls_streams(self, backend: AsyncBackend, run: _Run, tls: TLS) -> None:
        run(check_byte_stream, backend, tls.make_pair)

    def test_unix_streams(self, backend: AsyncBackend, run: _Run, unix_folder: Path) -> None:
        run(check_byte_stream, backend, UnixStreams(backend, unix_folder).make_pair)

    def test_unix_streams_with_control_messages(self, backend: AsyncBackend, run: _Run, unix_folder: Path) -> None:
        run(check_control_stream, backend, UnixStreams(backend, unix_folder).make_pair)

    def test_unix_stream_listeners(self, backend: AsyncBackend, run: _Run, unix_folder: Path) -> None:
        unix = UnixStreams(backend, unix_folder)
        run(check_stream_listener, backend, unix.listen, unix.connect)

    def test_wrapped_unix_streams(self, backend: AsyncBackend, run: _Run, unix_folder: Path) -> None:
        run(check_control_stream, backend, UnixStreams(backend, unix_folder).wrap_pair)

    # datagrams

    def test_udp_endpoints_and_listeners(self, backend: AsyncBackend, run: _Run) -> None:
        udp = UDP(backend)
        run(check_datagram_listener, backend, udp.listen, udp.connect)

    def test_wrapped_udp_sockets(self, backend: AsyncBackend, run: _Run) -> None:
        run(check_datagram_endpoint, backend, UDP(backend).wrap_pair)

    def test_unix_datagrams(self, backend: AsyncBackend, run: _Run, unix_folder: Path) -> None:
        unix = UnixDatagrams(backend, unix_folder)
        run(check_datagram_listener, backend, unix.listen, unix.connect)

    def test_unix_datagrams_with_control_messages(self, backend: AsyncBackend, run: _Run, unix_folder: Path) -> None:
        unix = UnixDatagrams(backend, unix_folder)
        run(check_control_datagrams, backend, unix.listen, unix.connect)

    def test_wrapped_unix_datagram_sockets(self, backend: AsyncBackend, run: _Run, unix_folder: Path) -> None:
        run(check_datagram_endpoint, backend, UnixDatagrams(backend, unix_folder).wrap_pair)


@contextlib.contextmanager
def _nothing_left_behind() -> Generator[None]:
    before = threading.enumerate()
    with nothing_left_open() if os.path.isdir("/dev/fd") else contextlib.nullcontext():  # Windows has no such folder
        yield
        new = [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]
        for thread in new:
            thread.join(_PATIENCE)
    left = [thread for thread in new if thread.is_alive()]
    assert not left, f"threads were left running: {left}"


async def _add(a: int, b: int) -> int:
    return a + b


async def _listen_once(unix: UnixStreams) -> None:
    await (await unix.listen()).aclose()


async def _check_name_resolution(backend: AsyncBackend) -> None:
    for host in ("127.0.0.1", "localhost"):
        found = await backend.getaddrinfo(host, 80, type=_socket.SOCK_STREAM)
        assert found == _socket.getaddrinfo(host, 80, type=_socket.SOCK_STREAM), found
    numeric = _socket.NI_NUMERICHOST | _socket.NI_NUMERICSERV
    assert await backend.getnameinfo(("127.0.0.1", 80), numeric) == ("127.0.0.1", "80")
    await must_raise(_socket.gaierror, backend.getaddrinfo("no address", 80, flags=_socket.AI_NUMERICHOST))
