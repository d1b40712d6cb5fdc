# SPDX-License-Identifier: Apache-2.0
"""On real sockets, whose reads are written as the kernel makes them; and where the kernel of
another system is needed, by hand.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from easynetwork.ancillary import ControlQueue, ReceivedControl, SCMCredentials, SocketAncillary

pytestmark = [
    pytest.mark.usefixtures("no_leak"),
    pytest.mark.skipif(sys.platform != "linux", reason="how reads end is particular to Linux"),
]

CREDENTIALS = (socket.SOL_SOCKET, socket.SCM_CREDENTIALS)


class Stream:
    """A socket pair whose bytes and control messages go through a queue."""

    def __init__(self, pair: tuple[socket.socket, socket.socket], fd: int, queue: ControlQueue) -> None:
        self.ours, self.theirs = pair
        self.queue = queue
        self._fd = fd
        self._unread = 0

    def send(self, data: bytes, fds: int = 0) -> None:
        ancillary = SocketAncillary()
        ancillary.add_fds([self._fd] * fds)
        assert self.ours.sendmsg([data], ancillary.as_raw()) == len(data)

    def read(self, size: int = 65536, bufsize: int = 1024) -> bytes:
        data, messages, flags, _ = self.theirs.recvmsg(size, bufsize, socket.MSG_CMSG_CLOEXEC)
        self.queue.add(len(data), messages, bool(flags & socket.MSG_CTRUNC))
        self._unread += len(data)
        return data

    def receive_truncated(self, size: int) -> None:
        """A read whose control messages were cut off altogether."""
        self.queue.add(size, [], True)
        self._unread += size

    def take(self, size: int) -> int | None:
        """Uses up a packet of ``size`` bytes, and tells how many descriptors it had; None if they
        were cut off.
        """
        self._unread -= size
        with_control = self.queue.claim(self._unread)
        try:
            return None if with_control.truncated else with_control.descriptors
        finally:
            with_control.close()


@pytest.fixture
def stream(no_leak: None, pair: tuple[socket.socket, socket.socket], fd: int) -> Stream:
    return Stream(pair, fd, ControlQueue(max_pending=8))


def test_a_packet_that_was_glued_in_front_gets_nothing(stream: Stream) -> None:
    stream.send(b"A")
    stream.send(b"BB", 2)

    assert stream.read() == b"ABB"
    assert [stream.take(1), stream.take(2)] == [0, 2]


def test_each_packet_gets_its_own(stream: Stream) -> None:
    stream.send(b"A", 1)
    stream.send(b"B", 2)

    assert [stream.read(), stream.read()] == [b"A", b"B"]
    assert [stream.take(1), stream.take(1)] == [1, 2]


def test_a_packet_behind_gets_nothing(stream: Stream) -> None:
    stream.send(b"A", 1)
    stream.send(b"B")

    assert [stream.read(), stream.read()] == [b"A", b"B"]
    assert [stream.take(1), stream.take(1)] == [1, 0]


def test_many_packets_in_one_read(stream: Stream) -> None:
    for _ in range(5):
        stream.send(b"A")
    stream.send(b"B", 3)

    assert stream.read() == b"AAAAAB"
    assert [stream.take(1) for _ in range(6)] == [0, 0, 0, 0, 0, 3]


def test_a_packet_in_many_reads_gets_what_came_with_its_first(stream: Stream) -> None:
    stream.send(b"A")
    stream.send(b"BBBB", 1)
    stream.send(b"C")

    assert [stream.read(3), stream.read(1), stream.read()] == [b"ABB", b"B", b"BC"]
    assert [stream.take(1), stream.take(4), stream.take(1)] == [0, 1, 0]


def test_packets_of_several_messages_get_all_of_them(stream: Stream) -> None:
    for _ in range(3):
        stream.send(b"A", 2)
        stream.read()

    assert stream.take(3) == 6


def test_half_a_packet_keeps_its_descriptors_until_it_is_closed(stream: Stream) -> None:
    stream.send(b"A", 2)
    stream.read()
    stream.queue.close()
    stream.queue.close()
    stream.send(b"A", 2)
    stream.read()

    assert stream.take(2) == 0


def test_truncation_is_told_to_its_packet_alone(stream: Stream) -> None:
    stream.send(b"A")
    stream.send(b"B", 2)
    stream.send(b"C", 2)
    stream.read(bufsize=socket.CMSG_LEN(4))
    stream.read()

    assert [stream.take(1), stream.take(1), stream.take(1)] == [0, None, 2]


def test_each_packet_is_told_of_its_own_truncation_also_behind_others_that_wait(stream: Stream) -> None:
    for packet, bufsize in (b"A", socket.CMSG_LEN(4)), (b"B", 1024), (b"C", socket.CMSG_LEN(4)), (b"D", 1024):
        stream.send(packet, 2)
        stream.read(bufsize=bufsize)

    assert [stream.take(1), stream.take(1), stream.take(1), stream.take(1)] == [None, 2, None, 2]


def test_a_packet_whose_control_messages_are_cut_off_again_and_again_costs_no_memory(stream: Stream) -> None:
    stream.send(b"A", 2)
    stream.read()
    tracemalloc.start()
    try:
        for _ in range(10_000):
            stream.receive_truncated(1)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 10_000
    assert [stream.take(1), stream.take(10_000)] == [2, None]


def test_too_many_waiting_descriptors_are_closed_and_told(stream: Stream) -> None:
    for packet, fds in (b"A", 5), (b"B", 4), (b"C", 3), (b"C", 1):
        stream.send(packet, fds)
        stream.read()

    assert [stream.take(1), stream.take(1), stream.take(1), stream.take(1)] == [5, None, 3, None]


def test_a_lone_message_may_have_more_than_may_wait(stream: Stream) -> None:
    stream.send(b"A", 50)
    stream.read()

    assert stream.take(1) == 50


def test_reads_without_bytes_change_nothing(stream: Stream) -> None:
    stream.send(b"A", 1)
    stream.read()
    stream.queue.add(0, [], False)

    assert stream.take(1) == 1
    assert stream.take(0) == 0


def test_credentials_are_of_all_packets_of_their_read(stream: Stream) -> None:
    stream.theirs.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    stream.send(b"A")
    stream.send(b"B", 1)
    assert stream.read() == b"AB"
    received = SocketAncillary()
    for unread, fds in (1, 0), (0, 1):
        control = stream.queue.claim(unread)
        assert control.descriptors == fds
        control.deliver(received.update_from_raw)

    match list(received.messages()):
        case [_, SCMCredentials(credentials)]:
            assert [credential.pid for credential in credentials] == [os.getpid()] * 2
        case other:
            pytest.fail(str(other))
    for fd in received.iter_fds():
        os.close(fd)


def test_a_packet_of_many_reads_has_its_credentials_once(stream: Stream) -> None:
    stream.theirs.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    stream.send(bytes(100))
    for _ in range(100):
        stream.read(1)

    assert len(stream.queue.claim(0).messages) == 1
    assert stream.queue.claim(0).messages == ()


def test_writers_who_take_turns_are_bounded() -> None:
    queue = ControlQueue()
    for number in range(100):
        queue.add(1, [(*CREDENTIALS, struct.pack("iII", number, 0, 0))], False)

    assert len(queue.claim(36).messages) == 64
    assert queue.claim(35).truncated


def test_too_many_descriptors_in_one_read_are_closed_and_count_as_cut_off(fd: int) -> None:
    queue = ControlQueue(max_in_read=2)
    for count in (2, 3):
        rights = struct.pack(f"{count}i", *(os.dup(fd) for _ in range(count)))
        queue.add(1, [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)], False)

    with contextlib.closing(queue.claim(1)) as control:
        assert (control.descriptors, control.truncated) == (2, False)
    assert queue.claim(0).truncated


def test_elsewhere_descriptors_come_with_the_first_byte(fd: int) -> None:
    queue = ControlQueue(descriptors_end_reads=False)
    queue.add(1, [], False)
    queue.add(3, [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", os.dup(fd)))], False)
    got: list[int] = []
    for unread in (3, 1, 0):  # packets of 1, 2 and 1 bytes
        control = queue.claim(unread)
        got.append(control.descriptors)
        control.close()

    assert got == [0, 1, 0]


@given(st.data())
def test_no_descriptor_goes_astray_however_the_stream_is_cut(data: st.DataObject) -> None:
    packets = data.draw(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 2)), max_size=12), "packets: bytes, fds")
    sizes = st.integers(1, 12)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs, open(os.devnull) as file, contextlib.closing(ControlQueue(max_pending=1000)) as queue:
        stream = Stream((ours, theirs), file.fileno(), queue)
        for length, fds in packets:
            stream.send(bytes(length), fds)
        got: list[int | None] = []
        have = 0
        for length, _ in packets:
            while have < length:
                have += len(stream.read(data.draw(sizes, "size of a read")))
            have -= length
            got.append(stream.take(length))

    assert got == [fds for _, fds in packets]


def test_claims_without_control_messages_are_empty() -> None:
    queue = ControlQueue()
    queue.add(10, [], False)
    control = queue.claim(5)

    assert isinstance(control, ReceivedControl)
    assert (control.messages, control.truncated) == ((), False)
