# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import os
import socket
import struct
import sys

import pytest

from easynetwork.ancillary import RawControlMessage, ReceivedControl, SocketAncillary, truncated_error


def rights(*fds: int) -> RawControlMessage:
    return socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds)


def is_open(fd: int) -> bool:
    return os.path.exists(f"/proc/self/fd/{fd}")


@pytest.fixture
def fds(no_leak: None) -> list[int]:
    """Two descriptors that the test must get rid of."""
    return [os.open(os.devnull, os.O_RDONLY) for _ in range(2)]


def test_delivered_descriptors_are_the_receivers(fds: list[int]) -> None:
    control = ReceivedControl([rights(*fds)])
    received = SocketAncillary()
    assert control.descriptors == 2
    control.deliver(received.update_from_raw)
    control.close()

    assert control.descriptors == 0
    assert list(received.iter_fds()) == fds
    for fd in fds:
        os.close(fd)


def test_what_nobody_takes_is_closed(fds: list[int]) -> None:
    control = ReceivedControl([rights(fds[0]), rights(fds[1])])
    control.close()
    control.close()

    assert control.messages == ()
    assert not any(map(is_open, fds))


@pytest.mark.parametrize("exc", [ValueError("a bug"), OSError("another"), KeyboardInterrupt()])
def test_a_callback_that_raises_gets_nothing(fds: list[int], exc: BaseException) -> None:
    control = ReceivedControl([rights(*fds)])

    def crash(messages: list[RawControlMessage]) -> None:
        messages.clear()  # the list is the callback's, the descriptors are not yet
        raise exc

    expected = RuntimeError if isinstance(exc, Exception) else type(exc)
    with pytest.raises(expected) as caught:
        control.deliver(crash)
    assert not any(map(is_open, fds))
    if expected is RuntimeError:
        assert str(caught.value) == "RecvAncillaryDataParams.data_received() crashed"
        assert caught.value.__cause__ is exc


def test_a_callback_may_close_what_it_was_called_by(fds: list[int]) -> None:
    control = ReceivedControl([rights(*fds)])
    control.deliver(lambda messages: control.close())

    assert all(map(is_open, fds))
    for fd in fds:
        os.close(fd)


def test_a_packet_without_control_messages_delivers_none() -> None:
    received: list[list[RawControlMessage]] = []
    ReceivedControl().deliver(received.append)

    assert received == [[]]


def test_truncated_messages_are_closed_and_reported(fds: list[int]) -> None:
    control = ReceivedControl([rights(*fds)], truncated=True)

    assert not any(map(is_open, fds))
    assert control.messages == ()
    for _ in range(2):
        with pytest.raises(OSError, match="ancillary_bufsize") as caught:
            control.deliver(lambda messages: pytest.fail("called"))
        assert caught.value.errno == truncated_error().errno == errno.EMSGSIZE


def test_merging_takes_over_in_order(fds: list[int]) -> None:
    parts = [ReceivedControl([rights(fd)]) for fd in fds]
    merged = ReceivedControl.merged(parts)

    assert merged.messages == (rights(fds[0]), rights(fds[1]))
    assert [part.descriptors for part in parts] == [0, 0]
    merged.close()


def test_one_truncated_part_spoils_the_whole(fds: list[int]) -> None:
    merged = ReceivedControl.merged([ReceivedControl([rights(*fds)]), ReceivedControl(truncated=True)])

    assert merged.truncated
    assert not any(map(is_open, fds))


def test_forgotten_descriptors_are_closed_with_a_warning(fds: list[int]) -> None:
    control = ReceivedControl([rights(*fds)])

    with pytest.warns(ResourceWarning, match="descriptors were never delivered nor closed: 2"):
        del control
    assert not any(map(is_open, fds))


def test_a_small_buffer_loses_no_descriptor(no_leak: None, pair: tuple[socket.socket, socket.socket], fd: int) -> None:
    ours, theirs = pair
    ours.sendmsg([b"x"], [rights(fd, fd, fd)])
    _, messages, flags, _ = theirs.recvmsg(1, socket.CMSG_LEN(2 * 4), socket.MSG_CMSG_CLOEXEC)
    assert flags & socket.MSG_CTRUNC
    control = ReceivedControl(messages)
    assert control.descriptors == 2  # they did arrive
    control.close()


@pytest.mark.skipif(sys.platform != "linux", reason="pidfds exist on Linux only")
def test_a_descriptor_of_the_sending_process_is_owned_too(
    no_leak: None, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    try:
        theirs.setsockopt(socket.SOL_SOCKET, 76, 1)  # SO_PASSPIDFD, which Python does not name
    except OSError:
        pytest.skip("this kernel sends none (Linux 6.5)")
    ours.send(b"x")
    _, messages, _, _ = theirs.recvmsg(1, 100)
    control = ReceivedControl(messages)

    assert control.descriptors == 1
    control.close()


def test_an_error_number_is_no_descriptor() -> None:
    assert ReceivedControl([rights(-24)]).descriptors == 0
