# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import socket
import struct
import sys
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from easynetwork.ancillary import (
    PACKET_INFO_BUFSIZE,
    IPv4PacketInfo,
    IPv6PacketInfo,
    request_packet_info,
    unpack_packet_info,
)

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="implemented for Linux only")

ipv4 = st.builds(IPv4PacketInfo, st.integers(0, 2**31 - 1), *[st.ip_addresses(v=4).map(str)] * 2)
ipv6 = st.builds(
    IPv6PacketInfo,
    st.binary(min_size=16, max_size=16).map(lambda raw: socket.inet_ntop(socket.AF_INET6, raw)),
    st.integers(0, 2**32 - 1),
)


def ask(sock: socket.socket, client: socket.socket, destination: str) -> tuple[IPv4PacketInfo | IPv6PacketInfo, Any]:
    """Sends a question to ``destination``; returns the packet information and the asker."""
    client.sendto(b"?", (destination, sock.getsockname()[1]))
    _, messages, flags, asker = sock.recvmsg(1, PACKET_INFO_BUFSIZE)
    assert not flags & socket.MSG_CTRUNC
    info = unpack_packet_info(messages)
    assert info is not None
    return info, asker


@contextlib.contextmanager
def sockets(family: int, wildcard: str, client_family: int) -> Generator[tuple[socket.socket, socket.socket]]:
    """One that listens and asks for packet information, and one to ask it."""
    with socket.socket(family, socket.SOCK_DGRAM) as sock, socket.socket(client_family, socket.SOCK_DGRAM) as client:
        sock.settimeout(5)
        client.settimeout(5)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind((wildcard, 0))
        request_packet_info(sock)
        yield sock, client


@given(ipv4 | ipv6)
def test_what_is_packed_is_unpacked_the_same(info: IPv4PacketInfo | IPv6PacketInfo) -> None:
    assert unpack_packet_info([(0, 0, b""), info.as_raw()]) == info


@given(st.sampled_from([IPv4PacketInfo, IPv6PacketInfo]), st.binary(max_size=40))
def test_bytes_are_packet_information_or_too_short(
    cls: type[IPv4PacketInfo] | type[IPv6PacketInfo], data: bytes
) -> None:
    size = struct.calcsize("i4s4s") if cls is IPv4PacketInfo else struct.calcsize("16sI")
    if len(data) >= size:
        assert cls.from_raw(data).as_raw()[2] == data[:size]
    else:
        with pytest.raises(ValueError, match="data"):
            cls.from_raw(data)


def test_other_messages_are_passed_over() -> None:
    first, second = IPv4PacketInfo(1, "127.0.0.1", "127.0.0.1"), IPv6PacketInfo("::1", 1)

    assert unpack_packet_info([(socket.SOL_SOCKET, 8, b"")]) is None
    assert unpack_packet_info([(99, 99, b""), second.as_raw(), first.as_raw()]) == second


def test_the_buffer_is_large_enough_for_either() -> None:
    for info in IPv4PacketInfo(0, "0.0.0.0", "0.0.0.0"), IPv6PacketInfo("::", 0):
        assert socket.CMSG_SPACE(len(info.as_raw()[2])) <= PACKET_INFO_BUFSIZE


@linux_only
def test_ipv4_answers_leave_from_the_address_that_was_asked() -> None:
    with sockets(socket.AF_INET, "0.0.0.0", socket.AF_INET) as (sock, client):
        info, asker = ask(sock, client, "127.0.0.9")
        assert isinstance(info, IPv4PacketInfo)
        assert (info.local, info.destination, info.interface) == ("127.0.0.9", "127.0.0.9", socket.if_nametoindex("lo"))
        sock.sendmsg([b"!"], [IPv4PacketInfo(0, info.local, "0.0.0.0").as_raw()], 0, asker)

        assert client.recvfrom(1) == (b"!", ("127.0.0.9", sock.getsockname()[1]))


@linux_only
@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
@pytest.mark.parametrize(
    ("family", "destination", "seen"),
    [(socket.AF_INET6, "::1", "::1"), (socket.AF_INET, "127.0.0.9", "::ffff:127.0.0.9")],
)
def test_dual_stack_answers_leave_from_the_address_that_was_asked(family: int, destination: str, seen: str) -> None:
    with sockets(socket.AF_INET6, "::", family) as (sock, client):
        info, asker = ask(sock, client, destination)
        assert info == IPv6PacketInfo(seen, socket.if_nametoindex("lo"))
        sock.sendmsg([b"!"], [IPv6PacketInfo(seen, 0).as_raw()], 0, asker)
        data, address = client.recvfrom(1)

        assert (data, address[0]) == (b"!", destination)


@linux_only
def test_other_families_have_none() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, pytest.raises(ValueError, match="sock"):
        request_packet_info(sock)
