# SPDX-License-Identifier: Apache-2.0
"""What UDP sockets promise beyond the rules of every backend, which the backends' own tests examine
(`backend_suite`).
"""

from __future__ import annotations

import errno
import socket
import sys
import time

import pytest

from easynetwork.exceptions import BusyResourceError, TypedAttributeLookupError
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.datagrams import ControlDatagramListener
from easynetwork.lowlevel.socket import INETSocketAttribute, IPv4SocketAddress
from easynetwork.lowlevel.streams import ClosedListenerError
from easynetwork.lowlevel.testing.real_sockets import UDP

pytestmark = pytest.mark.anyio

# ip(7) on Linux; Python 3.11 has no names for them.
IP_PKTINFO = 8
IP_RECVERR = 11


async def test_only_endpoints_have_a_peer(backend: AsyncBackend) -> None:
    listener = await UDP(backend).listen()
    endpoint = await UDP(backend).connect(listener)

    assert endpoint.extra(INETSocketAttribute.peername) == listener.extra(INETSocketAttribute.sockname)
    assert isinstance(endpoint.extra(INETSocketAttribute.sockname), IPv4SocketAddress)
    with pytest.raises(TypedAttributeLookupError):
        listener.extra(INETSocketAttribute.peername)
    await endpoint.aclose()
    await listener.aclose()


async def test_an_endpoint_is_told_that_its_peer_is_not_there(backend: AsyncBackend) -> None:
    listener = await UDP(backend).listen()
    endpoint = await UDP(backend).connect(listener)
    await listener.aclose()

    for _ in range(3):  # uvloop stops watching at the first
        await endpoint.send(b"x")
        with pytest.raises(ConnectionRefusedError):
            await endpoint.receive(backend.current_time() + 5)
    await endpoint.aclose()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells unconnected sockets of ICMP errors")
async def test_a_listener_that_is_told_of_icmp_errors_passes_over_them(backend: AsyncBackend) -> None:
    listener = await UDP(backend).listen()
    listener.extra(INETSocketAttribute.socket).setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    gone, peer = await UDP(backend).connect(listener), await UDP(backend).connect(listener)
    await gone.send(b"x")
    _, nowhere = await listener.receive()
    await gone.aclose()
    somewhere = peer.extra(INETSocketAttribute.sockname)

    for _ in range(3):
        assert listener.send_nowait(b"lost", nowhere)
        assert listener.send_nowait(b"found", somewhere)  # the error that is pending is not its own
        assert await peer.receive(backend.current_time() + 5) == b"found"
        assert listener.send_nowait(b"lost", nowhere)
        await peer.send(b"y")
        assert (await listener.receive(backend.current_time() + 5))[0] == b"y"
    with pytest.raises(OSError, match="long"):
        listener.send_nowait(bytes(70_000), somewhere)  # an error of our own, that is queued as well
    cpu = time.process_time()
    with pytest.raises(TimeoutError):
        await listener.receive(backend.current_time() + 0.1)
    assert time.process_time() - cpu < 0.05  # no error keeps it awake
    await peer.aclose()
    await listener.aclose()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells unconnected sockets of ICMP errors")
async def test_an_answer_with_control_messages_is_not_failed_by_another_peer_s_error(backend: AsyncBackend) -> None:
    listener = await UDP(backend).listen("0.0.0.0")
    assert isinstance(listener, ControlDatagramListener)
    options = listener.extra(INETSocketAttribute.socket)
    options.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    options.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    port = listener.extra(INETSocketAttribute.sockname).port
    gone, peer = [await backend.create_udp_endpoint("127.0.0.1", port) for _ in range(2)]
    await gone.send(b"x")
    _, nowhere = await listener.receive()
    await gone.aclose()
    await peer.send(b"question")
    _, messages, _, somewhere = await listener.receive_message(100)

    for answer in (b"first", b"second"):
        assert listener.send_nowait(b"lost", nowhere)  # whose error is pending from now on
        await listener.send_message(answer, messages, somewhere)
        assert await peer.receive(backend.current_time() + 5) == answer
    await peer.aclose()
    await listener.aclose()


async def test_a_listener_whose_datagrams_never_end_lets_others_run(backend: AsyncBackend) -> None:
    listener = await UDP(backend).listen()
    peer = await UDP(backend).connect(listener)
    await peer.send(b"x")
    received = turns = 0

    async def echo_to_itself() -> None:
        nonlocal received
        while turns < 3:
            data, _ = await listener.receive()
            received += 1
            await peer.send(data)

    async with backend.create_task_group() as tasks:
        await tasks.start(echo_to_itself)
        for _ in range(3):
            await backend.coro_yield()
            turns += 1

    assert received > 3
    await peer.aclose()
    await listener.aclose()


async def test_two_receivers_are_one_too_many(backend: AsyncBackend) -> None:
    listener = await UDP(backend).listen()
    async with backend.create_task_group() as tasks:
        task = await tasks.start(listener.receive)
        await backend.coro_yield()
        for deadline in (None, 0, backend.current_time() + 0.01):
            with pytest.raises(BusyResourceError):
                await listener.receive(deadline)
        await backend.sleep(0.02)
        assert not task.done()  # it keeps its own deadline
        task.cancel()
    await listener.aclose()


async def test_closing_tells_who_receives_that_it_was_closed(backend: AsyncBackend) -> None:
    listener = await UDP(backend).listen()
    async with backend.create_task_group() as tasks:

        async def receive() -> None:
            with pytest.raises(ClosedListenerError):
                await listener.receive()

        await tasks.start(receive)
        await backend.coro_yield()
        await listener.aclose()

    for deadline in (None, 0):
        with pytest.raises(ClosedListenerError):
            await listener.receive(deadline)


async def test_the_local_address_is_where_datagrams_come_from(backend: AsyncBackend) -> None:
    listener = await UDP(backend).listen()
    port = listener.extra(INETSocketAttribute.sockname).port
    endpoint = await backend.create_udp_endpoint(
        "localhost", port, local_address=("127.0.0.5", 0), family=socket.AF_INET
    )
    await endpoint.send(b"x")

    assert (await listener.receive())[1][0] == "127.0.0.5"
    await endpoint.aclose()
    await listener.aclose()


async def test_an_address_that_cannot_be_reached_is_named(backend: AsyncBackend) -> None:
    with pytest.raises(OSError, match=r"255\.255"):
        await backend.create_udp_endpoint("255.255.255.255", 9)
    with pytest.raises(OSError, match="same family"):
        await backend.create_udp_endpoint("127.0.0.1", 9, local_address=("::1", 0))


async def test_one_port_serves_all_addresses_and_is_not_shared(backend: AsyncBackend) -> None:
    listeners = await backend.create_udp_listeners(["127.0.0.1", "127.0.0.2"], 0)
    first, second = (listener.extra(INETSocketAttribute.sockname) for listener in listeners)
    assert first.port == second.port

    with pytest.raises(OSError, match=f"127.0.0.2.*{first.port}") as caught:
        await backend.create_udp_listeners(["127.0.0.3", "127.0.0.2"], first.port)

    assert caught.value.errno == errno.EADDRINUSE
    for listener in listeners:
        await listener.aclose()


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="no SO_REUSEPORT here")
async def test_a_port_is_shared_on_demand(backend: AsyncBackend) -> None:
    (first,) = await backend.create_udp_listeners("127.0.0.1", 0, reuse_port=True)
    port = first.extra(INETSocketAttribute.sockname).port
    (second,) = await backend.create_udp_listeners("127.0.0.1", port, reuse_port=True)

    assert second.extra(INETSocketAttribute.sockname).port == port
    await first.aclose()
    await second.aclose()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no dual stack here")
async def test_two_colons_alone_take_both_families(backend: AsyncBackend) -> None:
    listener = await UDP(backend).listen("::")
    port = listener.extra(INETSocketAttribute.sockname).port
    for host in ("127.0.0.1", "::1"):
        endpoint = await backend.create_udp_endpoint(host, port)
        await endpoint.send(b"x")
        _, address = await listener.receive()
        await listener.send(b"y", address)
        assert await endpoint.receive() == b"y"
        await endpoint.aclose()
    await listener.aclose()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
async def test_all_interfaces_are_a_socket_for_each_family(backend: AsyncBackend) -> None:
    listeners = await backend.create_udp_listeners(None, 0)

    families = {listener.extra(INETSocketAttribute.family) for listener in listeners}
    for listener in listeners:
        await listener.aclose()
    assert families == {socket.AF_INET, socket.AF_INET6}


async def test_what_is_no_connected_datagram_socket_is_refused(backend: AsyncBackend) -> None:
    with socket.socket() as tcp, pytest.raises(ValueError, match="datagram"):
        await backend.wrap_connected_datagram_socket(tcp)
    with socket.socket(type=socket.SOCK_DGRAM) as alone, pytest.raises(OSError) as caught:  # noqa: PT011  # see below
        await backend.wrap_connected_datagram_socket(alone)
    assert caught.value.errno == errno.ENOTCONN


@pytest.mark.skipif(sys.platform != "linux", reason="the option has other numbers elsewhere")
async def test_control_messages_come_with_their_datagram(backend: AsyncBackend) -> None:
    listener = await UDP(backend).listen("0.0.0.0")
    assert isinstance(listener, ControlDatagramListener)
    listener.extra(INETSocketAttribute.socket).setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    port = listener.extra(INETSocketAttribute.sockname).port
    endpoint = await backend.create_udp_endpoint("127.0.0.7", port)
    await endpoint.send(b"question")
    data, messages, flags, address = await listener.receive_message(100)

    assert data == b"question"
    assert not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)
    assert [message[:2] for message in messages] == [(socket.IPPROTO_IP, IP_PKTINFO)]
    await listener.send_message(b"answer", messages, address)
    assert await endpoint.receive() == b"answer"  # a connected socket hears its peer's address alone
    await endpoint.aclose()
    await listener.aclose()


async def test_a_receive_that_is_cancelled_already_loses_nothing(backend: AsyncBackend) -> None:
    listener = await UDP(backend).listen()
    peer = await UDP(backend).connect(listener)
    await peer.send(b"x")

    got: list[bytes] = []

    with backend.open_cancel_scope() as scope:
        scope.cancel()
        got.append((await listener.receive())[0])  # some loops look at their sockets first
    if scope.cancelled_caught():
        got.append((await listener.receive())[0])

    assert got == [b"x"]
    await peer.aclose()
    await listener.aclose()
