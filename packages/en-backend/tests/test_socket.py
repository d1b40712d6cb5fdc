# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import pathlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from easynetwork.lowlevel.socket import (
    INETSocketAttribute,
    IPv4SocketAddress,
    IPv6SocketAddress,
    SocketAttribute,
    SocketProxy,
    UnixCredentials,
    UnixSocketAddress,
    UNIXSocketAttribute,
    disable_socket_linger,
    enable_socket_linger,
    get_peer_credentials,
    get_socket_linger,
    get_socket_linger_struct,
    new_socket_address,
    set_tcp_keepalive,
    set_tcp_nodelay,
    socket_linger,
)

linux_only = pytest.mark.skipif("sys.platform != 'linux'", reason="abstract names exist on Linux only")


@pytest.fixture
def tcp_socket() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        yield sock


def test_addresses_are_made_by_family() -> None:
    assert new_socket_address(("127.0.0.1", 80), socket.AF_INET) == IPv4SocketAddress("127.0.0.1", 80)
    assert new_socket_address(("::1", 80, 1, 2), socket.AF_INET6) == IPv6SocketAddress("::1", 80, 1, 2)
    assert new_socket_address("/tmp/s", socket.AF_UNIX) == UnixSocketAddress.from_pathname("/tmp/s")
    assert new_socket_address(None, socket.AF_UNIX) == UnixSocketAddress()


def test_other_families_are_value_errors() -> None:
    with pytest.raises(ValueError, match="-1"):
        new_socket_address(("127.0.0.1", 80), -1)


@pytest.mark.parametrize("address", [IPv4SocketAddress("h", 80), IPv6SocketAddress("h", 80, 1, 2)])
def test_ip_addresses_show_and_connect_by_host_and_port(address: IPv4SocketAddress | IPv6SocketAddress) -> None:
    assert str(address) == "('h', 80)"
    assert address.for_connection() == ("h", 80)


def test_path_address() -> None:
    address = UnixSocketAddress.from_pathname(pathlib.Path("/run/x.sock"))

    assert (str(address), address.as_raw(), address.as_pathname()) == (
        "/run/x.sock",
        "/run/x.sock",
        pathlib.Path("/run/x.sock"),
    )
    assert address.as_abstract_name() is None
    assert not address.is_unnamed()


@linux_only
def test_abstract_address() -> None:
    address = UnixSocketAddress.from_abstract_name("name")

    assert (str(address), address.as_raw(), address.as_abstract_name()) == ("@name", b"\0name", b"name")
    assert address.as_pathname() is None
    assert not address.is_unnamed()


def test_unnamed_address() -> None:
    address = UnixSocketAddress()

    assert (str(address), address.as_raw(), address.as_pathname(), address.as_abstract_name()) == (
        "<unnamed>",
        "",
        None,
        None,
    )
    assert address.is_unnamed()


@pytest.mark.parametrize(
    "raw", ["", "/run/x", b"/run/x", "rel\udcff", pytest.param(b"\0a\0b\xff", marks=linux_only)], ids=ascii
)
def test_raw_addresses_come_back_equal(raw: str | bytes) -> None:
    address = UnixSocketAddress.from_raw(raw)

    assert UnixSocketAddress.from_raw(address.as_raw()) == address
    assert hash(UnixSocketAddress.from_raw(address.as_raw())) == hash(address)


@pytest.mark.parametrize("path", ["a\0b", b"a\0b", "\0a"])
def test_null_characters_in_paths_are_value_errors(path: str | bytes) -> None:
    with pytest.raises(ValueError, match="null character"):
        UnixSocketAddress.from_pathname(path)


def test_abstract_names_are_value_errors_where_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")

    with pytest.raises(ValueError, match="Linux"):
        UnixSocketAddress.from_abstract_name("name")
    with pytest.raises(ValueError, match="Linux"):
        UnixSocketAddress.from_raw(b"\0name")


def test_paths_and_abstract_names_differ() -> None:
    assert UnixSocketAddress.from_raw("/a") != UnixSocketAddress.from_raw("/b")
    assert UnixSocketAddress.from_raw("/a") != "/a"


def test_attribute_classes_share_their_keys() -> None:
    for attributes in (INETSocketAttribute, UNIXSocketAttribute):
        assert attributes.sockname is SocketAttribute.sockname
        assert attributes.socket is SocketAttribute.socket


def test_credentials_are_a_tuple() -> None:
    assert UnixCredentials(pid=1, uid=2, gid=3) == (1, 2, 3)


@pytest.mark.skipif("sys.platform != 'linux'", reason="only Linux tells")
def test_the_kernel_tells_who_is_at_the_other_end() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert get_peer_credentials(ours) == UnixCredentials(os.getpid(), os.geteuid(), os.getegid())
        assert get_peer_credentials(SocketProxy(theirs)) == get_peer_credentials(ours)

    with pytest.raises(OSError, match=r".+"):
        get_peer_credentials(ours)


def test_linger(tcp_socket: socket.socket) -> None:
    enable_socket_linger(tcp_socket, 7)
    assert get_socket_linger(tcp_socket) == socket_linger(enabled=True, timeout=7)

    disable_socket_linger(tcp_socket)
    assert not get_socket_linger(tcp_socket).enabled
    assert len(tcp_socket.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 64)) == get_socket_linger_struct().size


@pytest.mark.parametrize("state", [True, False])
def test_tcp_options(tcp_socket: socket.socket, state: bool) -> None:
    set_tcp_nodelay(tcp_socket, state)
    set_tcp_keepalive(tcp_socket, state)

    assert bool(tcp_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)) is state
    assert bool(tcp_socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)) is state


def test_options_that_a_socket_has_not_are_os_errors() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock, pytest.raises(OSError, match=r".+"):
        set_tcp_nodelay(sock, True)


def test_proxy_shows_the_socket(tcp_socket: socket.socket) -> None:
    tcp_socket.bind(("127.0.0.1", 0))
    proxy = SocketProxy(tcp_socket)

    assert (proxy.family, proxy.type, proxy.proto) == (tcp_socket.family, tcp_socket.type, tcp_socket.proto)
    assert proxy.fileno() == tcp_socket.fileno()
    assert proxy.getsockname() == tcp_socket.getsockname()
    assert proxy.get_inheritable() is False
    proxy.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    assert proxy.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    with pytest.raises(OSError, match=r".+"):
        proxy.getpeername()


@pytest.mark.parametrize("name", ["send", "recv", "sendto", "accept", "connect", "close", "shutdown", "detach"])
def test_proxy_does_no_io(tcp_socket: socket.socket, name: str) -> None:
    assert not hasattr(SocketProxy(tcp_socket), name)


@pytest.mark.parametrize("as_function", [True, False])
def test_proxy_calls_through_the_runner_and_under_the_lock(tcp_socket: socket.socket, as_function: bool) -> None:
    lock = threading.Lock()
    calls: list[bool] = []

    def runner(func: Callable[[], Any]) -> Any:
        calls.append(lock.locked())
        return func()

    proxy = SocketProxy(tcp_socket, lock=(lambda: lock) if as_function else lock, runner=runner)
    proxy.fileno()
    proxy.get_inheritable()
    proxy.getsockname()
    proxy.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    proxy.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    assert calls == [True] * 5
    assert not lock.locked()
