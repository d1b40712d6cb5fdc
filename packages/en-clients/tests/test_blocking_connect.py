# SPDX-License-Identifier: Apache-2.0
"""Happy Eyeballs without an event loop.

The addresses that a name has are made up; the connections are real.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from easynetwork.clients._blocking_connect import connect_tcp

Resolve = Callable[..., None]


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Makes every name mean the given addresses."""

    def resolve(*addresses: tuple[str, int]) -> None:
        infos = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address) for address in addresses]

        def getaddrinfo(*args: object, **kwargs: object) -> Any:
            return infos

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return resolve


@pytest.fixture
def silent_address() -> Iterator[tuple[str, int]]:
    """Where nobody accepts and the queue is full: the kernel answers no attempt to connect."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address: tuple[str, int] = listener.getsockname()
        for _ in range(2):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        yield address


@pytest.fixture
def refusing_address() -> tuple[str, int]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        address: tuple[str, int] = sock.getsockname()
    return address


@pytest.fixture
def address(listener: socket.socket) -> tuple[str, int]:
    host, port = listener.getsockname()
    return host, port


def test_an_address_that_does_not_answer_delays_the_next_one_only(
    resolve: Resolve, silent_address: tuple[str, int], address: tuple[str, int]
) -> None:
    resolve(silent_address, address)

    with connect_tcp("name", 1, timeout=None, happy_eyeballs_delay=0.01) as sock:
        assert sock.getpeername() == address


def test_the_next_address_is_tried_at_once_after_a_refusal(
    resolve: Resolve, refusing_address: tuple[str, int], address: tuple[str, int]
) -> None:
    resolve(refusing_address, address)

    with connect_tcp("name", 1, timeout=None, happy_eyeballs_delay=1e300) as sock:
        assert sock.getpeername() == address


def test_the_error_names_every_address_that_was_tried(resolve: Resolve, refusing_address: tuple[str, int]) -> None:
    resolve(refusing_address, refusing_address)

    with pytest.raises(ConnectionRefusedError, match=f"{refusing_address[1]}.*; .*{refusing_address[1]}"):
        connect_tcp("name", 1, timeout=None)


def test_the_time_limit_is_for_all_addresses_together(resolve: Resolve, silent_address: tuple[str, int]) -> None:
    resolve(silent_address, silent_address, silent_address)

    with pytest.raises(TimeoutError):
        connect_tcp("name", 1, timeout=0.05, happy_eyeballs_delay=0.01)


@pytest.mark.parametrize("timeout", [0, 1e300])
def test_any_time_limit_is_enough_for_an_address_that_answers_at_once(timeout: float, address: tuple[str, int]) -> None:
    with connect_tcp(*address, timeout=timeout) as sock:
        assert sock.getpeername() == address


def test_a_name_without_an_address_is_an_error(resolve: Resolve) -> None:
    resolve()

    with pytest.raises(OSError, match="no address"):
        connect_tcp("name", 1, timeout=None)


def test_a_local_address_leaves_out_the_other_family(address: tuple[str, int]) -> None:
    with pytest.raises(OSError, match="no address"):
        connect_tcp(*address, timeout=None, local_address=("::1", 0))


def test_a_local_address_that_is_not_ours_is_an_error(address: tuple[str, int]) -> None:
    with pytest.raises(OSError, match="could not connect"):
        connect_tcp(*address, timeout=None, local_address=("192.0.2.1", 0))
